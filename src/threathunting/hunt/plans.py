"""Plans: how to find the rows of a log that may match, by whole columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from threathunting.hunt.columns import Columns
from threathunting.hunt.gates import Gates, News
from threathunting.hunt.hosts import hosts_of
from threathunting.hunt.known import Known
from threathunting.intel.types import IndicatorType
from threathunting.plugins import Log, Seen
from threathunting.records import Batch

Origin = TypeVar("Origin")


class Plan:
    """How to find a log's possible rows: direct fields by their types, hosts, and what is worked out a row."""

    def __init__(self, log: Log, follows: bool) -> None:
        """Plan for ``log``; ``follows`` where intel changes and ``follow`` is told of it."""
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
        self._direct = [(sorted(types), names, Known(types, follows)) for types, names in by_types.items()]
        by_host: dict[str, list[Seen]] = {}
        for seen in others:
            if seen.host is not None:
                by_host.setdefault(seen.host, []).append(seen)
        worked_out = [seen for seen in others if seen.values is not None and seen.host is None]
        known: dict[frozenset[IndicatorType], Known] = {}
        self._by_host = []
        for name, seens in by_host.items():
            types_ = frozenset(seen.type for seen in seens)
            hosts = known.setdefault(types_, Known(types_, follows))
            self._by_host.append(_HostPlan(name, seens, hosts, Known(types_, follows)))
        self._by_value = [(seen, Known([seen.type], follows)) for seen in worked_out if len(seen.fields) == 1]
        self._by_row = [seen for seen in worked_out if len(seen.fields) > 1]
        self._known = [known for _, _, known in self._direct] + [known for _, known in self._by_value]
        self._known_hosts = [*known.values(), *(plan.known_texts for plan in self._by_host)]

    def follow(self, news: News) -> None:
        """Forget what was known and isn't true any more."""
        for known in self._known:
            known.follow(news.types, news.values)
        for known in self._known_hosts:
            known.follow(news.types, news.hosts)

    def fields(self, gates: Gates) -> tuple[str, ...]:
        """The fields whose columns ``rows`` needs with what is armed."""
        armed = [seen for seen in self._seen if _may_match(seen, gates)]
        return tuple(dict.fromkeys(name for seen in armed for name in _columns_of(seen)))

    def rows(self, batch: Batch, gates: Gates) -> set[int]:
        """The rows that may match; all that do are among them."""
        columns = Columns(batch)
        rows: set[int] = set()
        for types, names, known in self._direct:
            armed = [type for type in types if gates.armed(type)]
            if armed:
                texts = (
                    columns.texts(names[0]) if len(names) == 1 else set().union(*map(columns.texts, names))
                )
                fresh = known.fresh(texts)
                possible = {text for type in armed for text in gates.possible(type, fresh)}
                known.note(fresh, possible, _forms(gates, types, fresh, possible))
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


def _by_absence(seen: Seen, batch: Batch, columns: Columns, gates: Gates) -> Iterable[int]:
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

    def __init__(self, name: str, seens: list[Seen], known_hosts: Known, known_texts: Known) -> None:
        self._name = name
        self._seens = seens
        self._types = {seen.type for seen in seens}
        self.known_texts = known_texts
        """Its forms are the names of the hosts."""
        # Fields that are asked for the same types share it: hosts come again as referrers.
        self._known_hosts = known_hosts

    def rows(self, batch: Batch, columns: Columns, gates: Gates) -> Iterable[int]:
        armed = [type for type in self._types if gates.armed(type)]
        if not armed:
            return ()
        fresh = list(self.known_texts.fresh(columns.with_host(self._name)))
        names = hosts_of(fresh)
        hosts = self._known_hosts.fresh(set(names))
        possible = {type: set(gates.possible_hosts(type, hosts)) for type in armed}
        held = set().union(*possible.values())
        self._known_hosts.note(hosts, held, set)
        if not held:
            self.known_texts.note(fresh, held, lambda: set(names))
            return ()
        held_texts = [(text, name) for text, name in zip(fresh, names, strict=True) if name in held]
        self.known_texts.note(fresh, {text for text, _ in held_texts}, lambda: set(names) - held)
        rows: set[int] = set()
        for seen in self._seens:
            texts = {text for text, name in held_texts if name in possible.get(seen.type, ())}
            if texts:
                rows.update(_matching(seen, columns.holding(self._name, texts), batch, gates))
        return rows


def _by_value(seen: Seen, known: Known, columns: Columns, gates: Gates) -> Iterable[int]:
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
    known.note(fresh, held, lambda: origins.keys() | gates.forms([seen.type], origins.keys()))
    rows = columns.holding(name, held) if held else []
    if lists:
        rows_of: dict[str, list[int]] = {}
        for row in lists:
            for text in seen.values(columns[name][row]):
                rows_of.setdefault(text, []).append(row)
        rows += _origins(seen, rows_of, gates)
    return rows


def _by_row(seen: Seen, columns: Columns, gates: Gates) -> Iterable[int]:
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


def _forms(
    gates: Gates, types: Collection[IndicatorType], fresh: Collection[str], possible: set[str]
) -> Callable[[], set[str]]:
    return lambda: gates.forms(types, set(fresh) - possible)
