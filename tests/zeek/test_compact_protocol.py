"""Events of compact arming: what goes out, what is understood, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek import compact_protocol as compact
from threathunting.zeek import protocol
from threathunting.zeek.compact_protocol import (
    Answer,
    Setup,
    hits_of,
    packed_answers,
    packed_values,
    sendable,
)
from threathunting.zeek.wire import Count, Event, decode, encode

EVIL = Indicator(IndicatorType.DOMAIN, "evil.example")
NODE = "/threathunting/node/worker-1/"


def event(name: str, *args: Any) -> Event:
    return Event(protocol.REPORT, f"ThreatHunting::{name}", (Count(1), *args))


def args(sent: Event, topic: str = protocol.COMMAND) -> tuple[Any, ...]:
    assert sent.topic == topic
    # As it comes out at the other end.
    return decode(encode(sent)).args  # type: ignore[union-attr]


def test_what_goes_to_nodes() -> None:
    begin = args(compact.compact_begin("us", "worker-1", 5, 9, Setup(10, 20, 1e-6, 2.0)), NODE)
    assert begin[:4] == (1, "us", 5, 9)
    assert all(isinstance(begin[n], Count) for n in (0, 2, 3))
    assert json.loads(begin[4]) == {"exact": 10, "subdomains": 20, "rate": 1e-6, "hold": 2.0}
    assert args(compact.compact_add("us", 5, 0, "domain", "a\nb")) == (1, "us", 5, 0, "domain", "a\nb")
    assert args(compact.compact_add("us", 5, 9, "addr", "a", "worker-1"), NODE) == (
        1,
        "us",
        5,
        9,
        "addr",
        "a",
    )
    assert args(compact.compact_end("us", 5, 9, 3)) == (1, "us", 5, 9, 3)
    assert args(compact.compact_end("us", 5, 9, 3, "worker-1"), NODE) == (1, "us", 5, 9, 3)
    assert args(compact.compact_forget("us", 5, "url", "*")) == (1, "us", 5, "url", "*")
    assert args(compact.compact_drop("us", "worker-1", 5), NODE) == (1, "us", 5)


def test_an_answer_has_the_items_as_they_are_armed_natively() -> None:
    item = Item("SOAR", "bad", "high", id="7", url="https://x.example/", expires=1.5, subdomains=True)
    data, count = packed_answers([Answer(3, hits_of([(EVIL, (item,))])), Answer("x", hits_of([]))])
    node, answers = args(compact.verdict("us", "worker-1", data), NODE)[2:]
    assert (node, count) == ("worker-1", 2)
    assert json.loads(answers) == [
        {"q": 3, "h": [{"i": "domain evil.example", "items": [protocol.entry(EVIL, item)]}]},
        {"q": "x", "h": []},
    ]


@given(st.lists(st.text(max_size=8000), max_size=300), st.integers(0, 12_000))
@settings(deadline=None)
def test_values_are_packed_in_bounds_and_none_is_lost_or_split(texts: list[str], more: int) -> None:
    good, bad = sendable([*texts, *["x"] * more])
    assert all("\n" not in value for value in good)
    assert all(any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in value) for value in bad)
    assert len(good) + len(bad) == len(texts) + more
    found: list[str] = []
    while len(found) < len(good):
        text, count = packed_values(good[len(found) :])
        assert 1 <= count <= protocol.MAX_ITEMS
        assert len(encode(compact.compact_add("us", 1, 1, "url", text))) <= protocol.MAX_BYTES + 1000
        found += text.split("\n")
    assert found == list(good)


@given(st.lists(st.tuples(st.text(max_size=200), st.integers(0, 300_000)), max_size=12))
@settings(deadline=None)
def test_answers_are_packed_in_bounds_whatever_sources_tell(items: list[tuple[str, int]]) -> None:
    told = [
        Item(f"s{number}", desc + "d" * size, "high" if number == 3 else "low")
        for number, (desc, size) in enumerate(items)
    ]
    answers = [Answer(number, hits_of([(EVIL, told)])) for number in range(4)]
    left = answers
    while left:
        data, count = packed_answers(left)
        assert count >= 1
        assert len(data) <= protocol.MAX_BYTES + 2
        for one in json.loads(data):
            kept = [item["s"] for hit in one["h"] for item in hit["items"]]
            assert len(set(kept)) == len(kept)
            assert not told or kept
            # Where not all fit, the highest level stays.
            assert len(told) <= 3 or "s3" in kept
        left = left[count:]


def test_questions_are_understood() -> None:
    text = '[{"q": 7, "c": "us", "t": "domain", "v": "a.example", "w": "HTTP::X", "new": 1}, {"q": "x", "c": "", "t": "", "v": ""}]'
    assert protocol.understood(event("ask", "worker-1", "b1", text)) == protocol.Asked(
        "worker-1",
        "b1",
        [protocol.Question(7, "us", "domain", "a.example", "HTTP::X"), protocol.Question("x", "", "", "")],
    )


def test_what_a_node_in_compact_mode_tells_of_itself() -> None:
    about = {
        "mode": "compact",
        "compact": {"us": {"generation": 5, "building": 6, "exact": 7, "subdomains": 8}, "other": {}},
        "filter_bytes": 9,
        "asked": 1,
        "unverified": 2,
    }
    state = protocol.understood(event("state", "w", "b", json.dumps(about)))
    assert isinstance(state, protocol.State)
    assert state.about.compact["us"] == protocol.Filters(5, 6, 7, 8)
    assert (state.about.filter_bytes, state.about.asked, state.about.unverified, state.about.denied) == (
        9,
        1,
        2,
        0,
    )


@pytest.mark.parametrize(
    "bad",
    [
        event("ask", "n", "b"),
        event("ask", "n", "b", "{}"),
        event("ask", "n", "b", "[5]"),
        event("ask", "n", "b", '[{"q": 1, "c": "us", "t": "domain"}]'),
        event("ask", "n", "b", '[{"q": 1.5, "c": "us", "t": "domain", "v": ""}]'),
        event("ask", "n", "b", '[{"q": null, "c": "us", "t": "domain", "v": ""}]'),
        event("ask", "n", "b", '[{"q": "\\ud800", "c": "us", "t": "domain", "v": ""}]'),
        event("ask", "n", Count(1), "[]"),
        event("ask", "n", "b", "[" * 100_000),
        event("state", "n", "b", '{"compact": []}'),
        event("state", "n", "b", '{"compact": {"us": 5}}'),
        event("state", "n", "b", '{"asked": "many"}'),
    ],
)
def test_what_is_not_understood_is_a_valueerror_that_names_it(bad: Event) -> None:
    with pytest.raises(ValueError, match=bad.name):
        protocol.understood(bad)
