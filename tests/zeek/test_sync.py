"""Bringing nodes to the armed set: whatever is lost, restarted or changed meanwhile, 'armed' is never said too early."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek.protocol import About, Ack, State
from threathunting.zeek.sync import ACK_SECONDS, IN_FLIGHT, SILENT_SECONDS, TRIES, Change, Sync
from threathunting.zeek.wire import Event

Armed = dict[tuple[str, str, str], str]
"""(type, value, source) to level."""


class FakeNode:
    """What the package in Zeek does with our events, as short as it can be."""

    def __init__(self, name: str, boot: int = 1, role: str = "worker") -> None:
        self.name, self.boot, self.role = name, boot, role
        self.armed: Armed = {}
        self._marked: set[tuple[str, str, str]] | None = None

    def restart(self) -> None:
        self.boot += 1
        self.armed.clear()
        self._marked = None

    def state(self) -> State:
        about = About(
            role=self.role, sees_traffic=self.role in ("worker", "standalone"), armed=len(self.armed)
        )
        return State(self.name, str(self.boot), about)

    def take(self, event: Event) -> Ack | State | None:
        name, args = event.name.removeprefix("ThreatHunting::"), event.args
        number = int(args[2]) if len(args) > 2 and isinstance(args[2], int) else 0
        if name == "hello":
            return self.state()
        if name == "sync_begin":
            self._marked = set()
            return None
        if name == "sync_end":
            for key in list(self.armed):
                if self._marked is not None and key not in self._marked:
                    del self.armed[key]
            self._marked = None
        elif name == "arm":
            for one in json.loads(str(args[3])):
                key = (one["t"], one["v"], one["s"])
                self.armed[key] = one["l"]
                if self._marked is not None:
                    self._marked.add(key)
        elif name == "disarm":
            for one in json.loads(str(args[3])):
                self.armed.pop((one["t"], one["v"], one["s"]), None)
        else:
            return None
        return Ack(self.name, str(self.boot), number, len(self.armed))


def item(number: int, source: str = "SOAR", level: str = "high") -> Change:
    return Change(Indicator(IndicatorType.DOMAIN, f"d{number}.example"), source, Item(source, level=level))


class World:
    """Our intel, a Zeek, and the sync between them."""

    def __init__(self, *names: str) -> None:
        self.intel: dict[tuple[Indicator, str], Item] = {}
        self.nodes = {name: FakeNode(name) for name in names}
        self.now = 0.0
        self.sync = Sync(
            "us", lambda: [(indicator, item) for (indicator, _), item in list(self.intel.items())]
        )
        self.sent = 0

    def change(self, *changes: Change) -> None:
        for change in changes:
            if change.item is None:
                self.intel.pop((change.indicator, change.source), None)
            else:
                self.intel[change.indicator, change.source] = change.item
        self.sync.change(changes)

    def step(self, lost: frozenset[str] = frozenset(), seconds: float = 0.01) -> int:
        """Deliver what is due to all nodes but the ``lost``, and their answers."""
        self.now += seconds
        events = self.sync.due(self.now)
        self.sent += len(events)
        for event in events:
            for name, node in self.nodes.items():
                if name not in lost:
                    self.hear(node.take(event))
        return len(events)

    def hear(self, answer: Ack | State | None) -> None:
        if isinstance(answer, Ack):
            self.sync.ack(answer, self.now)
        elif isinstance(answer, State):
            self.sync.state(answer, self.now)

    def settle(self, steps: int = 200) -> None:
        for _ in range(steps):
            if not self.step() and self.sync.armed:
                return
        raise AssertionError(f"not armed after {steps} steps: {self.sync.nodes}")

    def expected(self) -> Armed:
        return {(i.type.value, i.value, source): item.level for (i, source), item in self.intel.items()}

    def agree(self) -> None:
        for node in self.nodes.values():
            assert node.armed == self.expected()


def test_a_new_zeek_gets_the_full_set_before_it_counts_as_armed() -> None:
    world = World("worker-1", "worker-2")
    world.change(*map(item, range(12_000)))
    assert not world.sync.armed
    world.sync.connect()
    world.settle()
    world.agree()
    assert world.sync.full_sets == 1


def test_changes_go_alone_and_only_their_acknowledgement_makes_them_armed() -> None:
    world = World("zeek")
    world.sync.connect()
    world.settle()
    before = world.sent
    world.change(item(1), item(2))
    assert not world.sync.armed
    world.step(lost=frozenset({"zeek"}))
    assert not world.sync.armed
    world.step(seconds=ACK_SECONDS)
    assert world.sync.armed
    assert world.sent - before == 2
    assert world.sync.sent_again == 1
    world.change(Change(Indicator(IndicatorType.DOMAIN, "d1.example"), "SOAR", None))
    world.settle()
    world.agree()
    assert world.sync.full_sets == 1


def test_arming_and_disarming_of_one_item_keep_their_order() -> None:
    world = World("zeek")
    world.sync.connect()
    world.settle()
    gone = Change(item(1).indicator, "SOAR", None)
    world.change(item(1), gone, item(1), gone, item(1, level="low"), item(2), gone)
    world.settle()
    world.agree()


def test_a_restarted_node_is_not_armed_until_it_has_the_full_set_again() -> None:
    world = World("worker-1", "worker-2")
    world.change(*map(item, range(100)))
    world.sync.connect()
    world.settle()
    world.nodes["worker-2"].restart()
    world.hear(world.nodes["worker-2"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()


def test_a_node_that_restarts_during_a_full_set_gets_another() -> None:
    world = World("worker-1", "worker-2")
    world.change(*map(item, range(60_000)))
    world.sync.connect()
    for _ in range(3):
        world.step()
    world.nodes["worker-1"].restart()
    world.hear(world.nodes["worker-1"].state())
    world.settle()
    world.agree()


def test_stale_intel_of_before_the_connection_leaves_at_the_end_of_the_full_set() -> None:
    world = World("zeek")
    world.change(*map(item, range(10)))
    world.sync.connect()
    world.settle()
    world.sync.disconnect()
    assert not world.sync.armed
    world.change(*(Change(item(n).indicator, "SOAR", None) for n in range(5)))
    world.sync.connect()
    world.settle()
    world.agree()


def test_few_batches_are_in_flight() -> None:
    world = World("zeek")
    world.change(*map(item, range(100_000)))
    world.sync.connect()
    world.step()
    world.step(lost=frozenset({"zeek"}))
    assert world.step(lost=frozenset({"zeek"})) == 0
    assert len(world.sync._flight) == IN_FLIGHT


def test_a_silent_node_is_given_up_and_taken_in_again_when_it_speaks() -> None:
    world = World("worker-1", "worker-2")
    world.sync.connect()
    world.settle()
    dead = frozenset({"worker-2"})
    world.change(item(1))
    for _ in range(TRIES + 1):
        world.step(lost=dead, seconds=ACK_SECONDS)
    assert set(world.sync.nodes) == {"worker-1"}
    assert world.sync.armed
    world.hear(world.nodes["worker-2"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()


def test_a_node_that_says_nothing_for_long_does_not_count() -> None:
    world = World("worker-1", "worker-2")
    world.sync.connect()
    world.settle()
    world.now += SILENT_SECONDS + 1
    world.hear(world.nodes["worker-1"].state())
    world.step()
    assert set(world.sync.nodes) == {"worker-1"}


def test_nodes_that_a_manager_expects_are_missed() -> None:
    world = World("worker-1")
    world.sync.connect()
    world.settle()
    about = About(role="manager", expected_nodes=["worker-1", "worker-2"])
    world.sync.state(State("manager", "1", about), world.now)
    assert world.sync.missing() == ["worker-2"]
    assert not world.sync.armed


def test_a_node_that_the_new_connection_does_not_reach_yet_holds_nobody_up() -> None:
    world = World("manager", "worker-1")
    world.change(item(1))
    world.sync.connect()
    world.settle()
    world.sync.disconnect()
    world.sync.connect()
    worker = frozenset({"worker-1"})
    for _ in range(20):
        world.step(lost=worker)
    assert world.sync.nodes["manager"].complete
    world.hear(world.nodes["worker-1"].state())
    world.settle()
    assert world.now < ACK_SECONDS
    world.agree()


def test_modules_are_told_to_every_node_that_comes() -> None:
    world = World("zeek")
    world.sync.use_modules(["HTTP", "DNS"])
    world.sync.connect()
    told = []
    for _ in range(20):
        world.now += 0.01
        for event in world.sync.due(world.now):
            told.append(event)
            world.hear(world.nodes["zeek"].take(event))
    assert [event.args[2] for event in told if event.name.endswith("modules")] == ["DNS,HTTP"]
    world.nodes["zeek"].restart()
    world.hear(world.nodes["zeek"].state())
    assert any(event.name.endswith("modules") for event in world.sync.due(world.now + 1))


def test_what_a_node_could_not_arm_is_kept() -> None:
    world = World("zeek")
    world.sync.connect()
    world.settle()
    world.sync.ack(Ack("zeek", "1", 99, 0, [{"v": "x", "t": "addr", "reason": "no address"}]), world.now)
    assert list(world.sync.refused) == [{"v": "x", "t": "addr", "reason": "no address"}]


class Weather(RuleBasedStateMachine):
    """Anything may happen in any order; at the end all is armed, and 'armed' was never said of what wasn't so."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World("worker-1", "worker-2")
        self.world.nodes["manager"] = FakeNode("manager", role="manager")

    @rule(
        number=st.integers(0, 8), source=st.sampled_from(["a", "b"]), level=st.sampled_from(["low", "high"])
    )
    def arm(self, number: int, source: str, level: str) -> None:
        self.world.change(item(number, source, level))

    @rule(number=st.integers(0, 8), source=st.sampled_from(["a", "b"]))
    def disarm(self, number: int, source: str) -> None:
        self.world.change(Change(item(number).indicator, source, None))

    @rule(up=st.booleans())
    def connection(self, up: bool) -> None:
        if up:
            self.world.sync.connect()
        else:
            self.world.sync.disconnect()

    @rule(name=st.sampled_from(["worker-1", "worker-2", "manager"]), told=st.booleans())
    def restart(self, name: str, told: bool) -> None:
        node = self.world.nodes[name]
        node.restart()
        # A node says so itself before it takes anything; when the link is down nobody hears it.
        if self.world.sync.connected:
            self.world.hear(node.state())

    @rule(
        lost=st.frozensets(st.sampled_from(["worker-1", "worker-2", "manager"])),
        seconds=st.sampled_from([0.01, 0.01, 1.0, ACK_SECONDS]),
    )
    def step(self, lost: frozenset[str], seconds: float) -> None:
        if self.world.sync.connected:
            self.world.step(lost, seconds)

    @rule(name=st.sampled_from(["worker-1", "worker-2", "manager"]))
    def tell_state(self, name: str) -> None:
        if self.world.sync.connected:
            self.world.hear(self.world.nodes[name].state())

    @invariant()
    def never_too_early(self) -> None:
        sync = self.world.sync
        if sync.armed:
            for node in sync.traffic_nodes():
                assert self.world.nodes[node.name].armed == self.world.expected()

    def teardown(self) -> None:
        self.world.sync.connect()
        for node in self.world.nodes.values():
            self.world.hear(node.state())
        self.world.settle()
        self.world.agree()


TestWeather = Weather.TestCase
TestWeather.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
