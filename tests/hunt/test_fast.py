"""What the fast matcher knows, it forgets when intel or modules change: no more than it must, and no less."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.gates import MANY, Gates, derived
from threathunting.hunt.matching import NaiveMatcher
from threathunting.intel.canonical import indicator
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, Log, Plugin, Registry, Seen
from threathunting.records import ReadReport
from threathunting.sensors.batches import DictBatch, json_batch

from .traffic import REGISTRY, arm, found


@pytest.mark.parametrize(
    ("log", "record", "type", "text"),
    [
        ("conn", {"id.resp_h": "192.0.2.7"}, "addr", "192.0.2.7"),
        ("conn", {"id.resp_h": "2001:DB8::0:7"}, "addr", "2001:db8::7"),
        ("conn", {"id.resp_h": "192.0.2.7\n"}, "addr", "192.0.2.7"),
        ("conn", {"id.resp_h": "192.0.2.7"}, "subnet", "192.0.2.0/24"),
        ("conn", {"id.resp_h": "2001:db8::7"}, "subnet", "2001:db8::/32"),
        ("dns", {"query": "Evil.Example."}, "domain", "evil.example"),
        ("dns", {"query": "bücher.example"}, "domain", "xn--bcher-kva.example"),
        ("dns", {"answers": ["10.0.0.1", "192.0.2.7"]}, "addr", "192.0.2.7"),
        ("http", {"host": "evil.example:8080", "uri": "/x"}, "domain", "evil.example"),
        ("http", {"host": "evil.example", "uri": "/x?y"}, "url", "http://evil.example/x"),
        ("http", {"host": "a.example", "uri": "/gate.php?id=1"}, "url", "/gate.php"),
        ("http", {"referrer": "https://evil.example/x"}, "domain", "evil.example"),
        ("http", {"proxied": ["X-FORWARDED-FOR -> 192.0.2.7, 10.1.1.1"]}, "addr", "192.0.2.7"),
        ("http", {"user_agent": "Evil/1.0 (x)"}, "software", "evil/1.0 (x)"),
        ("ssl", {"subject": "CN=Evil.example,O=x"}, "domain", "evil.example"),
        ("ssl", {"subject": "CN=evil.example,O=x"}, "domain", "evil.example"),
        ("ssh", {"host_key": "9E:10:7D:9D:37:2B:B6:82:6B:D8:1D:35:42:A4:19:D6"}, "pubkey_hash",
         "9e107d9d372bb6826bd81d3542a419d6"),
        ("files", {"sha1": "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"}, "file_hash",
         "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("smtp", {"mailfrom": "Bad <A@Evil.example>"}, "email", "a@evil.example"),
    ],
)  # fmt: skip
def test_what_was_known_to_match_nothing_matches_once_it_is_armed(
    log: str, record: dict[str, Any], type: str, text: str
) -> None:
    store = Store()
    # Something of each type is armed, so that all of the record is looked at from the beginning.
    for type_, other in (
        ("addr", "203.0.113.1"),
        ("domain", "other.example"),
        ("url", "other.example/"),
        ("software", "other"),
        ("email", "other@x.example"),
        ("file_hash", "0" * 40),
        ("pubkey_hash", "0" * 32),
    ):
        arm(store, type_, other)
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch(log, [{"ts": 1.0, "uid": "C1", **record}])
    for _ in range(2):
        # The first change makes the matcher follow.
        arm(store, "user_name", "x")
        assert found(matcher, batch) == []
        armed = arm(store, type, text)
        assert [matches[0].hits[0].indicator for _, matches in found(matcher, batch)] == [armed]
        store.remove(armed)
        assert found(matcher, batch) == []


def test_what_stands_beside_a_match_is_not_forgotten() -> None:
    store = Store()
    arm(store, "domain", "bad.example")
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch(
        "http", [{"ts": 1.0, "host": host} for host in ("bad.example:8080", "evil.example:8080")]
    )
    for number in range(2):
        arm(store, "user_name", f"x{number}")
        assert [row for row, _ in found(matcher, batch)] == [0]
    arm(store, "domain", "evil.example")
    assert [row for row, _ in found(matcher, batch)] == [0, 1]


def test_what_was_known_while_its_type_was_not_armed() -> None:
    store = Store()
    arm(store, "addr", "203.0.113.1")
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch("dns", [{"ts": 1.0, "answers": ["Evil.Example"]}])
    for number in range(2):
        arm(store, "user_name", f"x{number}")
        assert found(matcher, batch) == []
    arm(store, "domain", "evil.example")
    assert len(found(matcher, batch)) == 1


@pytest.mark.parametrize("count", [1, MANY + 1])
@pytest.mark.parametrize("journal", [MANY // 2, 10 * MANY])
def test_many_changes_at_once(count: int, journal: int) -> None:
    store = Store(journal=journal)
    matcher = FastMatcher(store, REGISTRY)
    conn = DictBatch(
        "conn", [{"ts": 1.0, "id.resp_h": "192.0.2.1"}, {"ts": 1.0, "id.resp_h": "198.51.100.1"}]
    )
    http = DictBatch("http", [{"ts": 1.0, "host": "evil.example", "uri": "/x"}])
    dns = DictBatch("dns", [{"ts": 1.0, "query": "www.evil.example"}])
    for number in range(2):
        arm(store, "addr", f"203.0.113.{number}")
        arm(store, "url", f"a{number}.example/")
        arm(store, "domain", f"a{number}.example")
        assert [found(matcher, batch) for batch in (conn, http, dns)] == [[], [], []]
    arm(store, "addr", "192.0.2.1")
    arm(store, "subnet", "198.51.100.0/24")
    arm(store, "url", "evil.example/x")
    arm(store, "domain", "evil.example", subdomains=True)
    for number in range(count):
        arm(store, "addr", f"203.0.{number >> 8}.{number & 255}")
        arm(store, "url", f"b.example/{number}")
    assert [len(found(matcher, batch)) for batch in (conn, http, dns)] == [2, 1, 1]


def test_what_is_known_is_not_asked_again_when_other_intel_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    possible = Gates.possible

    def noted(gates: Gates, type: IndicatorType, texts: Collection[str]) -> list[str]:
        asked.extend(texts)
        return possible(gates, type, texts)

    monkeypatch.setattr(Gates, "possible", noted)
    store = Store()
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch("conn", [{"ts": 1.0, "id.orig_h": "10.0.0.1", "id.resp_h": "192.0.2.1"}])
    for number in range(2):
        arm(store, "addr", f"203.0.113.{number}")
        assert found(matcher, batch) == []
    asked.clear()
    arm(store, "addr", "203.0.113.9")
    store.remove(indicator(IndicatorType.ADDR, "203.0.113.0"))
    assert found(matcher, batch) == []
    assert asked == []
    arm(store, "addr", "192.0.2.1")
    assert len(found(matcher, batch)) == 1
    assert asked == ["192.0.2.1"]


def test_a_plugin_that_replaces_a_log_is_used() -> None:
    store = Store()
    arm(store, "domain", "evil.example")
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch("dns", [{"ts": 1.0, "query": "a.example", "own": "evil.example"}])
    assert found(matcher, batch) == []
    own = Plugin("DNS", (Log("dns", (Seen("DNS::IN_OWN", IndicatorType.DOMAIN, ("own",)),)),))
    matcher.use(Registry((*BUILTIN, own)))
    assert [matches[0].observable.where for _, matches in found(matcher, batch)] == ["DNS::IN_OWN"]


def test_a_domain_that_gets_its_subdomains_matches_them() -> None:
    store = Store()
    arm(store, "domain", "evil.example")
    matcher = FastMatcher(store, REGISTRY)
    batch = DictBatch("dns", [{"ts": 1.0, "query": "www.evil.example"}])
    for number in range(2):
        arm(store, "url", f"other{number}.example/")
        assert found(matcher, batch) == []
    arm(store, "domain", "evil.example", subdomains=True)
    assert len(found(matcher, batch)) == 1
    arm(store, "domain", "evil.example")
    assert found(matcher, batch) == []


def test_the_fields_wanted_follow_what_is_armed() -> None:
    store = Store()
    matcher = FastMatcher(store, REGISTRY)
    assert matcher.wanted()["http"] == ()
    agent = arm(store, "software", "evil/1.0")
    assert matcher.wanted()["http"] == ("user_agent",)
    url = arm(store, "url", "evil.example/")
    assert "uri" in matcher.wanted()["http"]
    store.remove(url)
    store.remove(agent)
    subnet = arm(store, "subnet", "192.0.2.0/24")
    assert matcher.wanted()["conn"] == ("id.orig_h", "id.resp_h")
    store.remove(subnet)
    assert set(matcher.wanted().values()) == {()}
    # The caller may do with it what it likes.
    matcher.wanted().clear()
    assert "http" in matcher.wanted()


def test_a_batch_read_before_a_type_was_armed_is_matched_whole() -> None:
    store = Store()
    arm(store, "addr", "203.0.113.1")
    matcher = FastMatcher(store, REGISTRY)
    block = (
        b'{"ts":1.0,"user_agent":"Evil/1.0"}\n{"ts":2.0,"user_agent":7,"orig_filenames":["a","Evil.exe"]}\n'
    )
    batch = json_batch("http", matcher.wanted()["http"], block, 0, Path("http.log"), ReadReport())
    armed = [arm(store, "software", "evil/1.0"), arm(store, "file_name", "evil.exe")]
    hits = [(row, match.hits[0].indicator) for row, matches in found(matcher, batch) for match in matches]
    assert hits == [(0, armed[0]), (1, armed[1])]


def test_modules_are_switched_without_building_the_gates_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    arm(store, "domain", "evil.example", subdomains=True)
    matcher = FastMatcher(store, Registry(BUILTIN, ["HTTP"]))
    for gate in (derived.Addr, derived.Domain, derived.Url):
        monkeypatch.setattr(gate, "_build", lambda *_: pytest.fail("built again"))
    batch = DictBatch("dns", [{"ts": 1.0, "query": "www.evil.example"}])
    assert found(matcher, batch) == []
    assert "dns" not in matcher.wanted()
    matcher.use(REGISTRY)
    assert len(found(matcher, batch)) == 1
    assert matcher.wanted()["dns"] == ("query", "answers")
    # What changes is followed too.
    arm(store, "url", "evil.example/x")
    arm(store, "subnet", "192.0.2.0/24")
    arm(store, "domain", "x", subdomains=True)
    assert len(found(matcher, DictBatch("conn", [{"ts": 1.0, "id.resp_h": "192.0.2.1"}]))) == 1


def test_items_that_ended_before_1970_are_looked_up_too() -> None:
    store = Store()
    arm(store, "subnet", "192.0.2.0/24", expires=-5.0)
    batch = DictBatch("conn", [{"ts": "-10.0", "id.resp_h": "192.0.2.1"}])
    assert found(FastMatcher(store, REGISTRY), batch) == found(NaiveMatcher(store, REGISTRY), batch)
