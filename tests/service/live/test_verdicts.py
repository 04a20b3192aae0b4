"""Answers to questions of nodes: what is armed now, as the configuration counts it, for who asked us."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from threathunting.hunt.live import Hunter, Policy
from threathunting.intel.allowlist import AllowList
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.service.live.verdicts import LIMIT, Verdicts
from threathunting.zeek.protocol import MAX_BYTES, Asked, Question
from threathunting.zeek.wire import Event

from ...making import armed

SOAR = Item("SOAR", level="high", desc="bad", id="7")


def verdicts(store: Store, policy: Policy | None = None, limit: int = LIMIT) -> Verdicts:
    return Verdicts("us", Hunter(store, Registry(BUILTIN), policy or Policy()), limit)


def asked(*values: str, node: str = "worker-1", client: str = "us", start: int = 0) -> Asked:
    questions = []
    for number, text in enumerate(values, start):
        type, _, value = text.partition(" ")
        questions.append(Question(number, client, type, value, "DNS::IN_REQUEST"))
    return Asked(node, "b", questions)


def told(events: list[Event]) -> dict[Any, list[Any]]:
    found = {}
    for event in events:
        assert event.name == "ThreatHunting::verdict"
        assert event.topic == f"/threathunting/node/{event.args[2]}/"
        for answer in json.loads(str(event.args[3])):
            found[event.args[2], answer["q"]] = answer["h"]
    return found


def labels(asking: Verdicts, *values: str) -> list[list[str]]:
    asking.take(asked(*values))
    return [[hit["i"] for hit in answer] for _, answer in sorted(told(asking.answer()).items())]


def test_a_yes_brings_the_items_and_a_no_nothing() -> None:
    asking = verdicts(armed(("domain", "evil.example", SOAR), ("addr", "192.0.2.7", SOAR)))
    asking.take(asked("domain evil.example", "domain other.example"))
    asking.take(asked("addr 192.0.2.7", node="worker-2"))
    answers = told(asking.answer())
    assert answers["worker-1", 1] == []
    assert [hit["i"] for hit in answers["worker-2", 0]] == ["addr 192.0.2.7"]
    (hit,) = answers["worker-1", 0]
    assert hit["i"] == "domain evil.example"
    assert hit["items"] == [
        {
            "v": "evil.example",
            "t": "domain",
            "s": "SOAR",
            "l": "high",
            "d": "bad",
            "u": "",
            "i": "7",
            "e": 0.0,
            "x": False,
        }
    ]
    assert (asking.answered, asking.dropped, len(asking)) == (3, 0, 0)


def test_values_are_as_zeek_sees_them() -> None:
    below = Item("SOAR", level="high", subdomains=True)
    asking = verdicts(
        armed(
            ("domain", "evil.example", below),
            ("file_name", "Evil.EXE", SOAR),
            ("addr", "2001:db8::1", SOAR),
            ("subnet", "192.0.2.0/24", SOAR),
        )
    )
    assert labels(
        asking,
        "domain WWW.evil.example",
        "Intel::FILE_NAME EVIL.exe",
        "addr 2001:0db8:0::1",
        # What is armed natively isn't told once more.
        "addr 192.0.2.9",
        "nonsense evil.example",
        "addr evil.example",
    ) == [["domain evil.example"], ["file_name evil.exe"], ["addr 2001:db8::1"], [], [], []]


def test_expiry_levels_and_the_allow_list_hold_as_of_now() -> None:
    store = armed(
        ("domain", "old.example", Item("SOAR", level="high", expires=time.time() - 1)),
        ("domain", "low.example", Item("feed", level="low")),
        ("domain", "raised.example", Item("good feed", level="low")),
        ("domain", "allowed.example", SOAR),
        ("domain", "evil.example", SOAR),
    )
    allow = AllowList()
    allow.add("allowed.example")
    asking = verdicts(store, Policy("medium", {"good feed": "high"}, allow))
    values = ("old", "low", "raised", "allowed", "evil")
    assert labels(asking, *(f"domain {value}.example" for value in values)) == [
        [],
        [],
        ["domain raised.example"],
        [],
        ["domain evil.example"],
    ]
    store.remove(Indicator(IndicatorType.DOMAIN, "evil.example"))
    assert labels(asking, "domain evil.example") == [[]]


def test_what_is_asked_of_others_is_not_ours() -> None:
    asking = verdicts(armed(("domain", "evil.example", SOAR)))
    asking.take(asked("domain evil.example", client="them"))
    assert asking.answer() == []
    assert asking.answered == 0


def test_a_flood_is_answered_in_turns_and_the_oldest_go() -> None:
    asking = verdicts(armed(("domain", "evil.example", SOAR)), limit=2_500)
    asking.take(asked(*["domain evil.example"] * 2_000))
    asking.take(asked(*["domain evil.example"] * 2_000, start=2_000))
    assert (len(asking), asking.dropped) == (2_500, 1_500)
    first = told(asking.answer())
    assert sorted(number for _, number in first) == list(range(1_500, 2_500))
    assert len(asking) == 1_500
    asking.forget()
    assert asking.answer() == []


def test_messages_are_bounded_however_much_the_items_tell() -> None:
    long = Item("SOAR", desc="d" * 50_000, level="high")
    asking = verdicts(armed(*(("domain", f"d{number}.example", long) for number in range(60))))
    asking.take(asked(*(f"domain d{number}.example" for number in range(60))))
    events = asking.answer()
    assert len(events) > 1
    assert all(len(str(event.args[3])) <= MAX_BYTES for event in events)
    assert len(told(events)) == 60


def test_more_than_ten_thousand_a_second() -> None:
    store = armed(*(("domain", f"d{number}.example", SOAR) for number in range(20_000)))
    asking = verdicts(store)
    asking.take(asked(*(f"domain d{number}.example" for number in range(20_000))))
    began = time.process_time()
    while len(asking):
        asking.answer()
    seconds = time.process_time() - began
    if seconds > 2:
        pytest.fail(f"20,000 answers took {seconds:.1f} s of processor time")
