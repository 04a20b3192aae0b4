"""Our events for compact arming: filters on the nodes, their questions, and our answers. Version 1.

Strings are what Zeek compares: values in ASCII lower case. A ``kind`` is a type's name (``domain``, ``addr``, ...), or
``SUBDOMAINS`` for the domains that stand for their subdomains, which come under ``domain`` as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from threathunting.intel.types import LEVEL_RANK, Indicator, Item
from threathunting.zeek.protocol import MAX_BYTES, MAX_ITEMS, entry, event
from threathunting.zeek.wire import Count, Event

SUBDOMAINS = "subdomains"
"""The kind of domains that stand for their subdomains. To forget it is to forget all about domains."""

ALL = "*"
"""As the only value: all of the kind is forgotten."""

MAX_CAPACITY = 1_000_000_000
"""Values that a filter can be made for."""

LIVE = 0
"""As the generation: whatever filters of ours there are, the live ones and those being built."""

MAX_ANSWER_BYTES = MAX_BYTES // 2
"""Of one answer; items beyond are left out, the lowest levels first."""

_UNSENDABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_encode = msgspec.json.Encoder().encode


class Setup(msgspec.Struct, frozen=True):
    """How filters are built: values that they are made for, false positives, seconds that records wait."""

    exact: int
    subdomains: int
    rate: float
    hold: float


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer to a question: ``h`` is made by ``hits_of``, an empty list for no."""

    q: int | str
    h: msgspec.Raw


def compact_begin(client: str, node: str, batch: int, generation: int, setup: Setup) -> Event:
    """A node is to build this generation beside the live one."""
    text = _encode(setup).decode()
    return event("compact_begin", client, Count(batch), Count(generation), text, node=node)


def compact_add(
    client: str, batch: int, generation: int, kind: str, values: str, node: str | None = None
) -> Event:
    """Add values (made by ``packed_values``) to a generation, or to all there are (``LIVE``).

    What a node remembers of them is void, as by ``compact_forget``; with ``SUBDOMAINS`` all about domains.
    """
    return event("compact_add", client, Count(batch), Count(generation), kind, values, node=node)


def compact_end(client: str, batch: int, generation: int, total: int, node: str | None = None) -> Event:
    """Nodes that got so many values for this generation swap it in."""
    return event("compact_end", client, Count(batch), Count(generation), Count(total), node=node)


def compact_forget(client: str, batch: int, kind: str, values: str) -> Event:
    """What nodes remember about these values holds no more; of a domain also what it was the reason for."""
    return event("compact_forget", client, Count(batch), kind, values)


def compact_drop(client: str, node: str, batch: int) -> Event:
    """A node is to drop our filters."""
    return event("compact_drop", client, Count(batch), node=node)


def verdict(client: str, node: str, answers: bytes) -> Event:
    """Answers (made by ``packed_answers``) for the node that asked."""
    return event("verdict", client, node, answers.decode("utf-8", "replace"), node=node)


def sendable(values: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Values that a list with a value a line can carry, and those that it can't: with control characters."""
    text = "".join(values)
    if (text.isascii() and text.isprintable()) or not _UNSENDABLE.search(text):
        return values, []
    good: list[str] = []
    bad: list[str] = []
    for value in values:
        (bad if _UNSENDABLE.search(value) else good).append(value)
    return good, bad


def packed_values(values: Sequence[str]) -> tuple[str, int]:
    """As many of the first values as a batch may hold, a line each, and how many these are. At least one."""
    count = min(len(values), MAX_ITEMS)
    while True:
        text = "\n".join(values[:count])
        # Quotes and line ends take two bytes in a message, other letters than ASCII up to four.
        if count <= 1 or (len(text) * 4 <= MAX_BYTES or len(_encode(text)) <= MAX_BYTES):
            return text, count
        count //= 2


def hits_of(hits: Iterable[tuple[Indicator, Sequence[Item]]]) -> msgspec.Raw:
    """What an answer tells: the indicators that are armed for a value, with their items."""
    told = [(indicator, list(items)) for indicator, items in hits]
    data = _hits(told)
    if len(data) > MAX_ANSWER_BYTES:
        data = _hits(_cut(told))
    return msgspec.Raw(data)


def packed_answers(answers: Sequence[Answer]) -> tuple[bytes, int]:
    """As many of the first answers as a message may hold, as JSON, and how many these are. At least one."""
    parts: list[bytes] = []
    size = 2
    for one in answers[:MAX_ITEMS]:
        part = _encode(one)
        size += len(part) + 1
        if parts and size > MAX_BYTES:
            break
        parts.append(part)
    return b"[" + b",".join(parts) + b"]", len(parts)


def _hits(told: Iterable[tuple[Indicator, Sequence[Item]]]) -> bytes:
    parts = []
    for indicator, items in told:
        label = f"{indicator.type.value} {indicator.value}"
        parts.append(_encoded({"i": label, "items": [entry(indicator, item) for item in items]}))
    return b"[" + b",".join(parts) + b"]"


def _encoded(value: object) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair, in what a source says of its indicator.
        return _encode(_clean(value))


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _cut(told: Sequence[tuple[Indicator, Sequence[Item]]]) -> list[tuple[Indicator, list[Item]]]:
    """The items that fit, the highest levels first."""
    each = [(indicator, item) for indicator, items in told for item in items]
    each.sort(key=lambda one: -LEVEL_RANK[one[1].level])
    kept: dict[Indicator, list[Item]] = {}
    size = 0
    for indicator, item in each:
        size += len(_encoded(entry(indicator, item))) + len(indicator.value) * 4 + 40
        if size > MAX_ANSWER_BYTES and kept:
            break
        kept.setdefault(indicator, []).append(item)
    return list(kept.items())
