"""A generation of filters on its way to the nodes that build it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from threathunting.intel.types import IndicatorType
from threathunting.zeek.compact_flight import Flying
from threathunting.zeek.compact_protocol import (
    MAX_CAPACITY,
    SUBDOMAINS,
    Setup,
    compact_add,
    compact_begin,
    compact_end,
    packed_values,
    sendable,
)
from threathunting.zeek.protocol import MAX_ITEMS

HEADROOM = 1.25
"""Filters are made for so many times what there is, at least, so that it can grow."""

LEAST_AGE = 60.0
"""Seconds that a generation lives before what left is a reason for the next one, however small the set."""

_COUNTED = 8
"""Chunks counted at once, so that nobody waits long for it."""


class Source(Protocol):
    """The armed intel. While one goes through it, it may change; what is there all the time comes."""

    def exact(self) -> int:
        """Number of values of all types but subnets."""

    def values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The values of a type in ASCII lower case, in chunks."""

    def subdomain_rules(self) -> Iterator[list[str]]:
        """The domains that stand for their subdomains, too."""


@dataclass(frozen=True)
class Settings:
    """How filters are made, and when anew."""

    capacity: int = 10_000_000
    """Values that exact filters are made for, at least."""
    subdomain_capacity: int = 1_000_000
    false_positive_rate: float = 1e-6
    hold: float = 2.0
    """Seconds that records wait for an answer at most."""
    rebuild_share: float = 0.2
    """Of all values those that left, from which on a new generation is built."""
    rebuild_after: float = 86_400.0
    """Seconds after which one is built if anything left."""


class Values(NamedTuple):
    """Values of a kind, as a message carries them."""

    kind: str
    text: str
    amount: int


@dataclass
class Held:
    """A generation that a node has finished."""

    boot: str
    generation: int
    born: float
    setup: Setup
    removed: int
    """Values that had left altogether when it was begun; and the like."""
    rules: int
    rules_before: int
    upto: int = 0
    """Without a connection to the node: the number of the first entry of the journal that it may have missed."""

    def is_stale(self, settings: Settings, exact: int, removed: int, rules: int, now: float) -> bool:
        """Whether a new one is due, with so many values there are now, that left, and rules that came."""
        left, age = removed - self.removed, now - self.born
        return (
            (left > settings.rebuild_share * exact and age > LEAST_AGE)
            or (left > 0 and age > settings.rebuild_after)
            or exact + left > self.setup.exact
            or self.rules + rules - self.rules_before > self.setup.subdomains
        )


@dataclass
class Fill:
    """What is read of the set, and where it stands. ``nodes`` are those that build it."""

    generation: int
    nodes: set[str]
    renewing: bool
    """Whether the nodes have a live generation that has all, too."""
    settings: Settings
    source: Source
    begun: set[str] = field(default_factory=set)
    """Nodes that have acknowledged its begin."""
    told: bool = False
    """Whether the nodes have been sent its begin."""
    setup: Setup | None = None
    removed: int = 0
    """Values that had left altogether when it was begun."""
    rules_before: int = 0
    """Additions of domains that stand for their subdomains, when it was begun."""
    rules: int = 0
    total: int = 0
    """Values that were sent."""
    ending: bool = False
    """Whether its end has been sent."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Kinds and values that can't be sent, since the last look."""

    def __post_init__(self) -> None:
        self._counting: Iterator[list[str]] | None = None
        self._reading: Iterator[tuple[str, list[str]]] | None = None
        self._kind = ""
        self._chunk: Sequence[str] = ()
        self._at = 0

    @property
    def reading(self) -> bool:
        """Whether its values are being read, so that what changes from now on must be told besides."""
        return self._reading is not None

    def _counted(self) -> bool:
        """Count on for a while; True once all is counted and ``setup`` is there."""
        if self.setup is not None:
            return True
        if self._counting is None:
            self._counting = self.source.subdomain_rules()
        for _ in range(_COUNTED):
            chunk = next(self._counting, None)
            if chunk is None:
                settings = self.settings
                self.setup = Setup(
                    exact=_room(settings.capacity, self.source.exact()),
                    subdomains=_room(settings.subdomain_capacity, self.rules),
                    rate=settings.false_positive_rate,
                    hold=settings.hold,
                )
                return True
            self.rules += len(chunk)
        return False

    def due(self, client: str, number: Callable[[], int], flying: bool) -> list[Flying]:
        """The next messages, with numbers taken of ``number``. ``flying``: whether others of this generation are."""
        if self.ending or not self._counted():
            return []
        if not self.told:
            self.told = True
            return [self._begin(client, name, number()) for name in sorted(self.nodes)]
        if not self.nodes <= self.begun:
            return []
        alone = next(iter(self.nodes)) if len(self.nodes) == 1 else None
        values = self._read()
        if values is None and flying:
            # The end must not overtake what is sent again.
            return []
        batch, count = number(), 0 if values is None else values.amount
        if values is None:
            self.ending = True
            event = compact_end(client, batch, self.generation, self.total, alone)
        else:
            event = compact_add(client, batch, self.generation, values.kind, values.text, alone)
        return [Flying(batch, event, set(self.nodes), count, self.generation)]

    def _begin(self, client: str, node: str, batch: int) -> Flying:
        assert self.setup is not None
        event = compact_begin(client, node, batch, self.generation, self.setup)
        return Flying(batch, event, {node}, 0, self.generation, begin=True)

    def _read(self) -> Values | None:
        """The next values; None once there are no more."""
        if self._reading is None:
            self._reading = self._everything()
        while self._at >= len(self._chunk):
            found = next(self._reading, None)
            if found is None:
                return None
            self._kind, (self._chunk, bad) = found[0], sendable(found[1])
            self._at = 0
            self.refused += [(self._kind, value) for value in bad]
        values, count = packed_values(self._chunk[self._at : self._at + MAX_ITEMS])
        self._at += count
        self.total += count
        return Values(self._kind, values, count)

    def held(self, boot: str, now: float) -> Held:
        """What a node has once it has finished it."""
        assert self.setup is not None
        return Held(boot, self.generation, now, self.setup, self.removed, self.rules, self.rules_before)

    def _everything(self) -> Iterator[tuple[str, list[str]]]:
        for type in IndicatorType:
            if type is not IndicatorType.SUBNET:
                for chunk in self.source.values(type):
                    yield type.value, chunk
        for chunk in self.source.subdomain_rules():
            yield SUBDOMAINS, chunk


def _room(least: int, there: int) -> int:
    return min(max(least, int(there * HEADROOM)), MAX_CAPACITY)
