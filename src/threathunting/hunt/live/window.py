"""The look-behind window: the records of the last seconds, found again by the keys that tie them together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from threathunting.plugins import Log
from threathunting.records import Batch

_OVERHEAD = 300
"""Bytes that a held record costs beside its own text: its keys in a column and in a set."""


@dataclass(eq=False, slots=True)
class Held:
    """Records of one log that came together from bytes or offsets ``start`` to ``end`` of a source."""

    log: Log
    batch: Batch
    source: str
    start: int
    at: float
    """The stream's time when they came, in seconds since the epoch."""
    size: int
    columns: dict[str, Sequence[Any]]
    keys: set[str]
    """All keys that stand in the columns."""
    lists: frozenset[str]
    """The columns that hold lists."""
    done: set[int] = field(default_factory=set)
    """Rows that have been captured."""

    def rows(self, fields: Iterable[str], keys: Iterable[str]) -> set[int]:
        """The rows of which one of ``fields`` is, or as a list holds, one of ``keys`` (few, and in ``self.keys``)."""
        found: set[int] = set()
        wanted = set(keys)
        for name in fields:
            column = self.columns.get(name)
            if column is None:
                continue
            for key in wanted:
                at = -1
                try:
                    while True:
                        at = column.index(key, at + 1)
                        found.add(at)
                except ValueError:
                    pass
            if name in self.lists:
                found.update(
                    row
                    for row, value in enumerate(column)
                    if value.__class__ is list and not wanted.isdisjoint(value)
                )
        return found


def key_fields(log: Log) -> tuple[str, ...]:
    """The fields by which records of a log belong together."""
    return tuple(dict.fromkeys((*log.uids, *log.links, *log.files)))


class Window:
    """Held batches, oldest first, bounded in seconds of the stream's own time and in bytes."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.until = math.inf
        """What came at this time or later stays beyond its seconds, while there is room."""
        self.bytes = 0
        self.records = 0
        self.dropped = 0
        """Records that went before their time, to make room."""
        self._held: deque[Held] = deque()
        self._starts: dict[str, deque[int]] = {}

    def __iter__(self) -> Iterator[Held]:
        """What is held, oldest first."""
        return iter(self._held)

    def hold(self, log: Log, batch: Batch, source: str, start: int, size: int, at: float) -> Held:
        """Hold a batch of about ``size`` bytes that came at ``at``, and let go of what is too old or too much."""
        columns: dict[str, Sequence[Any]] = {}
        keys: set[str] = set()
        lists = set()
        for name in key_fields(log):
            column = batch.column(name)
            columns[name] = column
            try:
                keys.update(column)
            except TypeError:
                lists.add(name)
                for value in column:
                    if value.__class__ is list:
                        keys.update(value)
                    else:
                        keys.add(value)
        keys.discard(None)
        cost = size + _OVERHEAD * len(batch)
        held = Held(log, batch.slim(), source, start, at, cost, columns, keys, frozenset(lists))
        self._held.append(held)
        self._starts.setdefault(source, deque()).append(start)
        self.bytes += cost
        self.records += len(batch)
        self.trim(at)
        return held

    def trim(self, now: float) -> None:
        """Let go of what came before ``now`` - ``seconds``, and of the oldest while there is too much."""
        while self._held:
            oldest = self._held[0]
            old = oldest.at < now - self.seconds
            # The newest stays, however large: its own records may yet be flagged in this very step.
            if not (old and oldest.at < self.until) and (
                self.bytes <= self.max_bytes or len(self._held) == 1
            ):
                return
            if not old:
                self.dropped += len(oldest.batch) - len(oldest.done)
            self._held.popleft()
            self.bytes -= oldest.size
            self.records -= len(oldest.batch)
            starts = self._starts[oldest.source]
            starts.popleft()
            if not starts:
                del self._starts[oldest.source]

    def low(self, source: str) -> int | None:
        """Where the oldest held records of a source begin; None where none are held."""
        starts = self._starts.get(source)
        return starts[0] if starts else None
