"""The fast matcher: gates over whole columns choose the few rows that are then looked at exactly.

Most traffic matches nothing, and most of its values came before. So a batch's columns are reduced to distinct
texts, what is known to match nothing is taken off, gates throw out nearly all of the rest, and only rows that
hold what is left become records. The results equal the naive matcher's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from itertools import chain
from typing import Any, TypeVar

from threathunting.hunt.columns import rows_holding
from threathunting.hunt.gates import Gates
from threathunting.hunt.hosts import hosts_of
from threathunting.hunt.matching import Match, exact
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType
from threathunting.plugins import Log, Registry, Seen
from threathunting.records import Batch, Record

Origin = TypeVar("Origin")


class FastMatcher:
    """Matches batches against a store with the plugins of a registry."""

    def __init__(self, store: Store, registry: Registry) -> None:
        """Build the gates and one plan a log."""
        self._store = store
        self._registry = registry
        self._gates = Gates(store)
        self._version = store.version
        self._plans: dict[str, _Plan] = {}

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Per log the fields in which something armed may be seen, as of now."""
        self._follow()
        names = [name for name in self._registry.logs if self._registry.enabled(name)]
        return {name: self._plan(name).fields(self._gates) for name in names} | {"*": ()}

    def matches(self, batch: Batch) -> Iterator[tuple[int, Record, list[Match]]]:
        """See ``matching.Matcher``."""
        if not self._registry.enabled(batch.log):
            return
        self._follow()
        rows = self._plan(batch.log).rows(batch, self._gates)
        if rows:
            yield from exact(batch, sorted(rows), self._registry.log(batch.log), self._store)

    def _follow(self) -> None:
        """Forget what was derived from the intel as it was before."""
        if self._version != self._store.version:
            self._version = self._store.version
            self._gates.refresh()
            self._plans.clear()

    def _plan(self, name: str) -> _Plan:
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = _Plan(self._registry.log(name))
        return plan


class _Plan:
    """How to find a log's possible rows: direct fields by their types, hosts, and what is worked out a row."""

    def __init__(self, log: Log) -> None:
        self._seen = log.seen
        self._by_absence = [seen for seen in log.seen if seen.unless is not None]
        others = [seen for seen in log.seen if seen.unless is None]
        types_of: dict[str, list[IndicatorType]] = {}
        for seen in others:
            if seen.values is None and seen.host is None:
                types_of.setdefault(seen.fields[0], []).append(seen.type)
        # Fields of the same types share one set of distinct texts: both ends of a connection, for one.
        by_types: dict[frozenset[IndicatorType], list[str]] = {}
        for name, types in types_of.items():
            by_types.setdefault(frozenset(types), []).append(name)
        self._direct = [(sorted(types), names, _Known()) for types, names in by_types.items()]
        by_host: dict[str, list[Seen]] = {}
        for seen in others:
            if seen.host is not None:
                by_host.setdefault(seen.host, []).append(seen)
        worked_out = [seen for seen in others if seen.values is not None and seen.host is None]
        known: dict[frozenset[IndicatorType], _Known] = {}
        self._by_host = [
            _HostPlan(name, seens, known.setdefault(frozenset(seen.type for seen in seens), _Known()))
            for name, seens in by_host.items()
        ]
        self._by_value = [(seen, _Known()) for seen in worked_out if len(seen.fields) == 1]
        self._by_row = [seen for seen in worked_out if len(seen.fields) > 1]

    def fields(self, gates: Gates) -> tuple[str, ...]:
        """The fields whose columns ``rows`` needs with what is armed."""
        armed = [seen for seen in self._seen if _may_match(seen, gates)]
        return tuple(dict.fromkeys(name for seen in armed for name in _columns_of(seen)))

    def rows(self, batch: Batch, gates: Gates) -> set[int]:
        """The rows that may match; all that do are among them."""
        columns = _Columns(batch)
        rows: set[int] = set()
        for types, names, known in self._direct:
            armed = [type for type in types if gates.armed(type)]
            if armed:
                texts = (
                    columns.texts(names[0]) if len(names) == 1 else set().union(*map(columns.texts, names))
                )
                fresh = known.fresh(texts)
                possible = {text for type in armed for text in gates.possible(type, fresh)}
                known.note(fresh, possible)
                if possible:
                    for name in names:
                        if not possible.isdisjoint(columns.texts(name)):
                            rows.update(columns.holding(name, possible))
        for seen in self._by_absence:
            if _may_match(seen, gates):
                rows.update(_by_absence(seen, batch, columns, gates))
        for plan in self._by_host:
            rows.update(plan.rows(batch, columns, gates))
        for seen, known in self._by_value:
            if _may_match(seen, gates):
                rows.update(_by_value(seen, known, columns, gates))
        for seen in self._by_row:
            if _may_match(seen, gates) and any(columns.texts(name) for name in seen.fields):
                rows.update(_by_row(seen, columns, gates))
        return rows


def _columns_of(seen: Seen) -> tuple[str, ...]:
    """The columns by which a Seen's rows are found."""
    if seen.unless is not None:
        return (seen.unless,)
    return seen.fields if seen.host is None else (seen.host,)


