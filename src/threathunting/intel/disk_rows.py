"""How the items of an indicator lie in a row: what many share is kept once, in memory."""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

import msgspec

from threathunting.intel.entries import Entry, items_of, packed
from threathunting.intel.types import Indicator, IndicatorType, Item

_PROFILES = 10_000
"""Different items, but for id and expiry, that are kept in memory; items beyond lie in their rows as a whole."""

_LARGEST_PROFILE = 1_000
"""Characters of an item that is kept in memory."""

_TYPES = tuple(IndicatorType)
_MARKS = {type: bytes([number]) for number, type in enumerate(_TYPES, 1)}
_DUE = struct.Struct(">d")
DUE_BYTES = _DUE.size

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Item]).decode
_replace = msgspec.structs.replace


class Stored(NamedTuple):
    """The columns of a row. Without ``profile``, ``rest`` holds all items; else it is the one item's id."""

    profile: int | None
    expires: float | None
    rest: bytes | None


def key_of(type: IndicatorType, value: str) -> bytes:
    """The key of an indicator: those of a type lie together, sorted by the bytes of their values."""
    return _MARKS[type] + value.encode("utf-8", "surrogatepass")


def indicator_of(key: bytes) -> Indicator:
    """The indicator of a key."""
    return Indicator(_TYPES[key[0] - 1], text_of(key[1:]))


def text_of(value: bytes) -> str:
    """A value from its bytes in a key."""
    return value.decode("utf-8", "surrogatepass")


def bounds(type: IndicatorType) -> tuple[bytes, bytes]:
    """Keys before and after all those of a type."""
    mark = _MARKS[type][0]
    return bytes([mark]), bytes([mark + 1])


def due_key(expires: float, key: bytes) -> bytes:
    """A key that sorts by time first; what expires before 1970 counts as of 1970."""
    return _DUE.pack(max(expires, 0.0)) + key


class Rows:
    """Makes rows of items, and items of rows."""

    def __init__(self) -> None:
        self._profiles: list[Item] = []
        self._numbers: dict[Item, int] = {}
        self._last: tuple[Item | None, int | None] = None, None

    def stored(self, entry: Entry) -> Stored:
        """The row of an indicator's items."""
        if isinstance(entry, Item) and (number := self._number(entry)) is not None:
            rest = None if entry.id is None else entry.id.encode("utf-8", "surrogatepass")
            return Stored(number, entry.expires, rest)
        items = items_of(entry)
        try:
            return Stored(None, None, _encode(items))
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
            return Stored(None, None, json.dumps([msgspec.structs.asdict(item) for item in items]).encode())

    def entry(self, stored: Stored) -> Entry:
        """The items of a row."""
        number, expires, rest = stored
        if number is not None:
            item = self._profiles[number]
            if expires is None and rest is None:
                return item
            return _replace(item, expires=expires, id=None if rest is None else text_of(rest))
        assert rest is not None, "a row has a profile or its items"
        if rest[:1] != b"[":
            return packed(tuple(_decode(rest)))
        raw: list[dict[str, Any]] = json.loads(rest)
        return packed(tuple(Item(**fields | {"tags": tuple(fields["tags"])}) for fields in raw))

    def _number(self, item: Item) -> int | None:
        if self._last[0] is item:
            return self._last[1]
        profile = item
        if item.id is not None or item.expires is not None:
            profile = _replace(item, id=None, expires=None)
        number = self._numbers.get(profile)
        if number is None and len(self._profiles) < _PROFILES and weight(profile) <= _LARGEST_PROFILE:
            number = self._numbers[profile] = len(self._profiles)
            self._profiles.append(profile)
        self._last = item, number
        return number


def weight(item: Item) -> int:
    """Characters of an item's texts."""
    return (
        len(item.source)
        + len(item.desc)
        + len(item.id or "")
        + len(item.url or "")
        + sum(len(tag) + 8 for tag in item.tags)
    )
