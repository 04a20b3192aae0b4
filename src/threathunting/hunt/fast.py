"""The fast matcher: gates over whole columns choose the few rows that are then looked at exactly.

Most traffic matches nothing. So a batch's columns are reduced to their distinct texts, gates throw out those
that can't match, and only rows that hold what is left become records. Its results equal the naive matcher's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from threathunting.hunt.gates import Gates
from threathunting.hunt.matching import Match, exact
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType
from threathunting.plugins import Log, Registry, Seen, strings
from threathunting.records import Batch, Record


class FastMatcher:
    """Matches batches against a store with the plugins of a registry."""

    def __init__(self, store: Store, registry: Registry) -> None:
        """Build the gates and one plan a log."""
        self._store = store
        self._registry = registry
        self._gates = Gates(store)
        self._plans: dict[str, _Plan] = {}

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Per log the fields that the plan of a log needs; none of logs that no plugin looks at."""
        fields = {name: self._plan(name).fields for name in self._registry.logs if self._registry.enabled(name)}
        return fields | {"*": ()}

    def matches(self, batch: Batch) -> Iterator[tuple[int, Record, list[Match]]]:
        """See ``matching.Matcher``."""
        if not self._registry.enabled(batch.log):
            return
        self._gates.refresh()
        rows = self._plan(batch.log).rows(batch, self._gates)
        if rows:
            yield from exact(batch, sorted(rows), self._registry.log(batch.log), self._store)

    def _plan(self, name: str) -> _Plan:
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = _Plan(self._registry.log(name))
        return plan


class _Plan:
    """How to find a log's possible rows: direct fields by their types, and what has to be worked out a row."""

    def __init__(self, log: Log) -> None:
        types_of: dict[str, list[IndicatorType]] = {}
        for seen in log.seen:
            if seen.values is None:
                types_of.setdefault(seen.fields[0], []).append(seen.type)
        # Fields of the same types share one set of distinct texts: both ends of a connection, for one.
        by_types: dict[frozenset[IndicatorType], list[str]] = {}
        for name, types in types_of.items():
            by_types.setdefault(frozenset(types), []).append(name)
        self._direct = [(sorted(types), names) for types, names in by_types.items()]
        self._worked_out = [seen for seen in log.seen if seen.values is not None]
        self.fields = tuple(
            dict.fromkeys(name for seen in log.seen for name in ((seen.host,) if seen.host is not None else seen.fields))
        )

    def rows(self, batch: Batch, gates: Gates) -> set[int]:
        """The rows that may match; all that do are among them."""
        columns = _Columns(batch)
        rows: set[int] = set()
        for types, names in self._direct:
            armed = [type for type in types if gates.armed(type)]
            if not armed:
                continue
            texts = columns.texts(names[0]) if len(names) == 1 else set().union(*map(columns.texts, names))
            possible = {text for type in armed for text in gates.possible(type, texts)}
            if possible:
                for name in names:
                    if not possible.isdisjoint(columns.texts(name)):
                        rows.update(_holding(columns[name], possible))
        for seen in self._worked_out:
            if gates.armed(seen.type):
                rows.update(self._work_out(seen, batch, columns, gates))
        return rows

    def _work_out(self, seen: Seen, batch: Batch, columns: _Columns, gates: Gates) -> Collection[int]:
        assert seen.values is not None
        if seen.host is not None:
            hosts = set(gates.url_hosts(columns.texts(seen.host)))
            if not hosts:
                return ()
            # Few enough to look at whole: these Seens may read fields that columns don't hold.
            made = [(row, seen.texts(batch.record(row))) for row in _holding(columns[seen.host], hosts)]
        elif len(seen.fields) == 1:
            return self._by_value(seen, columns, gates)
        else:
            made = list(enumerate(map(seen.values, *[columns[name] for name in seen.fields])))
        rows_of: dict[str, list[int]] = {}
        for row, found in made:
            for text in found:
                rows_of.setdefault(text, []).append(row)
        return {row for text in gates.possible(seen.type, rows_of.keys()) for row in rows_of[text]}

    def _by_value(self, seen: Seen, columns: _Columns, gates: Gates) -> Collection[int]:
        """Of a single field each distinct string is worked out once, and lists only where there are any."""
        assert seen.values is not None
        name = seen.fields[0]
        if not columns.texts(name):
            return ()
        lists = columns.lists(name)
        origins: dict[str, list[str | int]] = {}
        for value in columns.texts(name) if not lists else {v for v in columns[name] if isinstance(v, str)}:
            for text in seen.values(value):
                origins.setdefault(text, []).append(value)
        for row in lists:
            for text in seen.values(columns[name][row]):
                origins.setdefault(text, []).append(row)
        held = {origin for text in gates.possible(seen.type, origins.keys()) for origin in origins[text]}
        rows = {origin for origin in held if isinstance(origin, int)}
        strings_held = {origin for origin in held if isinstance(origin, str)}
        if strings_held:
            rows.update(_holding(columns[name], strings_held))
        return rows


class _Columns:
    """A batch's columns, and what is derived from them, each made once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._columns: dict[str, Sequence[Any]] = {}
        self._texts: dict[str, set[str]] = {}
        self._lists: dict[str, list[int]] = {}

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name not in self._columns:
            self._columns[name] = self._batch.column(name)
        return self._columns[name]

    def texts(self, name: str) -> set[str]:
        """The distinct strings of a column, those in lists included."""
        if name not in self._texts:
            self._texts[name] = _distinct(self[name])
        return self._texts[name]

    def lists(self, name: str) -> list[int]:
        """The rows whose value is a list."""
        if name not in self._lists:
            self._lists[name] = [row for row, value in enumerate(self[name]) if value.__class__ is list]
        return self._lists[name]


def _distinct(column: Sequence[Any]) -> set[str]:
    try:
        found: set[Any] = set(column)
        found.discard(None)
    except TypeError:
        found = set()
        for value in column:
            if value is not None:
                found.update(strings(value))
    return found


def _holding(column: Sequence[Any], texts: Collection[str]) -> list[int]:
    """The rows whose value is, or holds, one of ``texts``."""
    try:
        return [row for row, value in enumerate(column) if value in texts]
    except TypeError:
        return [
            row
            for row, value in enumerate(column)
            if (value in texts if isinstance(value, str) else value is not None and any(v in texts for v in value))
        ]
