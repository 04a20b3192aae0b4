"""What gates derive from the intel follows its changes, and stays small."""

from __future__ import annotations

import pytest

from threathunting.hunt.gates import Gates, derived
from threathunting.intel.canonical import indicator
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType

from .traffic import arm


@pytest.mark.parametrize("large", [1_000_000, 8, 0])
def test_rules_of_any_length_and_order(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "LARGE", large)
    store = Store()
    gates = Gates(store)
    rules = [
        f"{'x' * length}.example"
        for length in (30, 3, 20, 1, 29, 2, 4, 28, 9, 60, 12)
    ] + ["a.de", "evil.de", "b.io", "longer.io", "de", "x"]  # fmt: skip
    for number, added in enumerate(rules):
        arm(store, "domain", added, subdomains=True)
        gates.refresh()
        for armed in rules[: number + 1]:
            name = f"www.{armed}"
            assert name in gates.possible(IndicatorType.DOMAIN, [name]), added


@pytest.mark.parametrize("large", [1_000_000, 75, 0])
def test_what_is_gone_leaves_the_gates_when_it_has_become_much(
    large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "STALE", 10)
    monkeypatch.setattr(derived, "LARGE", large)
    store = Store()
    gates = Gates(store)
    hosts = [f"evil{number}.example" for number in range(100)]
    for host in hosts:
        arm(store, "url", f"{host}/x")
    gates.refresh()
    assert len(gates.possible_hosts(IndicatorType.URL, hosts)) == 100
    for host in hosts[:50]:
        store.remove(indicator(IndicatorType.URL, f"{host}/x"))
        gates.refresh()
    # A tenth of what is armed and ten more may be left.
    assert 50 <= len(gates.possible_hosts(IndicatorType.URL, hosts)) <= 50 + 5 + 10


def test_what_comes_and_goes_and_comes_again_is_taken_in_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "STALE", 3)
    store = Store()
    gates = Gates(store)
    for _ in range(20):
        subnet = arm(store, "subnet", "192.0.2.0/24")
        gates.refresh()
        assert gates.possible(IndicatorType.ADDR, ["192.0.2.1"]) == ["192.0.2.1"]
        store.remove(subnet)
        gates.refresh()
        assert gates.possible(IndicatorType.ADDR, ["192.0.2.1"]) == []


@pytest.mark.parametrize("large", [1_000_000, 0])
def test_paths_are_armed_exactly_while_they_are(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "LARGE", large)
    store = Store()
    gates = Gates(store)
    arm(store, "url", "evil.example/gate.php")
    gates.refresh()
    assert not gates.armed_paths()
    path = arm(store, "url", "/gate.php")
    gates.refresh()
    assert gates.armed_paths()
    store.remove(path)
    gates.refresh()
    assert not gates.armed_paths()
    # Come and gone between two looks.
    store.remove(arm(store, "url", "/gate.php"))
    gates.refresh()
    assert not gates.armed_paths()
    store.remove(path)
    arm(store, "url", "/other.php")
    gates.refresh()
    assert gates.armed_paths()
