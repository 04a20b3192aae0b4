"""What a store on disk holds: the buffer of what changed, the tables behind it, and the filter before them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TypeVar

from threathunting.intel.canonical import lower
from threathunting.intel.disk_rows import Rows, Stored, bounds, due_key, key_of, text_of, weight
from threathunting.intel.disk_tables import Database, Table
from threathunting.intel.entries import CHUNK, Entry, items_of
from threathunting.intel.filter import Filter
from threathunting.intel.types import Indicator, IndicatorType, Item

BUFFER = 20_000
"""Indicators whose changes wait in memory to be written: a third faster than with a tenth of them."""

QUIET_BUFFER = 2_000
"""The same where little comes. While they are written, who looks something up waits some tens of milliseconds."""

_BUFFER_WEIGHT = 10_000_000
"""Characters of values and items that wait at most, about; for items that are large."""

_RETRY = 1.0
"""Seconds after a failure until writing is tried again; what asks for it until then fails at once."""

_STALE = 50_000
"""Texts that the filter holds for nothing, besides as many as it needs, before it is made anew."""

_QUIET = 1_000
"""Texts that come between two chances at most, for it to be worth making the filter of one piece."""

_ABSENT = ()
"""What the buffer says of what it doesn't know: no entry is empty."""

_T = TypeVar("_T")


