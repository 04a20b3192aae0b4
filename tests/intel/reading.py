"""Reading bytes with one format, as the tests of all formats do."""

from __future__ import annotations

import io
from typing import Any

from threathunting.intel.formats import Context, Format, Refusal, Told
from threathunting.intel.message import Add, Remove
from threathunting.intel.types import Item

TOLD_AT = 1_000_000.0


def read(format: Format, data: bytes | str, **context: Any) -> list[Told | Refusal]:
    """All that a format gives for a file of these bytes."""
    raw = data.encode() if isinstance(data, str) else data
    settings: dict[str, Any] = {"path": "feed.txt", "told_at": TOLD_AT, "source": "feed"} | context
    return list(format.read(io.BytesIO(raw), Context(**settings)))


def armed(entries: list[Told | Refusal]) -> list[tuple[str, str]]:
    """Type and value of what was added, in order; with ``*.`` where subdomains are meant. None may be refused."""
    assert refused(entries) == []
    return added(entries)


def added(entries: list[Told | Refusal]) -> list[tuple[str, str]]:
    """As ``armed``, whatever was refused."""
    return [
        (change.indicator.type.value, ("*." if change.item.subdomains else "") + change.indicator.value)
        for change in changes(entries)
        if isinstance(change, Add)
    ]


def removed(entries: list[Told | Refusal]) -> list[tuple[str, str, str]]:
    """Type, value and source of what was removed, in order."""
    return [
        (change.indicator.type.value, change.indicator.value, change.source)
        for change in changes(entries)
        if isinstance(change, Remove)
    ]


def changes(entries: list[Told | Refusal]) -> list[Add | Remove]:
    return [entry.change for entry in entries if isinstance(entry, Told)]


def items(entries: list[Told | Refusal]) -> list[Item]:
    return [change.item for change in changes(entries) if isinstance(change, Add)]


def refused(entries: list[Told | Refusal]) -> list[tuple[int, str]]:
    """Line and reason of what was refused, in order."""
    return [(entry.line, entry.reason) for entry in entries if isinstance(entry, Refusal)]


def only_reason(entries: list[Told | Refusal]) -> str:
    ((_, reason),) = refused(entries)
    return reason
