"""Our events: what goes out, what is understood, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek import protocol
from threathunting.zeek.wire import Count, Event

EVIL = Indicator(IndicatorType.DOMAIN, "evil.example")


def event(name: str, *args: Any, version: int = 1) -> Event:
    return Event(protocol.REPORT, f"ThreatHunting::{name}", (Count(version), *args))


def test_an_item_is_armed_with_all_that_zeek_has_a_place_for() -> None:
    item = Item("SOAR", "bad", "high", id="7", url="https://x.example/", expires=1.5, subdomains=True)
    data, count = protocol.packed([protocol.entry(EVIL, item)])
    sent = protocol.arm("us", 9, data)
    assert count == 1
    assert (sent.topic, sent.name, sent.args[:3]) == (protocol.COMMAND, "ThreatHunting::arm", (1, "us", 9))
    assert json.loads(str(sent.args[3])) == [
        {
            "v": "evil.example",
            "t": "domain",
            "s": "SOAR",
            "l": "high",
            "d": "bad",
            "u": "https://x.example/",
            "i": "7",
            "e": 1.5,
            "x": True,
        }
    ]


@given(st.lists(st.text(max_size=300_000 // 8), max_size=60), st.integers(0, 6000))
def test_batches_are_bounded_in_items_and_bytes_and_lose_nothing(texts: list[str], more: int) -> None:
    entries = [{"v": text} for text in texts] + [{"v": "x"}] * more
    found: list[Any] = []
    left = entries
    while left:
        data, count = protocol.packed(left)
        assert 1 <= count <= protocol.MAX_ITEMS
        assert count == 1 or len(data) <= protocol.MAX_BYTES
        found += json.loads(data)
        left = left[count:]
    assert len(found) == len(entries)


def test_what_nodes_say_is_understood() -> None:
    about = json.dumps({"role": "worker", "sees_traffic": True, "armed": 3, "news": "of a later version"})
    state = protocol.understood(event("state", "worker-1", "b1", about))
    assert isinstance(state, protocol.State)
    assert (state.node, state.about.role, state.about.armed) == ("worker-1", "worker", 3)
    refused = '[{"v":"x","t":"addr","reason":"no address"}]'
    assert protocol.understood(event("ack", "w", "b", Count(4), Count(5), refused)) == protocol.Ack(
        "w", "b", 4, 5, [{"v": "x", "t": "addr", "reason": "no address"}]
    )
    sighting = protocol.understood(event("sighting", "w", "b", '{"ts": 1.5, "seen": {"indicator": "x"}}'))
    assert sighting == protocol.Sighting("w", "b", {"ts": 1.5, "seen": {"indicator": "x"}})
    assert protocol.understood(event("refused", "w", "b", "why")) == protocol.Refused("w", "b", "why")


@pytest.mark.parametrize(
    "bad",
    [
        event("state", "n", "b", "{}", version=2),
        event("state", "n", "b"),
        event("state", "n", "b", "no json"),
        event("state", "n", "b", "[]"),
        event("state", "n", Count(1), "{}"),
        event("ack", "n", "b", "x", Count(1), "[]"),
        event("ack", "n", "b"),
        event("ack", "n", "b", Count(1), Count(1), "[5]"),
        event("sighting", "n", "b", "5"),
        event("nonsense"),
        Event("/t", "Other::state", ()),
        Event("/t", "", ()),
    ],
)
def test_what_is_not_understood_is_a_valueerror_that_names_it(bad: Event) -> None:
    with pytest.raises(ValueError, match=bad.name or "is none of our events"):
        protocol.understood(bad)