class Contents:
    """Indicators with their items, by when they expire, and the subdomain rules among them."""

    def __init__(self, path: Path) -> None:
        """Make the file. Raises OSError."""
        self._database = Database(path)
        self._entries = Table(self._database, "entries", Stored._fields)
        self._expiry = Table(self._database, "expiry")
        self._rules = Table(self._database, "rules")
        self._tables = self._entries, self._expiry, self._rules
        self._rows = Rows()
        self._buffer: dict[IndicatorType, dict[str, Entry | None]] = {type: {} for type in IndicatorType}
        self._buffered_due: dict[bytes, bool] = {}
        self._buffered_rules: dict[str, bool] = {}
        self._changes = 0
        self._weight = 0
        self._weighed: tuple[Item | None, int] = None, 0
        self._soonest = inf
        """When the first in the buffer expires."""
        self._failed: str | None = None
        self._retry = 0.0
        self._filter = Filter()
        self._next: Filter | None = None
        """A new filter, while it is made: all that came meanwhile are in it, and all keys but the ``_unread``."""
        self._unread: list[tuple[bytes, bytes]] = []
        self._added_before = 0
        self._quiet = False
        """Whether little has come of late, so that it is worth it to make all ready for reading."""

    def get(self, type: IndicatorType, value: str) -> Entry | None:
        """The items of an indicator; None where there are none."""
        entry = self._buffer[type].get(value, _ABSENT)
        if entry is not _ABSENT:
            return entry
        if value not in self._filter:
            return None
        row = self._entries.get(key_of(type, value))
        return None if row is None else self._rows.entry(Stored(*row[1:]))

    def put(self, indicator: Indicator, old: Entry | None, new: Entry | None) -> None:
        """Make ``new`` of what an indicator has, which is ``old``. Ask ``make_room`` before."""
        type, value = indicator
        buffer = self._buffer[type]
        if value not in buffer:
            self._changes += 1
        buffer[value] = new
        self._weight += len(value)
        if new is not None:
            for item in items_of(new):
                if item is not self._weighed[0]:
                    self._weighed = item, weight(item)
                self._weight += self._weighed[1]
        if old is None and value not in self._filter:
            self._filter.add(value)
        if old is None and self._next is not None:
            self._next.add(value)
        before, after = _ends(old), _ends(new)
        if before != after:
            key = key_of(type, value)
            for end in before - after:
                self._buffered_due[due_key(end, key)] = False
            for end in after - before:
                self._buffered_due[due_key(end, key)] = True
                self._soonest = min(self._soonest, end)

    def put_rule(self, domain: str, wanted: bool) -> None:
        """From now on the subdomains of a domain are wanted, or not."""
        self._buffered_rules[domain] = wanted

    def make_room(self, times: int = 1) -> None:
        """Write the buffer where it is full, so many times over. Raises OSError where that can't be done."""
        most = times * min(BUFFER, QUIET_BUFFER if self._quiet else BUFFER)
        if (
            self._changes >= most
            or self._weight >= _BUFFER_WEIGHT * times
            or len(self._buffered_due) >= 2 * most
        ):
            self.write()

    def write(self) -> None:
        """Write the buffer. Raises OSError where that can't be done; nothing is lost then."""
        if self._failed is not None and time.monotonic() < self._retry:
            raise OSError(self._failed)
        entries: list[tuple[bytes, int | None, float | None, bytes | None]] = []
        gone: list[bytes] = []
        for type, buffer in self._buffer.items():
            for value, entry in buffer.items():
                if entry is None:
                    gone.append(key_of(type, value))
                else:
                    entries.append((key_of(type, value), *self._rows.stored(entry)))
        due = self._buffered_due
        rules = {
            key_of(IndicatorType.DOMAIN, domain): is_one for domain, is_one in self._buffered_rules.items()
        }

        def write() -> None:
            self._entries.write(entries, gone)
            for table, keys in ((self._expiry, due), (self._rules, rules)):
                table.write(
                    [(key,) for key, is_there in keys.items() if is_there],
                    [key for key, is_there in keys.items() if not is_there],
                )

        try:
            self._in_transaction(write)
        except OSError as error:
            self._failed, self._retry = str(error), time.monotonic() + _RETRY
            raise
        # Only now: whoever goes through the store takes a copy of the buffer first, and then reads the tables.
        for buffer in self._buffer.values():
            buffer.clear()
        due.clear()
        self._buffered_rules.clear()
        self._changes = self._weight = 0
        self._soonest = inf
        self._failed = None

    def write_due(self, now: float) -> None:
        """Write the buffer where something in it has expired at ``now``, so that ``due`` finds it. Raises OSError."""
        if self._soonest <= now:
            self.write()

    def due(self, after: bytes, before: bytes) -> list[bytes]:
        """Keys of what expires, those that do first in front, between two such keys; none where none are left."""
        while rows := self._expiry.rows(after, before):
            keys = [key for (key,) in rows if self._buffered_due.get(key, True)]
            if keys:
                return keys
            after = rows[-1][0]
        return []

    def values(self, type: IndicatorType, skip: Set[str], *, fold: bool) -> Iterator[list[str]]:
        """The values of a type, in chunks. In any thread. With ``fold`` in lower case, those in ``skip`` left out."""
        buffered = self._buffer[type].copy()
        there = [value for value, entry in buffered.items() if entry is not None]
        return _chunks(self._texts(self._entries, type, buffered, there, skip, fold))

    def rules(self, skip: Set[str], *, fold: bool) -> Iterator[list[str]]:
        """The subdomain rules, in the same way."""
        buffered = self._buffered_rules.copy()
        there = [domain for domain, wanted in buffered.items() if wanted]
        return _chunks(self._texts(self._rules, IndicatorType.DOMAIN, buffered, there, skip, fold))

    def entries(self, type: IndicatorType) -> Iterator[list[tuple[str, Entry]]]:
        """The values of a type with their items, in chunks. In any thread."""
        buffered = self._buffer[type].copy()
        yield [(value, entry) for value, entry in buffered.items() if entry is not None]
        after, before = bounds(type)
        while rows := self._entries.rows(after, before):
            after = rows[-1][0]
            found = ((text_of(row[0][1:]), row) for row in rows)
            yield [
                (value, self._rows.entry(Stored(*row[1:]))) for value, row in found if value not in buffered
            ]

    def tidy(self, size: int, *, again: bool = False) -> bool:
        """Go a step on with what makes reading fast again after much has come or gone. ``size``: indicators now.

        Whether there is more to do now, in calls ``again``. Raises OSError.
        """
        if not again:
            self._quiet = self._filter.added - self._added_before <= _QUIET
            self._added_before = self._filter.added
        if self._quiet and self._in_transaction(self._settle):
            return True
        if self._next is None:
            is_stale = self._filter.added > 2 * size + _STALE
            if not is_stale and (self._filter.layers == 1 or not self._quiet):
                return False
            self._next, self._unread = Filter(size + size // 2), [bounds(type) for type in IndicatorType]
            for value in (value for buffer in self._buffer.values() for value in buffer):
                self._next.add(value)
        if not self._unread:
            self._filter, self._next = self._next, None
            self._added_before = self._filter.added
            return False
        after, before = self._unread.pop()
        last, values = self._entries.texts(after, before, 1, fold=False)
        if last:
            self._unread.append((last, before))
        for value in values:
            self._next.add(value)
        return True

    def rest(self) -> None:
        """Write the buffer, and free the memory for pages. Raises OSError."""
        self.write()
        self._database.run("pragma shrink_memory")

    def close(self) -> None:
        """Delete the file. Raises OSError."""
        self._database.close()

    def _settle(self) -> bool:
        return any(table.settle() for table in self._tables)

    def _in_transaction(self, work: Callable[[], _T]) -> _T:
        try:
            with self._database.transaction():
                return work()
        except BaseException:
            for table in self._tables:
                with suppress(OSError):
                    table.undone()
            raise

    def _texts(
        self,
        table: Table,
        type: IndicatorType,
        buffered: Mapping[str, object],
        there: list[str],
        skip: Set[str],
        fold: bool,
    ) -> Iterator[list[str]]:
        # Lower-casing values one by one is needed only where there are others than lower-case ones.
        one_by_one = fold and (bool(skip) or any(lower(value) != value for value in buffered))
        yield [folded for value in there if (folded := lower(value) if fold else value) not in skip]
        after, before = bounds(type)
        while True:
            after, values = table.texts(after, before, 1, fold and not one_by_one)
            if not after:
                return
            if buffered and not buffered.keys().isdisjoint(values):
                values = [value for value in values if value not in buffered]
            yield (
                [folded for value in values if (folded := lower(value)) not in skip] if one_by_one else values
            )


def _ends(entry: Entry | None) -> Set[float]:
    if entry is None:
        return frozenset()
    if isinstance(entry, Item):
        return frozenset() if entry.expires is None else {entry.expires}
    return {item.expires for item in entry if item.expires is not None}


def _chunks(parts: Iterator[list[_T]]) -> Iterator[list[_T]]:
    chunk: list[_T] = []
    for part in parts:
        chunk += part
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