def _by_absence(seen: Seen, batch: Batch, columns: _Columns, gates: Gates) -> Iterable[int]:
    assert seen.unless is not None
    column = columns[seen.unless]
    if None not in column:
        return ()
    return _matching(seen, (row for row, value in enumerate(column) if value is None), batch, gates)


def _matching(seen: Seen, rows: Iterable[int], batch: Batch, gates: Gates) -> Iterable[int]:
    """Of a few rows those that may match, by their whole records: a Seen may read fields that columns don't hold."""
    origins: dict[str, list[int]] = {}
    for row in rows:
        for text in seen.texts(batch.record(row)):
            origins.setdefault(text, []).append(row)
    return _origins(seen, origins, gates)


def _may_match(seen: Seen, gates: Gates) -> bool:
    return gates.armed(seen.type) and (not seen.paths or gates.armed_paths())


class _HostPlan:
    """How to find the rows whose host (in one field, alone or in a URL) some Seens may match."""

    def __init__(self, name: str, seens: list[Seen], known_hosts: _Known) -> None:
        self._name = name
        self._seens = seens
        self._types = {seen.type for seen in seens}
        self._known_texts = _Known()
        # Fields that are asked for the same types share it: hosts come again as referrers.
        self._known_hosts = known_hosts

    def rows(self, batch: Batch, columns: _Columns, gates: Gates) -> Iterable[int]:
        armed = [type for type in self._types if gates.armed(type)]
        if not armed:
            return ()
        fresh = list(self._known_texts.fresh(columns.with_host(self._name)))
        names = hosts_of(fresh)
        hosts = self._known_hosts.fresh(set(names))
        possible = {type: set(gates.possible_hosts(type, hosts)) for type in armed}
        held = set().union(*possible.values())
        self._known_hosts.note(hosts, held)
        if not held:
            self._known_texts.note(fresh, held)
            return ()
        held_texts = [(text, name) for text, name in zip(fresh, names, strict=True) if name in held]
        self._known_texts.note(fresh, {text for text, _ in held_texts})
        rows: set[int] = set()
        for seen in self._seens:
            texts = {text for text, name in held_texts if name in possible.get(seen.type, ())}
            if texts:
                rows.update(_matching(seen, columns.holding(self._name, texts), batch, gates))
        return rows


def _by_value(seen: Seen, known: _Known, columns: _Columns, gates: Gates) -> Iterable[int]:
    """Of a single field each distinct string is worked out once, and lists only where there are any."""
    assert seen.values is not None
    name = seen.fields[0]
    texts = columns.texts(name)
    if not texts:
        return ()
    lists = columns.lists(name)
    if lists:
        texts = {value for value in columns[name] if isinstance(value, str)}
    fresh = known.fresh(texts)
    origins: dict[str, list[str]] = {}
    for value in fresh:
        for text in seen.values(value):
            origins.setdefault(text, []).append(value)
    held = set(_origins(seen, origins, gates))
    known.note(fresh, held)
    rows = columns.holding(name, held) if held else []
    if lists:
        rows_of: dict[str, list[int]] = {}
        for row in lists:
            for text in seen.values(columns[name][row]):
                rows_of.setdefault(text, []).append(row)
        rows += _origins(seen, rows_of, gates)
    return rows


def _by_row(seen: Seen, columns: _Columns, gates: Gates) -> Iterable[int]:
    assert seen.values is not None
    origins: dict[str, list[int]] = {}
    for row, values in enumerate(zip(*[columns[name] for name in seen.fields], strict=True)):
        for text in seen.values(*values):
            origins.setdefault(text, []).append(row)
    return _origins(seen, origins, gates)


def _origins(seen: Seen, origins: dict[str, list[Origin]], gates: Gates) -> list[Origin]:
    """Where the texts that may match came from."""
    if not origins:
        return []
    return [origin for text in gates.possible(seen.type, origins.keys()) for origin in origins[text]]


class _Known:
    """Texts that are known to match nothing, bounded. Gives up where traffic doesn't repeat itself."""

    SIZE = 100_000
    TRIAL = 50_000

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._asked = 0
        self._found = 0
        self._useful = True

    def fresh(self, texts: Set[str]) -> Collection[str]:
        """The texts that aren't known."""
        if not self._useful:
            return texts
        fresh = texts - self._texts
        self._asked += len(texts)
        self._found += len(texts) - len(fresh)
        return fresh

    def note(self, fresh: Collection[str], possible: Set[Any]) -> None:
        """Of the ``fresh`` texts all but the ``possible`` match nothing."""
        if not self._useful:
            return
        if len(self._texts) >= self.SIZE:
            self._texts.clear()
        self._texts.update(fresh)
        self._texts -= possible
        if self._asked > self.TRIAL:
            self._useful = self._found * 5 > self._asked
            self._asked = self._found = 0
            if not self._useful:
                self._texts.clear()


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
            texts: set[Any]
            try:
                texts = set(self._columns[name] if name in self._columns else self._batch.values(name))
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
        first = next(iter(self._batch.values(name)), None)
        if name not in self._texts and first.__class__ is str and first[:1] == "/":
            # Nearly all are paths, and nearly all distinct: it doesn't pay to make a set of them first.
            try:
                return {text for text in self._batch.values(name) if text is not None and text[:1] != "/"}
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
