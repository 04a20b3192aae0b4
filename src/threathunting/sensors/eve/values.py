"""Reading values out of EVE events, of which any field may be missing or of another type than it should be.

Each function gives the value where it is what it should be, and nothing (None, or something empty) else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from threathunting.records import Record

Event = dict[str, Any]
"""One EVE event, as JSON has it."""

Converted = Iterator[tuple[str, Record]]
"""What an event gives: (log name, record in Zeek's field names)."""

MAX_DEPTH = 6
"""Objects nested deeper than this are left out of flattened records."""


def child(parent: Event, name: str) -> Event:
    """An object in an object; an empty one where there is none."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def text(parent: Event, name: str) -> str | None:
    """A string that isn't empty."""
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def whole(parent: Event, name: str) -> int | None:
    """A whole number, not negative."""
    value = parent.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def digits(value: str | None) -> int | None:
    """The number that a text of up to 18 decimal digits is."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 18:
        return None
    return int(value)


def flag(parent: Event, name: str) -> bool | None:
    """A truth value."""
    value = parent.get(name)
    return value if isinstance(value, bool) else None


def texts(parent: Event, name: str) -> list[str]:
    """The strings of a list that aren't empty."""
    value = parent.get(name)
    if not isinstance(value, list):
        return []
    return [element for element in value if isinstance(element, str) and element]


def objects(parent: Event, name: str) -> list[Event]:
    """The objects of a list."""
    value = parent.get(name)
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def put(record: Record, **fields: object) -> None:
    """Set the fields that have a value: not None, not empty."""
    for name, value in fields.items():
        if value is not None and value not in ("", []):
            record[name] = value


def epoch(value: object) -> float | None:
    """Seconds since the epoch of an ISO 8601 timestamp; UTC where it has no zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=16384)
def _address(value: str) -> str | None:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def address(value: object) -> str | None:
    """An IP address as Zeek writes it. Suricata doesn't compress IPv6."""
    return _address(value) if isinstance(value, str) else None


def port(value: object) -> int | None:
    """A port number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535 else None


def flattened(value: Event, prefix: str, depth: int = MAX_DEPTH) -> Iterator[tuple[str, object]]:
    """The fields of an object by dotted names; lists keep their plain elements only."""
    for name, field in value.items():
        if isinstance(field, dict):
            if depth:
                yield from flattened(field, f"{prefix}{name}.", depth - 1)
        elif isinstance(field, list):
            plain = [element for element in field if not isinstance(element, dict | list)]
            if plain:
                yield prefix + name, plain
        elif field is not None:
            yield prefix + name, field


def first(values: Iterable[str]) -> str | None:
    """The first of some strings."""
    return next(iter(values), None)
