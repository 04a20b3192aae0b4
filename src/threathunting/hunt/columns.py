"""A batch's columns, and finding the rows that hold certain texts, which nearly always are none or few."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence, Set
from itertools import chain
from typing import Any

from threathunting.plugins import strings
from threathunting.records import Batch, Record

_FEW = 8


def held_in(values: Iterable[Any], texts: Container[str]) -> set[str] | None:
    """Which of ``texts`` are among the values; None where values are lists, and so can't be told this way."""
    try:
        return set(filter(texts.__contains__, values))
    except TypeError:
        return None


def rows_holding(column: Sequence[Any], texts: Container[str]) -> list[int]:
    """The rows whose value is, or as a list holds, one of ``texts``, in order."""
    held = held_in(column, texts)
    if held is None:
        return [
            row
            for row, value in enumerate(column)
            if (any(text in texts for text in value) if value.__class__ is list else value in texts)
        ]
    if not held:
        return []
    if len(held) > _FEW:
        return [row for row, value in enumerate(column) if value in held]
    rows: list[int] = []
    for text in held:
        row = -1
        try:
            while True:
                row = column.index(text, row + 1)
                rows.append(row)
        except ValueError:
            continue
    return sorted(rows)


class Columns:
    """A batch's columns, and what is derived from them, each made once."""

    def __init__(self, batch: Batch) -> None:
        """Nothing is made of ``batch`` until it is asked for."""
        self._batch = batch
        self._records: list[Record] | None = None
        self._columns: dict[str, Sequence[Any]] = {}
        self._texts: dict[str, set[str]] = {}
        self._lists: dict[str, list[int]] = {}

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name not in self._columns:
            try:
                self._columns[name] = self._batch.column(name)
            except LookupError:
                self._columns[name] = self._late(name)
        return self._columns[name]

    def _late(self, name: str) -> list[Any]:
        """A column that wasn't wanted yet when the batch was read: of its whole records."""
        if self._records is None:
            self._records = [self._batch.record(row) for row in range(len(self._batch))]
        values = [record.get(name) for record in self._records]
        return [
            value if isinstance(value, str) else list(strings(value)) if isinstance(value, list) else None
            for value in values
        ]

    def _values(self, name: str) -> Iterable[Any]:
        if name not in self._columns:
            try:
                return self._batch.values(name)
            except LookupError:
                pass
        return self[name]

    def texts(self, name: str) -> set[str]:
        """The distinct strings of a column, those in lists included."""
        if name not in self._texts:
            texts: set[Any]
            try:
                texts = set(self._values(name))
            except TypeError:
                column = self[name]
                lists = [value for value in column if value.__class__ is list]
                texts = set(chain.from_iterable(lists))
                texts.update([value for value in column if value.__class__ is str])
            texts.discard(None)
            self._texts[name] = texts
        return self._texts[name]

    def with_host(self, name: str) -> set[str]:
        """The distinct strings of a column that may hold a host; of a column of paths those that aren't paths."""
        first = next(iter(self._values(name)), None)
        if name not in self._texts and first.__class__ is str and first[:1] == "/":
            # Nearly all are paths, and nearly all distinct: it doesn't pay to make a set of them first.
            try:
                return {text for text in self._values(name) if text is not None and text[:1] != "/"}
            except TypeError:
                pass
        return self.texts(name)

    def lists(self, name: str) -> list[int]:
        """The rows whose value is a list."""
        if name not in self._lists:
            self._lists[name] = [row for row, value in enumerate(self[name]) if value.__class__ is list]
        return self._lists[name]

    def holding(self, name: str, texts: Set[str]) -> list[int]:
        """The rows whose value is, or holds, one of ``texts``."""
        return rows_holding(self[name], texts)
