"""The armed intel items on disk: what ``store.Store`` is in memory, for millions of indicators.

Changes gather in a small buffer, which reads see, and are written in batches. What isn't there is told by a filter in
memory; only what is there, or nearly, is read from the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf, nextafter
from pathlib import Path

from threathunting.intel.disk_contents import Contents
from threathunting.intel.disk_rows import DUE_BYTES, due_key, indicator_of
from threathunting.intel.disk_views import SubdomainRules, Values
from threathunting.intel.entries import (
    DEFAULT_JOURNAL,
    DEFAULT_LIMIT,
    Change,
    Entry,
    Hit,
    Journal,
    alive,
    items_of,
    packed,
    wants_subdomains,
)
from threathunting.intel.folds import Folds, lookup_folded
from threathunting.intel.subnets import Subnets
from threathunting.intel.types import Indicator, IndicatorType, Item

_SUBNET, _DOMAIN = IndicatorType.SUBNET, IndicatorType.DOMAIN


class DiskStore:
    """Armed intel in a file that is made anew; see ``IntelStore`` about threads.

    Memory is bounded, at about 150 MB and a few bytes an indicator; but subnets stay in memory.
    Values handed in must be canonical (``threathunting.intel.canonical``).

    Where the file can't be read or written, calls raise OSError. What was taken before is not lost by that: it
    waits in the buffer for the disk to have room again, and what finds no room in the buffer is not taken.
    """

    def __init__(self, path: Path, limit: int = DEFAULT_LIMIT, journal: int = DEFAULT_JOURNAL) -> None:
        """Make the file, in place of what was left there; nobody else may use it. Raises OSError.

        Take up to ``limit`` indicators, and remember the last ``journal`` changes once somebody follows.
        """
        self._contents = Contents(path)
        self._get = self._contents.get
        self._subnets = Subnets()
        self._folds = Folds()
        self._limit = limit
        self._journal = Journal(journal)
        self._counts: Counter[IndicatorType] = Counter()
        self._size = 0
        self._rules = 0
        self._views = {type: Values(self, type) for type in IndicatorType}
        self._rules_view = SubdomainRules(self)

    @property
    def version(self) -> int:
        """Grows with every change, so that what is derived from the store knows when it is stale."""
        return self._journal.version

    def __len__(self) -> int:
        """Number of indicators."""
        return self._size

    def count(self, type: IndicatorType) -> int:
        """Number of indicators of a type."""
        return self._counts[type]

    def counts(self) -> dict[str, int]:
        """Indicators per type, types with none left out."""
        return {type.value: count for type in IndicatorType if (count := self._counts[type])}

    def get(self, type: IndicatorType, value: str) -> Entry | None:
        """The items of an indicator; None where there are none. Under the lock."""
        return self._get(type, value)

    def values(self, type: IndicatorType) -> Mapping[str, Entry]:
        """The armed canonical values of a type. Read only; under the lock, but for going through it."""
        return self._views[type]

    def subdomain_rules(self) -> Mapping[str, None]:
        """The domains of which at least one source wants the subdomains too. In the same way."""
        return self._rules_view

    def is_rule(self, domain: str) -> bool:
        """Whether a domain is one of ``subdomain_rules``."""
        entry = self._get(IndicatorType.DOMAIN, domain)
        return entry is not None and wants_subdomains(entry)

    def rule_count(self) -> int:
        """Number of ``subdomain_rules``."""
        return self._rules

    def changes_since(self, version: int) -> Sequence[tuple[Indicator, Change]] | None:
        """What changed after ``version``, oldest first; see ``Journal.since``."""
        return self._journal.since(version)

    def items(self) -> Iterator[tuple[Indicator, Item]]:
        """Every indicator with each of its items, read from the disk as it goes."""
        for type in IndicatorType:
            for chunk in self.entries(type):
                for value, entry in chunk:
                    for item in items_of(entry):
                        yield Indicator(type, value), item

    def entries(self, type: IndicatorType) -> Iterator[list[tuple[str, Entry]]]:
        """The armed values of a type with their items, in chunks. In any thread, without the lock."""
        return self._contents.entries(type)

    def raw_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The armed values of a type as they are, each once, in chunks. In any thread, without the lock."""
        return self._contents.values(type, frozenset(), fold=False)

    def raw_rules(self) -> Iterator[list[str]]:
        """The ``subdomain_rules``, in the same way."""
        return self._contents.rules(frozenset(), fold=False)

    def folded_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The distinct armed values of a type as Zeek compares them, in chunks. In any thread, without the lock."""
        # Those that have several forms come first, and then not again.
        folds = frozenset(folded for folded, _ in self._folds.all(type))
        if folds:
            yield list(folds)
        yield from self._contents.values(type, folds, fold=True)

    def subdomain_rule_values(self) -> Iterator[list[str]]:
        """The distinct domains of ``subdomain_rules``, in the same way."""
        every = self._folds.all(IndicatorType.DOMAIN)
        folds = frozenset(
            folded for folded, values in every if any(self.is_rule(value) for value in (folded, *values))
        )
        if folds:
            yield list(folds)
        yield from self._contents.rules(folds, fold=True)

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Arm an item; one of the same source is replaced. False where it stood there already.

        Raises OverflowError when the store is full, and OSError when the disk is.
        """
        entry = self._get(*indicator)
        if entry is None:
            if self._size >= self._limit:
                raise OverflowError(f"the store is full ({self._limit} indicators)")
            self._contents.make_room()
            self._put(indicator, None, item)
            return True
        old = items_of(entry)
        if item in old:
            return False
        self._contents.make_room()
        self._put(indicator, entry, packed((*(other for other in old if other.source != item.source), item)))
        return True

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        """Disarm one source's item, or with no source all of them. False where there was none."""
        entry = self._get(*indicator)
        if entry is None:
            return False
        items = items_of(entry)
        left = () if source is None else tuple(item for item in items if item.source != source)
        if len(left) == len(items):
            return False
        self._contents.make_room(2)
        self._put(indicator, entry, packed(left) if left else None)
        return True

    def expire(self, now: float, limit: int | None = None) -> list[tuple[Indicator, Item]]:
        """Drop what has expired at ``now`` (seconds since the epoch) and return it.

        With ``limit``, so many items or a few more: where that many came, there may be others.
        """
        contents = self._contents
        contents.make_room(2)
        contents.write_due(now)
        dropped: list[tuple[Indicator, Item]] = []
        before = due_key(nextafter(max(now, 0.0), inf), b"")
        after = b""
        while rows := contents.due(after, before):
            for due in rows:
                indicator = indicator_of(due[DUE_BYTES:])
                entry = self._get(*indicator)
                items = () if entry is None else items_of(entry)
                left = tuple(item for item in items if item.alive(now))
                if entry is not None and len(left) < len(items):
                    dropped += [(indicator, item) for item in items if not item.alive(now)]
                    self._put(indicator, entry, packed(left) if left else None)
            after = rows[-1]
            if limit is not None and len(dropped) >= limit:
                break
            try:
                contents.make_room(2)
            except OSError:
                # What is dropped must be told; the next call fails.
                if dropped:
                    return dropped
                raise
        return dropped

    def lookup(self, type: IndicatorType, value: str, at: float) -> list[Hit]:
        """What an observable matches at ``at``: exact, then subnets or parent domains, nearest first."""
        get = self._get
        hits = []
        entry = get(type, value)
        if entry is not None and (items := alive(entry, at)):
            hits.append(Hit(Indicator(type, value), items))
        if type is IndicatorType.ADDR and self._counts[IndicatorType.SUBNET]:
            for prefix in self._subnets.covering(value):
                entry = get(IndicatorType.SUBNET, prefix)
                if entry is not None and (items := alive(entry, at)):
                    hits.append(Hit(Indicator(IndicatorType.SUBNET, prefix), items))
        elif type is _DOMAIN and self._rules:
            parent = value
            while (dot := parent.find(".")) >= 0:
                parent = parent[dot + 1 :]
                entry = get(type, parent)
                items = () if entry is None else tuple(item for item in alive(entry, at) if item.subdomains)
                if items:
                    hits.append(Hit(Indicator(type, parent), items))
        return hits

    def lookup_folded(self, type: IndicatorType, text: str, at: float) -> list[Hit]:
        """What a text matches at ``at`` as Zeek compares; see ``IntelStore``."""
        asked = Indicator(type, text)
        return list(lookup_folded(self._get, self._folds, self._subnets, bool(self._rules), asked, at))

    def tidy(self, *, again: bool = False) -> bool:
        """See ``IntelStore``."""
        return self._contents.tidy(self._size, again=again)

    def rest(self) -> None:
        """Write what waits, and free memory: it isn't asked for a while. Raises OSError."""
        self._contents.rest()

    def close(self) -> None:
        """Delete the file. Raises OSError."""
        self._contents.close()

    def _put(self, indicator: Indicator, old: Entry | None, new: Entry | None) -> None:
        """Make ``new`` of what an indicator has; None is nothing. There is room for it."""
        type, value = indicator
        change = Change.CHANGED if new is not None else Change.REMOVED
        if old is None:
            change = Change.ARMED
            self._counted(type, 1)
            self._folds.add(type, value)
            if type is _SUBNET:
                self._subnets.add(value)
        elif new is None:
            self._counted(type, -1)
            self._folds.remove(type, value)
            if type is _SUBNET:
                self._subnets.remove(value)
        self._contents.put(indicator, old, new)
        if type is _DOMAIN:
            was = old is not None and wants_subdomains(old)
            becomes = new is not None and wants_subdomains(new)
            if was != becomes:
                self._rules += becomes - was
                self._contents.put_rule(value, becomes)
                if becomes:
                    change = Change.ARMED
        self._journal.note(indicator, change)

    def _counted(self, type: IndicatorType, more: int) -> None:
        self._counts[type] += more
        self._size += more
