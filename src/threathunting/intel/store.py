"""The armed intel items: several sources per indicator, expiry, removal, and the three kinds of look-up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

import radix

from threathunting.intel.canonical import lower
from threathunting.intel.types import Indicator, IndicatorType, Item

_BUCKET_SECONDS = 10
"""Items that expire within the same ten seconds share a bucket, so that expiry never scans the store."""

_INTERNED = 10_000
"""Items kept to find equal ones by. Feeds have few different ones, or as many as indicators; then none is shared."""

DEFAULT_LIMIT = 20_000_000
"""Indicators that a store takes, at about 200 bytes each; what is beyond is refused and said."""

FOLDED_CHUNK = 50_000
"""Values handed out at once by those who go through all of them."""

DEFAULT_JOURNAL = 100_000
"""Changes that a store remembers for those who follow it."""

Entry = Item | tuple[Item, ...]


class Change(IntEnum):
    """What became of an indicator; false only where it is gone."""

    REMOVED = 0
    CHANGED = 1
    """Its items are others, and it matches what it matched, or less."""
    ARMED = 2
    """It matches what it didn't match: it is new, or now matches subdomains too."""


class Hit(NamedTuple):
    """An armed indicator that a value matches, with its living items, sorted by source."""

    indicator: Indicator
    items: tuple[Item, ...]


