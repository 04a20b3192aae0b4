"""Investigation records of Zeek's own, joined with the intel items."""

from __future__ import annotations

import json
import time
from typing import Any

from threathunting.hunt.live import Bounds, FlagTable, Found, Hunter, Policy
from threathunting.hunt.live.shipping import PATIENCE, Shipping
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.sensors.batches import DictBatch

from ...making import ENDS, armed

SOAR = Item("SOAR", level="high", desc="bad domain")


def shipping(store: Store, policy: Policy | None = None, format: Any = "zeek") -> Shipping:
    hunter = Hunter(store, Registry(BUILTIN), policy or Policy())
    return Shipping("logs", FlagTable(), hunter, Bounds(format=format))


def conn(n: int, uid: str = "C1") -> dict[str, Any]:
    return {"n": n, "ts": 100.0, "uid": uid, **ENDS, "conn_state": "SF", "threathunting": True}


def sighting(uid: str = "C1", value: str = "Evil.Example", **more: Any) -> dict[str, Any]:
    return {
        "ts": 100.0,
        "uid": uid,
        "seen.indicator": value,
        "seen.indicator_type": "Intel::DOMAIN",
        "seen.where": "DNS::IN_REQUEST",
        "sources": ["SOAR"],
        **more,
    }


def shipped(found: Found) -> list[dict[str, Any]]:
    return [json.loads(line.data) for line in found.lines]


def test_items_are_joined_by_what_zeeks_intel_log_says_of_the_conversation() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)))
    ships.learn(DictBatch("intel", [sighting()]))
    (record,) = shipped(ships.ship(DictBatch("conn", [conn(1)]), "f", 0))
    assert record["threathunting"] is True
    assert record["level"] == "high"
    assert record["intel"] == [
        {
            "indicator": "evil.example",
            "indicator_type": "Intel::DOMAIN",
            "where": "DNS::IN_REQUEST",
            "source": "SOAR",
            "level": "high",
            "desc": "bad domain",
        }
    ]


def test_a_record_waits_for_the_line_that_explains_it_and_is_read_again_until_then() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)))
    assert shipped(ships.ship(DictBatch("conn", [conn(1)]), "f", 40)) == []
    assert ships.low("f") == 40
    assert [record["n"] for record in shipped(ships.learn(DictBatch("intel", [sighting()])))] == [1]
    assert ships.low("f") is None


def test_a_record_that_nothing_explains_is_shipped_all_the_same() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)))
    ships.ship(DictBatch("conn", [conn(1)]), "f", 0)
    assert ships.tick(time.monotonic()).lines == []
    (record,) = shipped(ships.tick(time.monotonic() + PATIENCE))
    assert (record["n"], record["level"], record["intel"]) == (1, "low", [])
    assert ships.unexplained == 1


def test_what_the_record_matches_itself_explains_it() -> None:
    ships = shipping(armed(("addr", "192.0.2.1", SOAR)))
    (record,) = shipped(ships.ship(DictBatch("conn", [conn(1)]), "f", 0))
    assert record["intel"][0]["where"] == "Conn::IN_RESP"


def test_an_item_that_is_gone_meanwhile_is_told_by_its_source() -> None:
    ships = shipping(Store())
    ships.learn(DictBatch("intel", [sighting()]))
    (record,) = shipped(ships.ship(DictBatch("conn", [conn(1)]), "f", 0))
    assert [(entry["indicator"], entry["source"]) for entry in record["intel"]] == [("evil.example", "SOAR")]


def test_what_was_learned_comes_back_after_a_restart() -> None:
    first = shipping(armed(("domain", "evil.example", SOAR)))
    flags = first.learn(DictBatch("intel", [sighting()])).flags
    table = FlagTable()
    for raised in flags:
        table.tell(raised)
    again = Shipping("logs", table, Hunter(Store(), Registry(BUILTIN), Policy()), Bounds(format="zeek"))
    (record,) = shipped(again.ship(DictBatch("conn", [conn(1)]), "f", 0))
    assert record["level"] == "high"


def test_files_are_explained_by_their_fuid_and_ecs_is_written_where_asked_for() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)), format="ecs")
    ships.learn(DictBatch("intel", [sighting("C9", fuid="F1")]))
    (record,) = shipped(ships.ship(DictBatch("files", [{"ts": 1.0, "fuid": "F1", "uid": "C2"}]), "f", 0))
    assert record["threat.enrichments"][0]["indicator"]["provider"] == "SOAR"


def test_bad_lines_of_intel_log_explain_nothing_and_stop_nothing() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)))
    bad = [
        {"uid": "C1"},
        sighting() | {"seen.indicator_type": "Intel::NONSENSE"},
        sighting(value="not a domain at all") | {"seen.indicator_type": "Intel::ADDR"},
        sighting() | {"seen.indicator_type": None},
    ]
    assert ships.learn(DictBatch("intel", bad)).flags == []


