"""What stores of intel have in common: an indicator's items, what a value matches, and the journal of changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import islice
from typing import NamedTuple, Protocol

from threathunting.intel.types import Indicator, IndicatorType, Item

DEFAULT_LIMIT = 20_000_000
"""Indicators that a store takes; what is beyond is refused and said."""

DEFAULT_JOURNAL = 100_000
"""Changes that a store remembers for those who follow it."""

CHUNK = 50_000
"""Values of a chunk, where a store is gone through beside its changes."""

Entry = Item | tuple[Item, ...]
"""The items of an indicator: one, or several sorted by source."""


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


class IntelStore(Protocol):
    """Armed intel, in memory (``store.Store``) or on disk (``disk_store.DiskStore``).

    One thread at a time: who shares a store holds one lock around each call. ``entries``, ``folded_values`` and
    ``subdomain_rule_values`` need none: any thread may go through their chunks while others change the store.
    What is there all the while comes; what comes or goes meanwhile may come or not.

    A store on disk raises OSError, with a sentence, where it can't read or write; what it took before, it has.
    """

    @property
    def version(self) -> int:
        """Grows with every change, so that what is derived from the store knows when it is stale."""

    def __len__(self) -> int:
        """Number of indicators."""

    def counts(self) -> dict[str, int]:
        """Indicators per type, types with none left out."""

    def values(self, type: IndicatorType) -> Mapping[str, Entry]:
        """The armed canonical values of a type. Read only."""

    def subdomain_rules(self) -> Mapping[str, None]:
        """The domains of which at least one source wants the subdomains too. Read only."""

    def changes_since(self, version: int) -> Sequence[tuple[Indicator, Change]] | None:
        """What changed after ``version``, oldest first; None where it isn't known any more: read all anew then."""

    def items(self) -> Iterator[tuple[Indicator, Item]]:
        """Every indicator with each of its items."""

    def entries(self, type: IndicatorType) -> Iterator[list[tuple[str, Entry]]]:
        """The armed values of a type with their items, in chunks of some thousands."""

    def folded_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The distinct armed values of a type as Zeek compares them (lower-case ASCII), in chunks."""

    def subdomain_rule_values(self) -> Iterator[list[str]]:
        """The distinct domains of ``subdomain_rules`` as Zeek compares them, in chunks."""

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Arm an item; one of the same source is replaced. False where it stood there already.

        Raises OverflowError when the store is full.
        """

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        """Disarm one source's item, or with no source all of them. False where there was none."""

    def expire(self, now: float, limit: int | None = None) -> list[tuple[Indicator, Item]]:
        """Drop what has expired at ``now`` (seconds since the epoch) and return it.

        With ``limit``, so many items or a few more: where that many came, there may be others.
        """

    def lookup(self, type: IndicatorType, value: str, at: float) -> list[Hit]:
        """What an observable matches at ``at``: exact, then subnets or parent domains, nearest first."""

    def lookup_folded(self, type: IndicatorType, text: str, at: float) -> list[Hit]:
        """What a text matches at ``at`` as Zeek compares: all indicators of the same ASCII lower case.

        In the order of ``lookup``, those of the same nearness by their values.
        """

    def tidy(self, *, again: bool = False) -> bool:
        """Go a small step on with what makes reading fast, and return whether there is more to do now.

        To be called every second or so, and ``again`` as long as there is time and more to do. Raises OSError.
        """

    def rest(self) -> None:
        """Let go of memory: it isn't asked for a while."""

    def close(self) -> None:
        """Let go of what it holds outside the process's memory. It isn't used any more after that."""


class Journal:
    """The last changes of a store, kept once somebody follows: loading is spared them."""

    def __init__(self, limit: int) -> None:
        """Remember the last ``limit`` changes."""
        self.version = 0
        self._limit = limit
        self._changes: deque[tuple[Indicator, Change]] | None = None

    def note(self, indicator: Indicator, change: Change) -> None:
        """Something changed."""
        self.version += 1
        if self._changes is not None:
            self._changes.append((indicator, change))

    def since(self, version: int) -> Sequence[tuple[Indicator, Change]] | None:
        """What changed after ``version``, oldest first; None where it isn't known any more.

        An entry for each step of ``version``, so an indicator may come more than once. What changed before the
        first call isn't known.
        """
        if self._changes is None:
            self._changes = deque(maxlen=self._limit)
        missed = self.version - version
        if missed > len(self._changes):
            return None
        return list(islice(reversed(self._changes), missed))[::-1]


def items_of(entry: Entry) -> tuple[Item, ...]:
    """The items of an entry."""
    return entry if isinstance(entry, tuple) else (entry,)


def packed(items: tuple[Item, ...]) -> Entry:
    """The entry of some items, at least one."""
    return items[0] if len(items) == 1 else tuple(sorted(items, key=lambda item: item.source))


def alive(entry: Entry, at: float) -> tuple[Item, ...]:
    """The items of an entry that hold at ``at`` (seconds since the epoch)."""
    return tuple(item for item in items_of(entry) if item.expires is None or at < item.expires)


def wants_subdomains(entry: Entry) -> bool:
    """Whether at least one source wants the subdomains too."""
    return entry.subdomains if isinstance(entry, Item) else any(item.subdomains for item in entry)