class Store:
    """Armed intel, looked up by type and canonical value.

    One item is kept per indicator and source; equal items of different indicators are one object.
    Values handed in must be canonical (``threathunting.intel.canonical``).
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, journal: int = DEFAULT_JOURNAL) -> None:
        """Take up to ``limit`` indicators, and remember the last ``journal`` changes once somebody follows."""
        self._entries: dict[IndicatorType, dict[str, Entry]] = {type: {} for type in IndicatorType}
        self._subdomain_rules: dict[str, None] = {}
        self._subnets = radix.Radix()  # type: ignore[no-untyped-call]
        self._interned: dict[Item, Item] = {}
        self._buckets: dict[int, dict[IndicatorType, list[str]]] = {}
        self._limit = limit
        self._journal_limit = journal
        self._journal: deque[tuple[Indicator, Change]] | None = None
        self._size = 0
        self.version = 0
        """Grows with every change, so that what is derived from the store knows when it is stale."""

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
        if self._journal is None:
            self._journal = deque(maxlen=self._journal_limit)
        missed = self.version - version
        if missed > len(self._journal):
            return None
        return list(islice(reversed(self._journal), missed))[::-1]

    def items(self) -> Iterator[tuple[Indicator, Item]]:
        """Every indicator with each of its items."""
        for type, entries in self._entries.items():
            for value, entry in entries.items():
                for item in _tuple(entry):
                    yield Indicator(type, value), item

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
                # radix writes some IPv6 prefixes another way than ours, so the node bears our form.
                self._subnets.add(value).data["value"] = value
        else:
            old = _tuple(entry)
            if item in old:
                return False
            new = (*(other for other in old if other.source != item.source), item)
            entries[value] = _packed(new)
        if item.expires is not None:
            self._buckets.setdefault(_bucket(item.expires), {}).setdefault(type, []).append(value)
        self._changed(indicator, Change.ARMED if entry is None else Change.CHANGED)
        return True

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        """Disarm one source's item, or with no source all of them. False where there was none."""
        entry = self._entries[indicator.type].get(indicator.value)
        if entry is None:
            return False
        left = () if source is None else tuple(item for item in _tuple(entry) if item.source != source)
        return self._keep(indicator, entry, left)

    def expire(self, now: float) -> list[tuple[Indicator, Item]]:
        """Drop what has expired at ``now`` (seconds since the epoch) and return it."""
        dropped: list[tuple[Indicator, Item]] = []
        last = _bucket(now)
        for bucket in sorted(key for key in self._buckets if key <= last):
            again: dict[IndicatorType, list[str]] = {}
            listed = self._buckets.pop(bucket)
            for type, value in ((type, value) for type, values in listed.items() for value in values):
                entry = self._entries[type].get(value)
                if entry is None:
                    continue
                indicator = Indicator(type, value)
                items = _tuple(entry)
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
        if entry is not None and (items := _alive(entry, at)):
            hits.append(Hit(Indicator(type, value), items))
        if type is IndicatorType.ADDR and self._entries[IndicatorType.SUBNET]:
            for node in self._subnets.search_covering(value):
                prefix = node.data["value"]
                items = _alive(self._entries[IndicatorType.SUBNET][prefix], at)
                if items:
                    hits.append(Hit(Indicator(IndicatorType.SUBNET, prefix), items))
        elif type is IndicatorType.DOMAIN and self._subdomain_rules:
            parent = value
            while (dot := parent.find(".")) >= 0:
                parent = parent[dot + 1 :]
                if parent in self._subdomain_rules:
                    entry = self._entries[IndicatorType.DOMAIN][parent]
                    items = tuple(item for item in _alive(entry, at) if item.subdomains)
                    if items:
                        hits.append(Hit(Indicator(type, parent), items))
        return hits

    def folded_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The values of a type as Zeek compares them (ASCII lower-cased), each once, in chunks.

        The store may change meanwhile, in any thread: what is there all the time comes.
        """
        return _folded(self._entries[type])

    def subdomain_rule_values(self) -> Iterator[list[str]]:
        """The domains that stand for their subdomains too, as ``folded_values`` gives values."""
        return _folded(self._subdomain_rules)

    def lookup_folded(self, type: IndicatorType, text: str, at: float) -> list[Hit]:
        """As ``lookup``, for a value as Zeek sees it: upper and lower case of ASCII are one."""
        # Canonical values are in lower case already.
        return self.lookup(type, lower(text), at)

    def _keep(self, indicator: Indicator, entry: Entry, left: tuple[Item, ...]) -> bool:
        if len(left) == len(_tuple(entry)):
            return False
        entries = self._entries[indicator.type]
        if left:
            entries[indicator.value] = _packed(left)
        else:
            del entries[indicator.value]
            self._size -= 1
            if indicator.type is IndicatorType.SUBNET:
                self._subnets.delete(indicator.value)
        self._changed(indicator, Change.CHANGED if left else Change.REMOVED)
        return True

    def _changed(self, indicator: Indicator, change: Change) -> None:
        self.version += 1
        if len(self._interned) > _INTERNED:
            self._interned.clear()
        if indicator.type is IndicatorType.DOMAIN:
            entry = self._entries[IndicatorType.DOMAIN].get(indicator.value, ())
            if entry.subdomains if isinstance(entry, Item) else any(item.subdomains for item in entry):
                if indicator.value not in self._subdomain_rules:
                    change = Change.ARMED
                self._subdomain_rules[indicator.value] = None
            else:
                self._subdomain_rules.pop(indicator.value, None)
        if self._journal is not None:
            self._journal.append((indicator, change))


def _folded(values: Mapping[str, object]) -> Iterator[list[str]]:
    # The list is made in one step of the interpreter, so the dictionary can't change meanwhile.
    there = list(values)
    for start in range(0, len(there), FOLDED_CHUNK):
        yield list(dict.fromkeys(map(lower, there[start : start + FOLDED_CHUNK])))


def _bucket(at: float) -> int:
    return int(at // _BUCKET_SECONDS)


def _tuple(entry: Entry) -> tuple[Item, ...]:
    return entry if isinstance(entry, tuple) else (entry,)


def _packed(items: tuple[Item, ...]) -> Entry:
    return items[0] if len(items) == 1 else tuple(sorted(items, key=lambda item: item.source))


def _alive(entry: Entry, at: float) -> tuple[Item, ...]:
    return tuple(item for item in _tuple(entry) if item.expires is None or at < item.expires)