def test_an_item_that_the_record_names_and_matches_is_joined_once() -> None:
    ships = shipping(armed(("subnet", "192.0.2.0/24", SOAR)))
    named = {"threathunting_indicators": ["subnet 192.0.2.0/24"], "threathunting_where": ["Conn::IN_RESP"]}
    (record,) = shipped(ships.ship(DictBatch("conn", [conn(1) | named]), "f", 0))
    assert [(entry["indicator"], entry["where"]) for entry in record["intel"]] == [
        ("192.0.2.0/24", "Conn::IN_RESP")
    ]


def test_a_record_has_the_same_id_however_its_conversation_was_flagged() -> None:
    """Native or compact, sure at once or only later, with more reasons or fewer."""
    ships = shipping(armed(("domain", "evil.example", SOAR), ("addr", "192.0.2.7", SOAR)))
    reasons = ["domain evil.example", "addr 192.0.2.7"]
    marked = [
        conn(1) | {"ts": 1.0, "threathunting": True, "threathunting_level": "high"} | more
        for more in (
            {"threathunting_indicators": reasons[:1], "threathunting_where": ["HTTP::IN_HOST_HEADER"]},
            {
                "threathunting_indicators": reasons,
                "threathunting_where": ["HTTP::IN_HOST_HEADER", "Conn::IN_RESP"],
            },
            {
                "threathunting_indicators": reasons[:1],
                "threathunting_where": ["HTTP::IN_HOST_HEADER"],
                "threathunting_unverified": True,
            },
        )
    ]
    found = shipped(ships.ship(DictBatch("conn", marked), "f", 0))
    assert len(found) == 3
    assert len({record["investigation_id"] for record in found}) == 1


def unverified(*indicators: str, n: int = 1, ts: float = 100.0) -> dict[str, Any]:
    marks = {"threathunting_unverified": True, "threathunting_indicators": list(indicators)}
    return conn(n) | marks | {"ts": ts, "threathunting_where": ["HTTP::IN_HOST_HEADER"] * len(indicators)}


def test_an_unverified_record_is_a_record_like_any_other_if_what_was_seen_is_armed() -> None:
    ships = shipping(armed(("domain", "evil.example", Item("SOAR", level="high", subdomains=True))))
    (record,) = shipped(ships.ship(DictBatch("conn", [unverified("domain WWW.Evil.example")]), "f", 0))
    assert "threathunting_unverified" not in record
    assert record["threathunting"] is True
    assert record["level"] == "high"
    assert [(entry["indicator"], entry["where"]) for entry in record["intel"]] == [
        ("evil.example", "HTTP::IN_HOST_HEADER")
    ]


def test_an_unverified_record_that_nothing_armed_explains_is_counted_and_not_shipped() -> None:
    store = armed(
        ("domain", "evil.example", SOAR),
        ("domain", "old.example", Item("SOAR", level="high", expires=99.0)),
        ("domain", "low.example", Item("SOAR", level="low")),
    )
    ships = shipping(store, Policy(min_level="medium"))
    seen = ("www.evil.example", "old.example", "low.example", "other.example")
    records = [unverified(f"domain {value}") for value in seen] + [
        unverified("nonsense"),
        unverified("addr x"),
    ]
    assert shipped(ships.ship(DictBatch("conn", records), "f", 7)) == []
    assert ships.low("f") == 7
    assert shipped(ships.tick(time.monotonic())) == []
    assert ships.refuted == 0
    assert shipped(ships.tick(time.monotonic() + PATIENCE)) == []
    assert (ships.refuted, ships.unexplained, ships.low("f")) == (len(records), 0, None)


def test_an_unverified_record_is_looked_up_at_its_own_time() -> None:
    ships = shipping(armed(("domain", "old.example", Item("SOAR", level="high", expires=101.0))))
    assert shipped(ships.ship(DictBatch("conn", [unverified("domain old.example")]), "f", 0))
    assert not shipped(ships.ship(DictBatch("conn", [unverified("domain old.example", ts=101.0)]), "f", 0))


def test_a_line_of_intel_log_explains_an_unverified_record_too() -> None:
    ships = shipping(armed(("domain", "evil.example", SOAR)))
    ships.ship(DictBatch("conn", [unverified("domain other.example")]), "f", 0)
    (record,) = shipped(ships.learn(DictBatch("intel", [sighting()])))
    assert record["intel"][0]["indicator"] == "evil.example"
    assert ships.refuted == 0


def test_an_unverified_record_waits_until_all_intel_is_armed() -> None:
    store, is_ready = Store(), False
    hunter = Hunter(store, Registry(BUILTIN), Policy())
    ships = Shipping("logs", FlagTable(), hunter, Bounds(format="zeek"), lambda: is_ready)
    records = [unverified("domain evil.example", n=1), unverified("domain other.example", n=2)]
    ships.ship(DictBatch("conn", records), "f", 0)
    late = time.monotonic() + PATIENCE
    assert shipped(ships.tick(late)) == []
    assert (ships.refuted, ships.low("f")) == (0, 0)
    store.add(Indicator(IndicatorType.DOMAIN, "evil.example"), SOAR)
    is_ready = True
    assert [record["n"] for record in shipped(ships.tick(late))] == [1]
    assert ships.refuted == 1
