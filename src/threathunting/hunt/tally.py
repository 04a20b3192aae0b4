"""What a hunt found, counted per indicator, as the table and the summary show it."""

from __future__ import annotations

from dataclasses import dataclass, field

from threathunting.hunt.conversations import Flags
from threathunting.hunt.matching import Match, time_of
from threathunting.intel.types import LEVEL_RANK, Indicator
from threathunting.records import Record

MAX_HOSTS = 10_000
"""Distinct hosts counted per indicator."""


@dataclass
class Seen:
    """One indicator's sightings: how many, by which sources and levels, when, and on which hosts."""

    sightings: int = 0
    sources: set[str] = field(default_factory=set)
    level: str = "low"
    first: float | None = None
    last: float | None = None
    hosts: set[str] = field(default_factory=set)
    conversations: int = 0

    def add(self, other: Seen) -> None:
        """Sum up with another's."""
        self.sightings += other.sightings
        self.sources |= other.sources
        self.level = max(self.level, other.level, key=lambda level: LEVEL_RANK.get(level, 0))
        if other.first is not None:
            self.first = other.first if self.first is None else min(self.first, other.first)
        if other.last is not None:
            self.last = other.last if self.last is None else max(self.last, other.last)
        for host in sorted(other.hosts):
            if len(self.hosts) >= MAX_HOSTS:
                break
            self.hosts.add(host)


class Tally:
    """Sightings per indicator."""

    def __init__(self) -> None:
        self.by_indicator: dict[Indicator, Seen] = {}

    def count(self, record: Record, match: Match) -> None:
        """Count one sighting for each indicator that it matched."""
        at = time_of(record) or None
        for hit in match.hits:
            seen = self.by_indicator.setdefault(hit.indicator, Seen())
            seen.sightings += 1
            for item in hit.items:
                seen.sources.add(item.source)
                if LEVEL_RANK.get(item.level, 0) > LEVEL_RANK[seen.level]:
                    seen.level = item.level
            if at is not None:
                seen.first = at if seen.first is None else min(seen.first, at)
                seen.last = at if seen.last is None else max(seen.last, at)
            host = _host(record, match.observable.value)
            if host is not None and len(seen.hosts) < MAX_HOSTS:
                seen.hosts.add(host)

    def add(self, other: Tally) -> None:
        """Sum up with another's."""
        for indicator, seen in other.by_indicator.items():
            self.by_indicator.setdefault(indicator, Seen()).add(seen)

    def count_conversations(self, flags: Flags) -> None:
        """Fill in how many conversations each indicator flagged."""
        for reasons in flags.by_key.values():
            for indicator in {reason.indicator for reason in reasons}:
                if indicator in self.by_indicator:
                    self.by_indicator[indicator].conversations += 1

    def widest_first(self) -> list[tuple[Indicator, Seen]]:
        """All indicators, those on most hosts first, then by conversations and sightings."""
        return sorted(
            self.by_indicator.items(),
            key=lambda pair: (-len(pair[1].hosts), -pair[1].conversations, -pair[1].sightings, pair[0]),
        )


def _host(record: Record, seen_value: str) -> str | None:
    """The host that touched the indicator: the originator, or its peer where the originator is the indicator."""
    for name in ("id.orig_h", "id.resp_h"):
        host = record.get(name)
        if isinstance(host, str) and host != seen_value:
            return host
    return None
