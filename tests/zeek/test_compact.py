"""Filters brought to the armed set: whatever is lost, restarted or changed meanwhile, 'armed' is never said too early."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek import compact, compact_fill
from threathunting.zeek.compact import CHECK_SECONDS
from threathunting.zeek.compact_fill import LEAST_AGE, Settings
from threathunting.zeek.protocol import Ack
from threathunting.zeek.sync import ACK_SECONDS, IN_FLIGHT, SHOW_SECONDS, SILENT_SECONDS, TRIES, Change

from .compact_world import CompactNode, CompactWorld, change, removal


def armed_world(*names: str, count: int = 10, **more: object) -> CompactWorld:
    world = CompactWorld(*names, **more)  # type: ignore[arg-type]
    world.change(*(change(number) for number in range(count)))
    world.connect()
    world.settle()
    world.agree()
    world.sent.clear()
    return world


def test_all_nodes_are_filled_at_once_and_only_then_armed() -> None:
    world = CompactWorld("worker-1", "worker-2")
    world.change(*(change(number, subdomains=number % 2 == 0) for number in range(12_000)))
    world.change(change(7, "addr"))
    world.connect()
    assert not world.sync.armed
    world.settle()
    world.agree()
    assert world.sync.full_sets == 1
    assert [event.topic for event in world.sent if event.name.endswith("compact_begin")] == [
        "/threathunting/node/worker-1/",
        "/threathunting/node/worker-2/",
    ]
    adds = [event for event in world.sent if event.name.endswith("compact_add")]
    assert {event.topic for event in adds} == {"/threathunting/command/"}
    assert len(adds) == 3 + 1 + 2
    assert world.nodes["worker-1"].setup == {
        "exact": 10_000_000,
        "subdomains": 1_000_000,
        "rate": 1e-6,
        "hold": 2.0,
    }


def test_filters_are_made_for_more_than_there_is() -> None:
    world = CompactWorld("zeek", settings=Settings(capacity=10, subdomain_capacity=10))
    world.change(*(change(number, subdomains=number < 20) for number in range(100)))
    world.connect()
    world.settle()
    assert (world.nodes["zeek"].setup["exact"], world.nodes["zeek"].setup["subdomains"]) == (125, 25)


def test_values_are_sent_only_after_all_have_begun() -> None:
    world = CompactWorld("worker-1", "worker-2")
    world.change(change(1))
    world.connect()
    world.step(lost=frozenset({"worker-2"}))
    for _ in range(5):
        assert world.step() == 0
    assert world.count("compact_add") == 0
    world.step(seconds=ACK_SECONDS)
    world.settle()
    world.agree()


def test_changes_go_alone_and_only_their_acknowledgement_makes_them_armed() -> None:
    world = armed_world("zeek")
    world.change(change(100, subdomains=True), change(5, "addr"))
    assert not world.sync.armed
    assert world.sync.waiting == 2
    world.step(lost=frozenset({"zeek"}))
    assert not world.sync.armed
    world.step(seconds=ACK_SECONDS)
    assert world.sync.armed
    world.agree()
    assert world.sync.full_sets == 1
    assert {event.args[3] for event in world.sent if event.name.endswith("compact_add")} == {0}


def test_what_leaves_is_forgotten_and_stays_in_the_filter() -> None:
    world = armed_world("zeek")
    world.change(change(5, "addr"))
    world.settle()
    world.ask("zeek", "addr", "192.0.2.5")
    world.ask("zeek", "domain", "d1.example")
    world.change(removal(5, "addr"), removal(1))
    assert not world.sync.armed
    world.settle()
    world.agree()
    assert world.nodes["zeek"].remembered == {}
    assert ("domain", "d1.example") in world.nodes["zeek"].live.values  # type: ignore[union-attr]


def test_a_domain_that_stands_for_its_subdomains_or_did_voids_what_is_remembered_of_them() -> None:
    world = armed_world("zeek", count=0)
    for now in (change(1, subdomains=True), change(1, subdomains=False), removal(1)):
        world.ask("zeek", "domain", "www.d1.example")
        world.change(now)
        world.settle()
        world.agree()


def test_what_was_answered_before_an_item_changed_is_forgotten() -> None:
    world = armed_world("zeek")
    world.change(change(5, "addr"))
    world.settle()
    world.ask("zeek", "addr", "192.0.2.5")
    world.change(change(5, "addr", level="low"))
    world.settle()
    world.agree()


def test_when_levels_count_otherwise_all_is_forgotten_and_nothing_sent_anew() -> None:
    world = armed_world("zeek")
    world.ask("zeek", "domain", "d1.example")
    world.sync.forget_all()
    assert not world.sync.armed
    world.settle()
    assert world.nodes["zeek"].remembered == {}
    assert world.count("compact_add") == 0
    assert {(event.args[3], event.args[4]) for event in world.sent} == {
        (type.value, "*") for type in IndicatorType if type is not IndicatorType.SUBNET
    } | {("subdomains", "*")}


def test_a_restarted_node_is_filled_alone() -> None:
    world = armed_world("worker-1", "worker-2")
    world.nodes["worker-2"].restart()
    world.hear(world.nodes["worker-2"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()
    filled = [event for event in world.sent if event.name.endswith(("compact_add", "compact_end"))]
    assert {event.topic for event in filled} == {"/threathunting/node/worker-2/"}


def test_a_node_that_restarts_while_it_is_filled_is_filled_again_and_the_others_once() -> None:
    world = CompactWorld("worker-1", "worker-2")
    world.change(*(change(number) for number in range(60_000)))
    world.connect()
    for _ in range(3):
        world.step()
    world.nodes["worker-1"].restart()
    world.hear(world.nodes["worker-1"].state())
    first = world.sync.building
    world.settle()
    world.agree()
    assert world.nodes["worker-2"].live.number == first  # type: ignore[union-attr]
    assert world.nodes["worker-1"].live.number > first  # type: ignore[union-attr]


def test_changes_go_live_while_a_fill_runs() -> None:
    world = armed_world("worker-1", count=60_000)
    world.nodes["worker-2"] = CompactNode("worker-2")
    world.hear(world.nodes["worker-2"].state())
    world.step()
    world.step()
    assert world.sync.building
    world.change(change(70_000))
    world.step()
    assert ("domain", "d70000.example") in world.nodes["worker-1"].live.values  # type: ignore[union-attr]
    assert world.sync.building
    world.settle()
    world.agree()


def test_a_broken_connection_costs_only_what_changed_meanwhile() -> None:
    world = armed_world("worker-1", "worker-2")
    world.change(change(100))
    # It arrives; the acknowledgements don't.
    world.step(deaf=frozenset({"worker-1", "worker-2"}))
    world.change(change(101))
    world.sync.disconnect()
    assert not world.sync.armed
    world.change(change(102), removal(1))
    world.connect()
    assert not world.sync.armed
    world.settle()
    world.agree()
    assert world.sync.full_sets == 1


def test_a_node_that_comes_late_gets_what_it_missed_though_others_had_it() -> None:
    world = armed_world("worker-1", "worker-2")
    world.sync.disconnect()
    world.change(change(100))
    world.sync.connect()
    world.hear(world.nodes["worker-1"].state())
    for _ in range(10):
        world.step(lost=frozenset({"worker-2"}))
    world.change(change(101))
    for _ in range(10):
        world.step(lost=frozenset({"worker-2"}))
    assert world.lacks("worker-1") == ""
    world.hear(world.nodes["worker-2"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()
    assert world.sync.full_sets == 1


def test_what_is_kept_for_nodes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "KEPT", 5)
    world = armed_world("zeek")
    world.sync.disconnect()
    world.change(*(change(number) for number in range(100, 106)))
    assert world.sync.waiting == 0
    world.connect()
    world.settle()
    world.agree()
    assert world.sync.full_sets == 2


def test_more_changes_than_can_wait_are_a_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "MAX_PENDING", 5)
    world = armed_world("zeek")
    world.change(*(change(number) for number in range(100, 106)))
    world.settle()
    world.agree()
    assert world.sync.full_sets == 2
    assert world.sync._journal.unsent == 0


def test_a_node_with_other_filters_than_it_finished_is_filled() -> None:
    world = armed_world("zeek")
    world.nodes["zeek"].live = None
    world.hear(world.nodes["zeek"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()


def test_after_our_restart_a_new_generation_is_built_and_nothing_old_remembered() -> None:
    world = armed_world("zeek")
    old = world.nodes["zeek"].live
    assert old is not None
    world.ask("zeek", "domain", "d1.example")
    world.sync.disconnect()
    world.change(removal(1))
    world.restart_us()
    world.connect()
    world.step()
    assert world.nodes["zeek"].live is old
    world.settle()
    world.agree()
    assert world.nodes["zeek"].live.number > old.number
    assert ("domain", "d1.example") not in world.nodes["zeek"].live.values


@pytest.mark.parametrize(("gone", "renewals"), [(20, 0), (21, 1)])
def test_a_new_generation_is_built_when_a_share_has_left(gone: int, renewals: int) -> None:
    world = armed_world("zeek", count=120, settings=Settings(rebuild_share=0.2))
    world.change(*(removal(number) for number in range(gone)))
    world.settle()
    for seconds, expected in ((CHECK_SECONDS, 0), (LEAST_AGE, renewals)):
        world.now += seconds
        world.hear(world.nodes["zeek"].state())
        world.step()
        assert world.sync.renewals == expected
    assert world.sync.armed
    world.settle()
    live = world.nodes["zeek"].live
    assert live is not None
    assert len(live.values) == (120 if not renewals else 99)


def test_an_old_generation_is_renewed_only_if_anything_left() -> None:
    world = armed_world("zeek", count=100, settings=Settings(rebuild_after=60.0))

    def later() -> int:
        world.now += 61
        world.hear(world.nodes["zeek"].state())
        world.settle()
        return world.sync.renewals

    assert later() == 0
    world.change(removal(1))
    world.settle()
    assert later() == 1
    assert later() == 1


@pytest.mark.parametrize("subdomains", [False, True])
def test_filters_that_are_outgrown_are_built_larger(subdomains: bool) -> None:
    bounds = Settings(capacity=10_000 if subdomains else 20, subdomain_capacity=20)
    world = armed_world("zeek", count=20, settings=bounds)
    world.change(*(change(number, subdomains=subdomains) for number in range(100, 200)))
    world.settle()
    world.now += CHECK_SECONDS
    world.hear(world.nodes["zeek"].state())
    world.settle()
    assert world.sync.renewals == 1
    assert world.nodes["zeek"].setup["subdomains" if subdomains else "exact"] > 100
    world.now += CHECK_SECONDS
    world.hear(world.nodes["zeek"].state())
    world.settle()
    assert world.sync.renewals == 1


def test_few_batches_are_in_flight_and_changes_have_their_place_among_them() -> None:
    world = CompactWorld("zeek", chunk=100)
    world.change(*(change(number) for number in range(10_000)))
    world.connect()
    world.step()
    dead = frozenset({"zeek"})
    world.step(lost=dead)
    assert world.step(lost=dead) == 0
    assert len(world.sync._flight) == IN_FLIGHT
    world.settle()
    world.agree()


def test_a_silent_node_is_given_up_and_filled_when_it_speaks() -> None:
    world = armed_world("worker-1", "worker-2")
    dead = frozenset({"worker-2"})
    world.change(change(100))
    for _ in range(TRIES + 1):
        world.step(lost=dead, seconds=ACK_SECONDS)
    assert set(world.sync.nodes) == {"worker-1"}
    assert list(world.sync.silent) == ["worker-2"]
    assert world.sync.armed
    world.hear(world.nodes["worker-2"].state())
    assert not world.sync.armed
    world.settle()
    world.agree()
    world.now += SILENT_SECONDS + 1
    world.hear(world.nodes["worker-1"].state())
    world.step()
    assert set(world.sync.nodes) == {"worker-1"}


def test_expected_nodes_are_waited_for_a_little_and_missed() -> None:
    world = CompactWorld("worker-1")
    world.nodes["worker-1"].expected = ["worker-1", "worker-2"]
    world.change(change(1))
    world.connect()
    world.step()
    assert not world.sync.building
    for _ in range(20):
        world.step(seconds=SHOW_SECONDS / 10)
    assert world.lacks("worker-1") == ""
    assert world.sync.missing() == ["worker-2"]
    assert not world.sync.armed


def test_a_manager_and_subnets_are_not_its_affair() -> None:
    world = CompactWorld("worker-1")
    world.nodes["manager"] = CompactNode("manager", role="manager")
    net = Indicator(IndicatorType.SUBNET, "192.0.2.0/24")
    world.change(change(1), Change(net, "a", Item("a")))
    world.connect()
    world.settle()
    world.change(Change(net, "b", Item("b")))
    assert world.sync.armed
    assert world.nodes["manager"].live is None
    assert not any("192.0.2.0/24" in str(event.args) for event in world.sent)


def test_values_that_no_list_can_carry_are_told_and_not_sent() -> None:
    world = CompactWorld("zeek")
    bad = Change(Indicator(IndicatorType.USER_NAME, "a\nb"), "a", Item("a"))
    world.change(change(1), bad)
    world.connect()
    world.settle()
    assert [one["v"] for one in world.sync.refused] == ["a\nb"]
    world.change(bad._replace(indicator=Indicator(IndicatorType.USER_NAME, "c\x00d")), change(2))
    world.settle()
    assert [one["v"] for one in world.sync.refused] == ["a\nb", "c\x00d"]
    live = world.nodes["zeek"].live
    assert live is not None
    assert live.values == {("domain", "d1.example"), ("domain", "d2.example")}


def test_acknowledgements_of_another_boot_or_of_nobody_count_for_nothing() -> None:
    world = armed_world("zeek")
    world.change(change(100))
    world.step(lost=frozenset({"zeek"}))
    (number, *_) = [event.args[2] for event in world.sent if event.name.endswith("compact_add")]
    for ack in (Ack("zeek", "9", int(str(number)), 1), Ack("other", "1", int(str(number)), 1)):
        world.sync.ack(ack, world.now)
    assert not world.sync.armed


NAMES = st.sampled_from(["worker-1", "worker-2", "worker-3"])
NUMBERS = st.integers(0, 6)
TYPES = st.sampled_from(["domain", "domain", "addr"])


class Weather(RuleBasedStateMachine):
    """Anything may happen in any order; at the end all is armed, and 'armed' was never said of what wasn't so."""

    in_flight = IN_FLIGHT

    def __init__(self) -> None:
        super().__init__()
        tight = Settings(capacity=4, subdomain_capacity=2, rebuild_after=40.0)
        self.world = CompactWorld("worker-1", "worker-2", settings=tight, chunk=2)
        self.world.nodes["manager"] = CompactNode("manager", role="manager")
        # So small that they matter.
        self.bounds = pytest.MonkeyPatch()
        self.bounds.setattr(compact, "KEPT", 6)
        self.bounds.setattr(compact, "IN_FLIGHT", self.in_flight)
        self.bounds.setattr(compact_fill, "LEAST_AGE", 0.0)

    @rule(
        number=NUMBERS, type=TYPES, source=st.sampled_from("ab"), subdomains=st.booleans(), low=st.booleans()
    )
    def arm(self, number: int, type: str, source: str, subdomains: bool, low: bool) -> None:
        self.world.change(change(number, type, source, subdomains, "low" if low else "high"))

    @rule(number=NUMBERS, type=TYPES, source=st.sampled_from("ab"))
    def disarm(self, number: int, type: str, source: str) -> None:
        self.world.change(removal(number, type, source))

    @rule(numbers=st.lists(st.integers(0, 40), min_size=5))
    def many(self, numbers: list[int]) -> None:
        self.world.change(*(change(number) for number in numbers))

    @rule(name=NAMES, number=NUMBERS, sub=st.booleans())
    def ask(self, name: str, number: int, sub: bool) -> None:
        if name in self.world.nodes and self.world.sync.connected:
            self.world.ask(name, "domain", f"{'www.' if sub else ''}d{number}.example")
            self.world.ask(name, "addr", f"192.0.2.{number}")

    @rule(up=st.booleans(), shown=st.frozensets(NAMES))
    def connection(self, up: bool, shown: frozenset[str]) -> None:
        if not up:
            self.world.sync.disconnect()
            return
        self.world.sync.connect()
        for name in shown & self.world.nodes.keys():
            self.world.hear(self.world.nodes[name].state())

    @rule()
    def join(self) -> None:
        if "worker-3" not in self.world.nodes:
            self.world.nodes["worker-3"] = CompactNode("worker-3")
            if self.world.sync.connected:
                self.world.hear(self.world.nodes["worker-3"].state())

    @rule(name=NAMES)
    def restart(self, name: str) -> None:
        if name in self.world.nodes:
            self.world.nodes[name].restart()
            # A node says so itself before it takes anything; when the link is down nobody hears it.
            if self.world.sync.connected:
                self.world.hear(self.world.nodes[name].state())

    @rule()
    def restart_us(self) -> None:
        self.world.restart_us()

    @rule()
    def levels(self) -> None:
        self.world.sync.forget_all()

    @rule(
        lost=st.frozensets(NAMES),
        deaf=st.frozensets(NAMES),
        seconds=st.sampled_from([0.01, 0.01, 0.01, 1.0, ACK_SECONDS]),
        times=st.integers(1, 5),
    )
    def step(self, lost: frozenset[str], deaf: frozenset[str], seconds: float, times: int) -> None:
        if self.world.sync.connected:
            for _ in range(times):
                self.world.step(lost, deaf, seconds)
                self.never_too_early()

    @rule(times=st.sampled_from([1, 4, 60]))
    def calm(self, times: int) -> None:
        if self.world.sync.connected:
            for _ in range(times):
                self.world.step()
                self.never_too_early()

    @rule(name=NAMES)
    def tell_state(self, name: str) -> None:
        if name in self.world.nodes and self.world.sync.connected:
            self.world.hear(self.world.nodes[name].state())

    @invariant()
    def never_too_early(self) -> None:
        sync = self.world.sync
        if sync.armed:
            for node in sync.traffic_nodes():
                assert self.world.lacks(node.name) == ""

    def teardown(self) -> None:
        try:
            if self.world.sync.connected:
                for node in self.world.nodes.values():
                    self.world.hear(node.state())
            else:
                self.world.connect()
            self.world.settle()
            self.world.agree()
        finally:
            self.bounds.undo()


def test_a_node_given_up_while_it_was_filled_is_filled_when_it_tells_its_state() -> None:
    world = CompactWorld("worker-1", "worker-2")
    world.sync.connect()
    world.hear(world.nodes["worker-1"].state())
    for _ in range(TRIES):
        world.step(lost=frozenset(world.nodes), seconds=ACK_SECONDS)
    world.hear(world.nodes["worker-2"].state())
    world.settle()
    world.agree()


class NarrowWeather(Weather):
    """So few messages at once that most of what is told waits."""

    in_flight = 2


TestWeather = Weather.TestCase
TestWeather.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
TestNarrowWeather = NarrowWeather.TestCase
TestNarrowWeather.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
