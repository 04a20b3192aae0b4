"""Nodes that hold filters as the package in Zeek does, and a world around CompactSync, for tests without a Zeek."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek.compact import CompactSync
from threathunting.zeek.compact_fill import Settings
from threathunting.zeek.protocol import About, Ack, Filters, Refused, State, node_topic
from threathunting.zeek.sync import Change
from threathunting.zeek.wire import Event

Value = tuple[str, str]
"""(kind, value)"""


@dataclass
class Generation:
    number: int
    values: set[Value] = field(default_factory=set)
    batches: dict[int, int] = field(default_factory=dict)
    """Of batches that came for it, how many values each had."""


class CompactNode:
    """What a node does with our events, as short as it can be. ``remembered`` are verdicts by (type, value)."""

    def __init__(self, name: str, client: str = "us", role: str = "worker") -> None:
        self.name, self.client, self.role = name, client, role
        self.boot = 1
        self.live: Generation | None = None
        self.building: Generation | None = None
        self.remembered: dict[Value, dict[tuple[Indicator, str], str]] = {}
        self.expected: list[str] = []
        self.refusals: list[str] = []
        self.setup: dict[str, float] = {}

    @property
    def sees_traffic(self) -> bool:
        return self.role in ("worker", "standalone")

    def restart(self) -> None:
        self.boot += 1
        self.live = self.building = None
        self.remembered.clear()

    def about(self) -> About:
        held = {}
        if self.live or self.building:
            count = 0 if self.live is None else len(self.live.values)
            held[self.client] = Filters(
                self.live.number if self.live else 0, self.building.number if self.building else 0, count
            )
        return About(
            role=self.role,
            sees_traffic=self.sees_traffic,
            mode="compact" if held else "native",
            expected_nodes=self.expected,
            compact=held,
        )

    def state(self) -> State:
        return State(self.name, str(self.boot), self.about())

    def take(self, event: Event) -> Ack | Refused | None:
        name, args = event.name.removeprefix("ThreatHunting::"), event.args
        hears = event.topic == "/threathunting/command/" or event.topic == node_topic(self.name)
        if not hears or not name.startswith("compact_") or args[1] != self.client or not self.sees_traffic:
            return None
        batch = int(str(args[2]))
        held = [one for one in (self.live, self.building) if one is not None]
        if name == "compact_begin":
            number = int(str(args[3]))
            self.setup = json.loads(str(args[4]))
            if number not in [one.number for one in held]:
                self.building = Generation(number)
        elif name == "compact_add":
            number, kind, values = int(str(args[3])), str(args[4]), str(args[5]).split("\n")
            self.forget(kind, str(args[5]), all="")
            if number:
                held = [self.building] if self.building is not None and self.building.number == number else []
            if not held:
                return None
            for one in held:
                one.values |= {(kind, value) for value in values}
                if number:
                    one.batches[batch] = len(values)
        elif name == "compact_end":
            number, total = int(str(args[3])), int(str(args[4]))
            if self.building is not None and self.building.number == number:
                if sum(self.building.batches.values()) != total:
                    self.refusals.append(f"{self.building.batches} are not {total}")
                    return Refused(self.name, str(self.boot), self.refusals[-1])
                self.live, self.building = self.building, None
            elif self.live is None or self.live.number != number:
                return None
        elif name == "compact_forget":
            if not held:
                return None
            self.forget(str(args[3]), str(args[4]))
        elif name == "compact_drop":
            self.live = self.building = None
        return Ack(self.name, str(self.boot), batch, 0 if self.live is None else len(self.live.values))

    def forget(self, kind: str, values: str, all: str = "*") -> None:
        everything = values == all or kind == "subdomains"
        kind = "domain" if kind == "subdomains" else kind
        for (type, value), told in list(self.remembered.items()):
            by_others = type == "domain" and any(i.value != value for i, _ in told)
            if type == kind and (everything or value in values.split("\n") or by_others):
                del self.remembered[type, value]


def change(
    number: int, type: str = "domain", source: str = "a", subdomains: bool = False, level: str = "high"
) -> Change:
    value = f"d{number}.example" if type == "domain" else f"192.0.2.{number}"
    item = Item(source, level=level, subdomains=subdomains and type == "domain")
    return Change(Indicator(IndicatorType(type), value), source, item)


def removal(number: int, type: str = "domain", source: str = "a") -> Change:
    return change(number, type, source)._replace(item=None)


class CompactWorld:
    """Our intel, a Zeek, and the sync between them. The intel is read in chunks of ``chunk``."""

    def __init__(self, *names: str, settings: Settings | None = None, chunk: int = 50_000) -> None:
        self.intel: dict[tuple[Indicator, str], Item] = {}
        self.nodes = {name: CompactNode(name) for name in names}
        self.settings = settings or Settings()
        self.chunk = chunk
        self.now = 0.0
        self.first = 1
        self.sync = CompactSync("us", self, self.settings, self.first)
        self.sent: list[Event] = []

    # What CompactSync reads

    def exact(self) -> int:
        return len({indicator for indicator, _ in self.intel})

    def values(self, type: IndicatorType) -> Iterator[list[str]]:
        return self._chunks([i.value for i, _ in self.intel if i.type is type])

    def subdomain_rules(self) -> Iterator[list[str]]:
        return self._chunks([i.value for (i, _), item in self.intel.items() if item.subdomains])

    def _chunks(self, values: list[str]) -> Iterator[list[str]]:
        values = list(dict.fromkeys(values))
        for start in range(0, len(values), self.chunk):
            yield values[start : start + self.chunk]

    # What happens

    def change(self, *changes: Change) -> None:
        removed = 0
        for one in changes:
            if one.item is not None:
                self.intel[one.indicator, one.source] = one.item
            elif self.intel.pop((one.indicator, one.source), None) is not None:
                removed += all(indicator != one.indicator for indicator, _ in self.intel)
        self.sync.change(changes, removed)

    def ask(self, name: str, type: str, value: str) -> None:
        node = self.nodes[name]
        if node.live is not None:
            node.remembered[type, value] = self.truth(type, value)

    def truth(self, type: str, value: str) -> dict[tuple[Indicator, str], str]:
        """What is armed for a value seen: by indicator and source the level."""
        parts = value.split(".")
        parents = {".".join(parts[n:]) for n in range(1, len(parts))} if type == "domain" else set()
        return {
            (i, source): item.level
            for (i, source), item in self.intel.items()
            if i.type.value == type and (i.value == value or (item.subdomains and i.value in parents))
        }

    def connect(self) -> None:
        self.sync.connect()
        for node in self.nodes.values():
            self.hear(node.state())

    def restart_us(self) -> None:
        self.first += 1_000_000
        self.sync = CompactSync("us", self, self.settings, self.first)

    def step(
        self, lost: frozenset[str] = frozenset(), deaf: frozenset[str] = frozenset(), seconds: float = 0.01
    ) -> int:
        """Deliver what is due to all nodes but the ``lost``, and the answers of all but the ``deaf``."""
        self.now += seconds
        events = self.sync.due(self.now)
        self.sent += events
        for event in events:
            for name, node in self.nodes.items():
                if name not in lost:
                    answer = node.take(event)
                    if name not in deaf:
                        self.hear(answer)
        return len(events)

    def hear(self, answer: Ack | State | Refused | None) -> None:
        if isinstance(answer, Ack):
            self.sync.ack(answer, self.now)
        elif isinstance(answer, State):
            self.sync.state(answer, self.now)

    def settle(self, steps: int = 4000) -> None:
        """Until all is armed on all nodes, which tell their states from time to time, as those do that were given up."""
        for step in range(steps):
            idle = not self.step() and self.sync.armed and not self.sync.building
            if idle and self.nodes.keys() <= self.sync.nodes.keys():
                return
            if step % 50 == 49:
                for node in self.nodes.values():
                    self.hear(node.state())
        raise AssertionError(f"not armed after {steps} steps: {self.sync.nodes}")

    # What is so

    def expected(self) -> set[Value]:
        armed = {(i.type.value, i.value) for i, _ in self.intel if i.type is not IndicatorType.SUBNET}
        return armed | {("subdomains", i.value) for (i, _), item in self.intel.items() if item.subdomains}

    def lacks(self, name: str) -> str:
        """What is wrong with a node; empty for nothing."""
        node = self.nodes[name]
        if node.live is None:
            return f"{name} has no filters"
        if missing := self.expected() - node.live.values:
            return f"{name} lacks {missing}"
        wrong = [key for key, told in node.remembered.items() if told != self.truth(*key)]
        return f"{name} remembers what isn't so of {wrong}" if wrong else ""

    def agree(self) -> None:
        for name, node in self.nodes.items():
            if node.sees_traffic:
                assert self.lacks(name) == ""
                assert node.refusals == []

    def count(self, name: str) -> int:
        return sum(event.name == f"ThreatHunting::{name}" for event in self.sent)
