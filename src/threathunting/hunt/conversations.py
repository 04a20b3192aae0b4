"""Which conversations a hunt has flagged, with what, and which files belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from threathunting.intel.types import Indicator, Item
from threathunting.plugins import Log, strings
from threathunting.records import Record

MAX_CONVERSATIONS = 1_000_000
"""Conversations (and, separately, files) that a hunt captures; sightings beyond are still told, and it says so."""

MAX_REASONS = 32
"""Distinct reasons kept for one conversation."""


class Reason(NamedTuple):
    """Why a conversation is captured: an indicator, where and as what it was seen, and its items then."""

    indicator: Indicator
    where: str
    value: str
    items: tuple[Item, ...]


def uids_of(log: Log, record: Record) -> tuple[str, ...]:
    """The conversations that a record belongs to."""
    return tuple(uid for name in log.uids for uid in strings(record.get(name)))


def files_of(log: Log, record: Record) -> tuple[str, ...]:
    """The names by which a record is itself a file of a conversation (fuid, certificate fingerprint)."""
    return tuple(key for name in log.files for key in strings(record.get(name)))


def links_of(log: Log, record: Record) -> tuple[str, ...]:
    """The files that a record names as its conversation's."""
    return tuple(key for name in log.links for key in strings(record.get(name)))


@dataclass
class Flags:
    """Keys (uids or files) with their reasons, bounded; equal sets of reasons are one object.

    What a bound kept out is counted in ``dropped_keys`` and ``dropped_reasons``.
    """

    limit: int = MAX_CONVERSATIONS
    by_key: dict[str, tuple[Reason, ...]] = field(default_factory=dict)
    dropped_keys: int = 0
    dropped_reasons: int = 0
    _interned: dict[tuple[Reason, ...], tuple[Reason, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of keys."""
        return len(self.by_key)

    def add(self, key: str, reasons: Iterable[Reason]) -> None:
        """Flag a key, or add to why it is flagged."""
        had = self.by_key.get(key)
        if had is None and len(self.by_key) >= self.limit:
            self.dropped_keys += 1
            return
        had = had or ()
        new = [reason for reason in dict.fromkeys(reasons) if reason not in had]
        if not new and had:
            return
        room = MAX_REASONS - len(had)
        self.dropped_reasons += max(len(new) - room, 0)
        merged = had + tuple(new[:room])
        self.by_key[key] = self._interned.setdefault(merged, merged)

    def merge(self, other: Flags) -> None:
        """Add another's keys, in its order."""
        for key, reasons in other.by_key.items():
            self.add(key, reasons)
        self.dropped_keys += other.dropped_keys
        self.dropped_reasons += other.dropped_reasons
