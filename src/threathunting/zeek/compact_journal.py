"""Changes of intel on their way into filters that live, in order, kept for nodes that may have missed them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from threathunting.intel.canonical import lower
from threathunting.intel.types import IndicatorType
from threathunting.zeek import sync
from threathunting.zeek.compact_protocol import ALL, SUBDOMAINS, packed_values, sendable
from threathunting.zeek.protocol import MAX_ITEMS

FORGET_ALL = "*"
"""As the kind of an entry: nodes are to forget all verdicts of ours."""


class Entry(NamedTuple):
    """A value of which an item was added (``added``) or left. What nodes remember of it is void, either way."""

    kind: str
    value: str
    added: bool
    subdomains: bool = False


class Change(NamedTuple):
    """A message for filters that live: values that were added, or that are to be forgotten."""

    kind: str
    values: str
    amount: int
    start: int
    """The number of the first entry of those that it is made of, with others."""
    add: bool


class Journal:
    """Entries by number, the oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._made: deque[Change] = deque()
        self._next = 0
        self.sent = 0
        """All entries before this number have been taken whole."""
        self.first = 0
        """The number of the oldest entry that is kept."""
        self.refused: list[tuple[str, str]] = []
        """Kinds and values that can't be sent, until someone takes them out."""

    def __len__(self) -> int:
        """Number of entries that are kept."""
        return len(self._entries)

    @property
    def end(self) -> int:
        """The number that the next entry will have."""
        return self.first + len(self._entries)

    @property
    def unsent(self) -> int:
        """Entries of which something is still to be taken."""
        return self.end - self.sent

    def add(self, entries: Iterable[Entry]) -> None:
        """Append entries."""
        self._entries.extend(entries)

    def take(self) -> Change | None:
        """The next message; None where all has been taken."""
        while not self._made:
            at = self._next - self.first
            entries = list(islice(self._entries, at, at + MAX_ITEMS))
            if not entries:
                return None
            for kind, values in adding(entries).items():
                self._make(kind, values, add=True)
            for kind, values in forgetting(entries).items():
                self._make(kind, values, add=False)
            self._next += len(entries)
        change = self._made.popleft()
        self.sent = self._made[0].start if self._made else self._next
        return change

    def _make(self, kind: str, listed: list[str], add: bool) -> None:
        values, bad = sendable(listed)
        if add:
            self.refused += [(kind, value) for value in bad]
        at = 0
        while at < len(values):
            text, count = packed_values(values[at : at + MAX_ITEMS])
            at += count
            self._made.append(Change(kind, text, count, self._next, add))

    def rewind(self, number: int) -> None:
        """Take again, from this entry on."""
        if number < self._next:
            # Messages that are made and not taken are of entries that aren't sent whole.
            self._made.clear()
            self._next = self.sent = max(min(number, self.sent), self.first)

    def trim(self, number: int) -> None:
        """Nobody needs what is before this entry any more."""
        for _ in range(min(number, self.sent) - self.first):
            self._entries.popleft()
            self.first += 1

    def clear(self) -> None:
        """Keep nothing."""
        self.first = self._next = self.sent = self.end
        self._entries.clear()
        self._made.clear()


def entry_of(change: sync.Change) -> Entry | None:
    """A change as the journal keeps it, folded as Zeek compares; None for subnets, which are armed natively."""
    type, value = change.indicator
    if type is IndicatorType.SUBNET:
        return None
    added = change.item is not None
    return Entry(type.value, lower(value), added, change.item is not None and change.item.subdomains)


def adding(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """By kind what is to be added to filters."""
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.added:
            found.setdefault(entry.kind, {})[entry.value] = None
            if entry.subdomains:
                found.setdefault(SUBDOMAINS, {})[entry.value] = None
    return {kind: list(values) for kind, values in found.items()}


def forgetting(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """By kind what is to be forgotten. What is added needs no such word."""
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.kind == FORGET_ALL:
            kinds = [type.value for type in IndicatorType if type is not IndicatorType.SUBNET]
            return {kind: [ALL] for kind in (*kinds, SUBDOMAINS)}
        if not entry.added:
            found.setdefault(entry.kind, {})[entry.value] = None
    return {kind: list(values) for kind, values in found.items()}
