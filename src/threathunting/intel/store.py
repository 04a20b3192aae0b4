"""The armed intel items: several sources per indicator, expiry, removal, and the three kinds of look-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from threathunting.intel.entries import (
    CHUNK,
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

__all__ = ["DEFAULT_JOURNAL", "DEFAULT_LIMIT", "Change", "Entry", "Hit", "Store"]

_BUCKET_SECONDS = 10
"""Items that expire within the same ten seconds share a bucket, so that expiry never scans the store."""

_INTERNED = 10_000
"""Items kept to find equal ones by. Feeds have few different ones, or as many as indicators; then none is shared."""


class Store:
    """Armed intel in memory, looked up by type and canonical value; see ``IntelStore`` about threads.

    One item is kept per indicator and source; equal items of different indicators are one object.
    Values handed in must be canonical (``threathunting.intel.canonical``).
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, journal: int = DEFAULT_JOURNAL) -> None:
        """Take up to ``limit`` indicators, and remember the last ``journal`` changes once somebody follows."""
        self._entries: dict[IndicatorType, dict[str, Entry]] = {type: {} for type in IndicatorType}
        self._subdomain_rules: dict[str, None] = {}
        self._subnets = Subnets()
        self._folds = Folds()
        self._interned: dict[Item, Item] = {}
        self._buckets: dict[int, dict[IndicatorType, list[str]]] = {}
        self._limit = limit
        self._journal = Journal(journal)
        self._size = 0

    @property
    def version(self) -> int:
        """Grows with every change, so that what is derived from the store knows when it is stale."""
        return self._journal.version

    def __len__(self) -> int:
        """Number of indicators."""
        return self._size

    def counts(self) -> dict[str, int]:
        """Indicators per type, types with none left out."""
        return {type.value: len(entries) for type, entries in self._entries.items() if entries}

    def values(self, type: IndicatorType) -> Mapping[str, Entry]:
        """The armed canonical values of a type. Read only."""
        return self._entries[type]

    def subdomain_rules(self) -> Mapping[str, None]:
        """The domains of which at least one source wants the subdomains too. Read only."""
        return self._subdomain_rules

    def changes_since(self, version: int) -> Sequence[tuple[Indicator, Change]] | None:
        """What changed after ``version``, oldest first; None where it isn't known any more: read all anew then.

        An entry for each step of ``version``, so an indicator may come more than once. What changed before the
        first call isn't known: until then nobody followed, and loading is spared the journal.
        """
        return self._journal.since(version)

    def items(self) -> Iterator[tuple[Indicator, Item]]:
        """Every indicator with each of its items."""
        for type, entries in self._entries.items():
            for value, entry in entries.items():
                for item in items_of(entry):
                    yield Indicator(type, value), item

    def entries(self, type: IndicatorType) -> Iterator[list[tuple[str, Entry]]]:
        """The armed values of a type with their items, in chunks. In any thread, without the lock."""
        entries = self._entries[type]
        for chunk in _chunks(entries):
            yield [(value, entry) for value in chunk if (entry := entries.get(value)) is not None]

    def folded_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The armed values of a type as Zeek compares them, in chunks. In any thread, without the lock."""
        return self._folded(type, self._entries[type])

    def subdomain_rule_values(self) -> Iterator[list[str]]:
        """The domains of ``subdomain_rules``, in the same way."""
        return self._folded(IndicatorType.DOMAIN, self._subdomain_rules)

    def _folded(self, type: IndicatorType, values: Mapping[str, object]) -> Iterator[list[str]]:
        skipped: set[str] = set()
        if others := self._folds.all(type):
            skipped.update(value for _, variants in others for value in variants)
            folds = [folded for folded, variants in others if any(value in values for value in variants)]
            yield folds
            skipped.update(folds)
        for chunk in _chunks(values):
            yield [value for value in chunk if value not in skipped] if skipped else chunk

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Arm an item; one of the same source is replaced. False where it stood there already.

        Raises OverflowError when the store is full.
        """
        type, value = indicator
        entries = self._entries[type]
        item = self._interned.setdefault(item, item)
        entry = entries.get(value)
        if entry is None:
            if self._size >= self._limit:
                raise OverflowError(f"the store is full ({self._limit} indicators)")
            entries[value] = item
            self._size += 1
            if type is IndicatorType.SUBNET:
                self._subnets.add(value)
            self._folds.add(type, value)
        else:
            old = items_of(entry)
            if item in old:
                return False
            new = (*(other for other in old if other.source != item.source), item)
            entries[value] = packed(new)
        if item.expires is not None:
            self._buckets.setdefault(_bucket(item.expires), {}).setdefault(type, []).append(value)
        self._changed(indicator, Change.ARMED if entry is None else Change.CHANGED)
        return True

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        """Disarm one source's item, or with no source all of them. False where there was none."""
        entry = self._entries[indicator.type].get(indicator.value)
        if entry is None:
            return False
        left = () if source is None else tuple(item for item in items_of(entry) if item.source != source)
        return self._keep(indicator, entry, left)

    def expire(self, now: float, limit: int | None = None) -> list[tuple[Indicator, Item]]:
        """Drop what has expired at ``now`` (seconds since the epoch) and return it.

        With ``limit``, no more buckets are begun once there are so many items.
        """
        dropped: list[tuple[Indicator, Item]] = []
        last = _bucket(now)
        for bucket in sorted(key for key in self._buckets if key <= last):
            if limit is not None and len(dropped) >= limit:
                break
            again: dict[IndicatorType, list[str]] = {}
            listed = self._buckets.pop(bucket)
            for type, value in ((type, value) for type, values in listed.items() for value in values):
                entry = self._entries[type].get(value)
                if entry is None:
                    continue
                indicator = Indicator(type, value)
                items = items_of(entry)
                left = tuple(item for item in items if item.alive(now))
                if len(left) < len(items):
                    dropped += [(indicator, item) for item in items if not item.alive(now)]
                    self._keep(indicator, entry, left)
                if any(item.expires is not None and _bucket(item.expires) == bucket for item in left):
                    again.setdefault(type, []).append(value)
            if again:
                self._buckets[bucket] = again
        return dropped

    def lookup(self, type: IndicatorType, value: str, at: float) -> list[Hit]:
        """What an observable matches at ``at``: exact, then subnets or parent domains, nearest first."""
        hits = []
        entry = self._entries[type].get(value)
        if entry is not None and (items := alive(entry, at)):
            hits.append(Hit(Indicator(type, value), items))
        if type is IndicatorType.ADDR and self._entries[IndicatorType.SUBNET]:
            for prefix in self._subnets.covering(value):
                items = alive(self._entries[IndicatorType.SUBNET][prefix], at)
                if items:
                    hits.append(Hit(Indicator(IndicatorType.SUBNET, prefix), items))
        elif type is IndicatorType.DOMAIN and self._subdomain_rules:
            parent = value
            while (dot := parent.find(".")) >= 0:
                parent = parent[dot + 1 :]
                if parent in self._subdomain_rules:
                    entry = self._entries[IndicatorType.DOMAIN][parent]
                    items = tuple(item for item in alive(entry, at) if item.subdomains)
                    if items:
                        hits.append(Hit(Indicator(type, parent), items))
        return hits

    def lookup_folded(self, type: IndicatorType, text: str, at: float) -> list[Hit]:
        """What a text matches at ``at`` as Zeek compares; see ``IntelStore``."""
        asked = Indicator(type, text)
        return list(
            lookup_folded(self._get, self._folds, self._subnets, bool(self._subdomain_rules), asked, at)
        )

    def tidy(self, *, again: bool = False) -> bool:
        """See ``IntelStore``; here there is nothing to do."""
        return False

    def rest(self) -> None:
        """There is nothing to let go of."""

    def close(self) -> None:
        """Nothing is held outside the process's memory."""

    def _get(self, type: IndicatorType, value: str) -> Entry | None:
        return self._entries[type].get(value)

    def _keep(self, indicator: Indicator, entry: Entry, left: tuple[Item, ...]) -> bool:
        if len(left) == len(items_of(entry)):
            return False
        entries = self._entries[indicator.type]
        if left:
            entries[indicator.value] = packed(left)
        else:
            del entries[indicator.value]
            self._size -= 1
            if indicator.type is IndicatorType.SUBNET:
                self._subnets.remove(indicator.value)
            self._folds.remove(*indicator)
        self._changed(indicator, Change.CHANGED if left else Change.REMOVED)
        return True

    def _changed(self, indicator: Indicator, change: Change) -> None:
        if len(self._interned) > _INTERNED:
            self._interned.clear()
        if indicator.type is IndicatorType.DOMAIN:
            entry = self._entries[IndicatorType.DOMAIN].get(indicator.value)
            if entry is not None and wants_subdomains(entry):
                if indicator.value not in self._subdomain_rules:
                    change = Change.ARMED
                self._subdomain_rules[indicator.value] = None
            else:
                self._subdomain_rules.pop(indicator.value, None)
        self._journal.note(indicator, change)


def _bucket(at: float) -> int:
    return int(at // _BUCKET_SECONDS)


def _chunks(values: Mapping[str, object]) -> Iterator[list[str]]:
    # A list of a dictionary's keys is made in one step, whatever other threads do.
    every = list(values)
    for begin in range(0, len(every), CHUNK):
        yield every[begin : begin + CHUNK]
