"""What a record matches: the exact answer, which the naive matcher and the fast one share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from threathunting.intel.entries import Hit, IntelStore
from threathunting.intel.message import parse_time
from threathunting.plugins import Log, Registry
from threathunting.records import Batch, Observable, Record

_USUAL_END = 10_000_000_000.0
"""Seconds since the epoch, in the year 2286: times before need no closer look."""


class Match(NamedTuple):
    """An observable of a record that matched, with every indicator that it matched, nearest first."""

    observable: Observable
    hits: tuple[Hit, ...]


class Matcher(Protocol):
    """Finds the rows of a batch that match."""

    def matches(self, batch: Batch) -> Iterator[tuple[int, Record, list[Match]]]:
        """(row, record, matches) of each row that has any, in the batch's order."""


def matches_of(log: Log, record: Record, store: IntelStore) -> list[Match]:
    """Every match of one record. An item matches traffic up to its expiry."""
    at = time_of(record)
    found = []
    for observable in log.observables(record):
        hits = store.lookup(observable.type, observable.value, at)
        if hits:
            found.append(Match(observable, tuple(hits)))
    return found


def time_of(record: Record) -> float:
    """A record's ``ts`` in seconds since the epoch; 0 where it has no time that can be, so that no expiry hides it."""
    ts = record.get("ts")
    if isinstance(ts, int | float | str) and not isinstance(ts, bool):
        try:
            # As text a number of any size is bounded to the years that can be written.
            return ts if isinstance(ts, float) and 0 <= ts < _USUAL_END else parse_time(str(ts))
        except ValueError:
            pass
    return 0.0


class NaiveMatcher:
    """Looks every observable of every record up: slow, plain, and the oracle of the fast matcher."""

    def __init__(self, store: IntelStore, registry: Registry) -> None:
        """Match against ``store`` with the plugins of ``registry``."""
        self._store = store
        self._registry = registry

    def matches(self, batch: Batch) -> Iterator[tuple[int, Record, list[Match]]]:
        """See ``Matcher``."""
        if self._registry.enabled(batch.log):
            yield from exact(batch, range(len(batch)), self._registry.log(batch.log), self._store)


def exact(
    batch: Batch, rows: Iterable[int], log: Log, store: IntelStore
) -> Iterator[tuple[int, Record, list[Match]]]:
    """The matches of these rows."""
    for row in rows:
        record = batch.record(row)
        if found := matches_of(log, record, store):
            yield row, record, found
