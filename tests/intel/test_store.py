"""The stores, in memory and on disk, against a naive one: a plain list, asked with ipaddress and endswith."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from threathunting.intel import disk_contents, disk_tables
from threathunting.intel.disk_store import DiskStore
from threathunting.intel.entries import CHUNK, Change, Hit, IntelStore
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item

ADDR, SUBNET, DOMAIN, URL = IndicatorType.ADDR, IndicatorType.SUBNET, IndicatorType.DOMAIN, IndicatorType.URL

# Few values, so that adding, removing and asking meet.
VALUES = {
    ADDR: ["10.1.2.3", "2001:db8::1"],
    SUBNET: ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "2001:db8::/32"],
    DOMAIN: ["example", "evil.example", "EVIL.example", "www.evil.example", "*.evil.example"],
    # As the same text may be of two types; and one that is the other in lower case.
    URL: ["/gate.php", "/Gate.php", "evil.example", "\u00c4/\ud800"],
}
ARMED = [Indicator(type, value) for type, values in VALUES.items() for value in values]
ASKED = [
    *ARMED,
    Indicator(ADDR, "10.9.9.9"),
    Indicator(DOMAIN, "notevil.example"),
    Indicator(DOMAIN, "a.www.evil.example"),
    Indicator(DOMAIN, "A.www.Evil.example"),
    Indicator(URL, "/GATE.php"),
]
indicators = st.sampled_from(ARMED)
items = st.builds(
    Item,
    source=st.sampled_from(["a", "b"]),
    level=st.sampled_from(["low", "high"]),
    id=st.sampled_from([None, "", "7", "\udfff"]),
    tags=st.sampled_from([(), ("t", "u")]),
    expires=st.sampled_from([None, 9.99, 10.0, 15.0, 20.0]),
    subdomains=st.booleans(),
)
TIMES = (0.0, 9.99, 12.0, 20.0)


class Model(RuleBasedStateMachine):
    def make(self) -> IntelStore:
        return Store(journal=5)

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make()
        self.told: list[tuple[Indicator, Item]] = []
        assert self.store.changes_since(0) == []
        self.followed: dict[int, tuple[set[Indicator], set[Indicator]]] = {}

    @rule(indicator=indicators, item=items)
    def add(self, indicator: Indicator, item: Item) -> None:
        version = self.store.version
        is_new = (indicator, item) not in self.told
        assert self.store.add(indicator, item) is is_new
        assert (self.store.version > version) is is_new
        self.told = [told for told in self.told if told[0] != indicator or told[1].source != item.source]
        self.told.append((indicator, item))

    @rule(indicator=indicators, source=st.sampled_from(["a", "b", None]))
    def remove(self, indicator: Indicator, source: str | None) -> None:
        left = [told for told in self.told if told[0] != indicator or source not in (None, told[1].source)]
        assert self.store.remove(indicator, source) is (len(left) < len(self.told))
        self.told = left

    @rule(now=st.sampled_from([9.0, 10.0, 12.0, 15.0, 19.0]))
    def expire(self, now: float) -> None:
        gone = [told for told in self.told if told[1].expires is not None and told[1].expires <= now]
        self.told = [told for told in self.told if told not in gone]
        assert sorted(self.store.expire(now), key=repr) == sorted(gone, key=repr)

    @invariant()
    def every_look_up_in_lower_case(self) -> None:
        for type, value in ASKED:
            for at in TIMES:
                hits = self.store.lookup_folded(type, value, at)
                assert hits == sorted(self.expected(type, value, at, lower), key=nearest_first)

    @invariant()
    def every_look_up(self) -> None:
        for type, value in ASKED:
            for at in TIMES:
                hits = self.store.lookup(type, value, at)
                assert sorted(hits, key=repr) == sorted(self.expected(type, value, at), key=repr)
                assert hits == sorted(hits, key=nearness, reverse=True)

    def expected(
        self, type: IndicatorType, value: str, at: float, form: Callable[[str], str] = str
    ) -> list[Hit]:
        value = form(value)
        found: dict[Indicator, list[Item]] = {}
        for indicator, item in self.told:
            alive = item.expires is None or at < item.expires
            exact = (indicator.type, form(indicator.value)) == (type, value)
            inside = (
                type is ADDR
                and indicator.type is SUBNET
                and ipaddress.ip_address(value) in ipaddress.ip_network(indicator.value)
            )
            below = (
                type is DOMAIN
                and indicator.type is DOMAIN
                and item.subdomains
                and value.endswith("." + form(indicator.value))
            )
            if alive and (exact or inside or below):
                found.setdefault(indicator, []).append(item)
        return [
            Hit(indicator, tuple(sorted(items, key=lambda item: item.source)))
            for indicator, items in found.items()
        ]

    @rule()
    def follow(self) -> None:
        """What is armed and what are rules at a version, kept by someone who follows."""
        armed = {indicator for indicator, _ in self.told}
        rules = {indicator for indicator, item in self.told if indicator.type is DOMAIN and item.subdomains}
        self.followed[self.store.version] = armed, rules

    @invariant()
    def what_changed_tells_what_is_armed_and_what_matches_more(self) -> None:
        armed = {indicator for indicator, _ in self.told}
        rules = {indicator for indicator, item in self.told if indicator.type is DOMAIN and item.subdomains}
        for version, (armed_then, rules_then) in self.followed.items():
            changes = self.store.changes_since(version)
            if self.store.version - version > 5:
                assert changes is None
                continue
            assert changes is not None
            assert len(changes) == self.store.version - version
            last = dict(changes)
            assert {indicator for indicator, change in last.items() if change} == armed & last.keys()
            assert armed ^ armed_then <= last.keys()
            more = {indicator for indicator, change in changes if change is Change.ARMED}
            assert (armed - armed_then) | (rules - rules_then) <= more

    @invariant()
    def what_goes_to_sensors(self) -> None:
        for type in VALUES:
            armed = {indicator.value for indicator, _ in self.told if indicator.type is type}
            assert flat(self.store.folded_values(type)) == sorted({lower(value) for value in armed})
            of_type = [(indicator.value, item) for indicator, item in self.told if indicator.type is type]
            entries = [
                (value, item)
                for chunk in self.store.entries(type)
                for value, entry in chunk
                for item in (entry if isinstance(entry, tuple) else (entry,))
            ]
            assert sorted(entries, key=repr) == sorted(of_type, key=repr)
        rules = {
            lower(indicator.value)
            for indicator, item in self.told
            if indicator.type is DOMAIN and item.subdomains
        }
        assert flat(self.store.subdomain_rule_values()) == sorted(rules)

    @invariant()
    def same(self) -> None:
        assert sorted(self.store.items(), key=repr) == sorted(self.told, key=repr)
        armed = {indicator for indicator, _ in self.told}
        assert len(self.store) == len(armed)
        assert sum(self.store.counts().values()) == len(armed)
        for of in VALUES:
            values = self.store.values(of)
            assert sorted(values) == sorted(value for type, value in armed if type is of)
            assert len(values) == len(set(values))
            assert [value for type, value in ASKED if type is of and value in values] == [
                value for type, value in ASKED if type is of and (type, value) in armed
            ]
        assert set(self.store.subdomain_rules()) == {
            indicator.value for indicator, item in self.told if indicator.type is DOMAIN and item.subdomains
        }


class OnDisk(Model):
    def make(self) -> IntelStore:
        self.folder = tempfile.TemporaryDirectory()
        self.patches = [
            patch.object(disk_contents, "BUFFER", 4),
            patch.object(disk_contents, "_STALE", 3),
            patch.object(disk_tables, "_SMALL", 6),
            patch.object(disk_tables, "_MOVED", 2),
            patch.object(disk_tables, "_LEFT", 1),
            patch.object(disk_tables, "_READ", 2),
            patch.object(disk_tables, "_AT_ONCE", 2),
        ]
        for one in self.patches:
            one.start()
        return DiskStore(Path(self.folder.name, "intel.db"), journal=5)

    @rule()
    def write(self) -> None:
        assert isinstance(self.store, DiskStore)
        self.store._contents.write()

    @rule()
    def tidy(self) -> None:
        assert isinstance(self.store, DiskStore)
        self.store.tidy()

    def teardown(self) -> None:
        self.store.close()
        for one in self.patches:
            one.stop()
        assert list(Path(self.folder.name).iterdir()) == []
        self.folder.cleanup()


def lower(text: str) -> str:
    return "".join(letter.lower() if "A" <= letter <= "Z" else letter for letter in text)


def flat(chunks: Iterator[list[str]]) -> list[str]:
    return sorted(value for chunk in chunks for value in chunk)


def nearest_first(hit: Hit) -> tuple[int, int, str]:
    type, value = hit.indicator
    if type is SUBNET:
        return 1, -int(value.rpartition("/")[2]), value
    return 0, -len(value), value


def nearness(hit: Hit) -> tuple[bool, int]:
    """The more exact, the greater."""
    type, value = hit.indicator
    if type is SUBNET:
        return False, int(value.rpartition("/")[2])
    return type is ADDR, len(value)


TestInMemory = Model.TestCase
TestInMemory.settings = settings(max_examples=100, stateful_step_count=30)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)

Make = Callable[..., IntelStore]


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    stores: list[IntelStore] = []

    def made(**limits: int) -> IntelStore:
        path = tmp_path / f"{len(stores)}.db"
        stores.append(Store(**limits) if request.param == "memory" else DiskStore(path, **limits))
        return stores[-1]

    yield made
    for store in stores:
        store.close()


def test_a_full_store_refuses_new_indicators_only(make: Make) -> None:
    store = make(limit=1)
    store.add(Indicator(ADDR, "192.0.2.1"), Item("a"))
    with pytest.raises(OverflowError, match="full"):
        store.add(Indicator(ADDR, "192.0.2.2"), Item("a"))
    assert store.add(Indicator(ADDR, "192.0.2.1"), Item("b"))
    assert len(store) == 1
    assert store.counts() == {"addr": 1}


def test_equal_items_are_one_object() -> None:
    store = Store()
    for number in range(20):
        store.add(Indicator(ADDR, f"192.0.2.{number}"), Item("feed", desc="the same"))
    assert len({id(item) for _, item in store.items()}) == 1


def test_items_that_are_gone_are_not_kept_for_sharing() -> None:
    store = Store()
    for number in range(25_000):
        indicator = Indicator(URL, "evil.example/")
        store.add(indicator, Item("feed", id=str(number)))
    assert len(store._interned) <= 10_001
    assert len(list(store.items())) == 1


def test_an_item_renewed_again_and_again_expires_once_at_its_last_end(make: Make) -> None:
    store = make()
    indicator = Indicator(DOMAIN, "evil.example")
    for end in (5.0, 7.0, 42.0, 6.0):
        store.add(indicator, Item("feed", expires=end))
    assert store.expire(5.5) == []
    assert store.expire(100.0) == [(indicator, Item("feed", expires=6.0))]
    assert store.expire(100.0) == []
    assert len(store) == 0


def test_the_nearest_rule_comes_first(make: Make) -> None:
    store = make()
    for value in ("10.0.0.0/8", "10.1.2.0/24", "10.1.0.0/16"):
        store.add(Indicator(SUBNET, value), Item("feed"))
    store.add(Indicator(ADDR, "10.1.2.3"), Item("feed"))
    found = [hit.indicator.value for hit in store.lookup(ADDR, "10.1.2.3", 0)]
    assert found == ["10.1.2.3", "10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8"]


def test_a_subnet_is_found_under_our_way_of_writing_it(make: Make) -> None:
    store = make()
    indicator = Indicator(SUBNET, "::ffff:0:0:0/96")
    store.add(indicator, Item("feed"))
    assert [hit.indicator for hit in store.lookup(ADDR, "::ffff:0:1:2", 0)] == [indicator]
    assert store.remove(indicator, "feed")
    assert store.lookup(ADDR, "::ffff:0:1:2", 0) == []


def test_the_journal_begins_with_the_first_who_follows(make: Make) -> None:
    store = make()
    first, second = Indicator(ADDR, "192.0.2.1"), Indicator(DOMAIN, "evil.example")
    store.add(first, Item("a"))
    assert store.changes_since(0) is None
    version = store.version
    assert store.changes_since(version) == []
    store.add(second, Item("a"))
    store.add(second, Item("b"))
    store.add(second, Item("b"))
    store.add(second, Item("b", subdomains=True))
    store.add(second, Item("b", subdomains=True, level="high"))
    store.remove(second, "b")
    store.remove(first)
    assert store.changes_since(version) == [
        (second, Change.ARMED),
        (second, Change.CHANGED),
        (second, Change.ARMED),
        (second, Change.CHANGED),
        (second, Change.CHANGED),
        (first, Change.REMOVED),
    ]
    assert store.changes_since(version + 5) == [(first, Change.REMOVED)]
    assert store.changes_since(0) is None


def test_expiry_is_in_the_journal(make: Make) -> None:
    store = make()
    version = store.version
    store.changes_since(version)
    ending, staying = Indicator(ADDR, "192.0.2.1"), Indicator(ADDR, "192.0.2.2")
    store.add(ending, Item("a", expires=5.0))
    store.add(staying, Item("a", expires=5.0))
    store.add(staying, Item("b"))
    version = store.version
    store.expire(10.0)
    assert store.changes_since(version) == [(ending, Change.REMOVED), (staying, Change.CHANGED)]


def test_the_journal_is_bounded(make: Make) -> None:
    store = make(journal=3)
    store.changes_since(0)
    for number in range(4):
        store.add(Indicator(ADDR, f"192.0.2.{number}"), Item("a"))
    changes = store.changes_since(1)
    assert changes is not None
    assert [indicator.value for indicator, _ in changes] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert store.changes_since(0) is None


def test_values_are_gone_through_as_zeek_compares_them_while_the_store_changes() -> None:
    store = Store()
    names = [f"d{number}.example" for number in range(CHUNK + 10)]
    for name in names:
        store.add(Indicator(IndicatorType.DOMAIN, name), Item("a", subdomains=name == "d7.example"))
    chunks = store.folded_values(IndicatorType.DOMAIN)
    found = [next(chunks)]
    store.add(Indicator(IndicatorType.DOMAIN, "later.example"), Item("a"))
    store.remove(Indicator(IndicatorType.DOMAIN, names[0]))
    found += chunks
    assert [len(chunk) for chunk in found] == [CHUNK, 10]
    assert {value for chunk in found for value in chunk} >= set(names[1:])
    assert list(store.subdomain_rule_values()) == [["d7.example"]]
    assert list(store.folded_values(IndicatorType.URL)) == []


def test_a_value_as_zeek_sees_it_is_looked_up() -> None:
    store = Store()
    evil = Indicator(IndicatorType.DOMAIN, "evil.example")
    store.add(evil, Item("a", subdomains=True, expires=100.0))
    assert [hit.indicator for hit in store.lookup_folded(IndicatorType.DOMAIN, "WWW.Evil.EXAMPLE", 99.0)] == [
        evil
    ]
    assert store.lookup_folded(IndicatorType.DOMAIN, "WWW.Evil.EXAMPLE", 100.0) == []
    # The Kelvin sign is no k to Zeek.
    store.add(Indicator(IndicatorType.FILE_NAME, "k"), Item("a"))
    assert store.lookup_folded(IndicatorType.FILE_NAME, "\u212a", 0.0) == []
