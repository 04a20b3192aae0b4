"""EVE that grows: queries wait for their answers, over polls and restarts, but not for ever."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sensors.follow.writing import Time
from threathunting.sensors.follow import Chunk, FileState, Follower, blocks

WANTED = {"dns": ("uid", "query"), "*": ("uid",)}


class Eve:
    """An ``eve.json`` that is written, and a follower of it that holds the last ``held`` chunks."""

    def __init__(self, folder: Path, held: int = 0, budget: int = 1 << 20) -> None:
        self.time = Time()
        self.path = folder / "eve.json"
        self._folder = folder
        self._held = held
        self._budget = budget
        self._window: dict[str, list[int]] = {}
        self.saved: list[FileState] = []
        self.new: list[dict[str, Any]] = []
        self.again: list[dict[str, Any]] = []
        self.restart()

    def restart(self) -> None:
        self._window, self.again = {}, []
        self.follower = Follower(
            [str(self._folder)], known=["dns"], saved=self.saved, clock=self.time, now=self.time
        )

    def write(self, kind: str, number: int, **more: object) -> int:
        """Write an event; its offset."""
        event: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(self.time.now, UTC).isoformat(),
            "flow_id": 1000 + number,
            "event_type": "dns",
            "src_ip": "10.0.0.1",
            "src_port": 5000,
            "dest_ip": "192.0.2.53",
            "dest_port": 53,
            "proto": "UDP",
            "dns": {
                "version": 2,
                "type": kind,
                "id": number,
                "rrname": f"host{number}.example",
                "rrtype": "A",
            },
        }
        if kind == "answer":
            event["dns"]["rcode"] = "NOERROR"
        with self.path.open("ab") as file:
            at = file.tell()
            file.write(json.dumps(event | more, separators=(",", ":")).encode() + b"\n")
        self.time.stamp(self.path)
        return at

    def poll(self, seconds: float = 1.0) -> list[Chunk]:
        self.time.now += seconds
        chunks = self.follower.poll(self._budget, WANTED)
        for chunk in chunks:
            held = self._window.setdefault(chunk.key, [])
            held.append(chunk.start)
            del held[: -self._held or None]
            records = [batch.record(row) for batch in chunk.batches for row in range(len(batch))]
            (self.again if chunk.again else self.new).extend(records)
        self.saved = self.follower.states(lambda key: next(iter(self._window.get(key, [])), None))
        return chunks

    def state(self) -> FileState:
        return self.saved[0]


@pytest.fixture
def eve(tmp_path: Path) -> Eve:
    return Eve(tmp_path)


def test_an_answer_finds_its_query_over_polls(eve: Eve) -> None:
    at = eve.write("query", 1)
    eve.poll()
    assert eve.new == []
    assert (eve.state().low, eve.state().pending) == (at, at)
    eve.write("answer", 1)
    eve.poll()
    assert [(record["query"], record["rcode_name"]) for record in eve.new] == [("host1.example", "NOERROR")]
    assert eve.state().low == eve.state().high == eve.path.stat().st_size


def test_an_answer_finds_its_query_over_a_restart(eve: Eve) -> None:
    eve.write("query", 0)
    eve.write("answer", 0)
    eve.write("query", 1)
    eve.poll()
    eve.restart()
    eve.write("answer", 1)
    eve.poll()
    assert [record["query"] for record in eve.new] == ["host0.example", "host1.example"]
    assert "rcode_name" in eve.new[-1]


def test_a_quiet_stream_holds_no_query_for_ever(eve: Eve) -> None:
    eve.write("query", 1)
    eve.poll()
    eve.poll(29.0)
    assert eve.new == []
    [chunk] = eve.poll(1.5)
    assert (chunk.start, chunk.end, chunk.again) == (chunk.end, eve.path.stat().st_size, False)
    assert [record["query"] for record in eve.new] == ["host1.example"]
    assert eve.state().low == eve.state().high


def test_what_was_given_up_before_a_restart_is_not_given_anew(tmp_path: Path) -> None:
    eve = Eve(tmp_path, held=1)
    eve.write("query", 1)
    eve.poll()
    eve.poll(31.0)
    asked = eve.write("query", 2)
    eve.poll()
    assert [record["query"] for record in eve.new] == ["host1.example"]
    assert eve.state().low == 0
    assert eve.state().pending == asked
    eve.restart()
    eve.poll()
    assert [record["query"] for record in eve.again] == ["host1.example"]
    eve.write("answer", 2)
    eve.poll()
    eve.poll(60.0)
    assert [record["query"] for record in eve.new] == ["host1.example", "host2.example"]
    assert eve.new[-1]["rcode_name"] == "NOERROR"


def test_what_is_held_is_read_again_from_its_query_on(tmp_path: Path) -> None:
    """The tracker holds what came with the answer; the query stands before that."""
    eve = Eve(tmp_path, held=1)
    at = eve.write("query", 1)
    eve.poll()
    eve.write("answer", 1)
    [chunk] = eve.poll()
    assert chunk.start > at
    assert eve.state().low == at
    eve.restart()
    eve.poll()
    assert eve.again == eve.new


def test_a_query_is_not_held_beyond_the_end_of_its_file(eve: Eve) -> None:
    eve.write("query", 1)
    eve.poll()
    eve.path.rename(eve.path.with_name("eve.json.1"))
    for _ in range(8):
        eve.poll()
    assert [record["query"] for record in eve.new] == ["host1.example"]


def test_events_that_are_not_wanted_are_counted(eve: Eve) -> None:
    eve.write("query", 1, event_type="stats")
    eve.write("answer", 2)
    [chunk] = eve.poll()
    assert chunk.report.records == 2
    assert chunk.report.bytes == eve.path.stat().st_size


@given(
    st.lists(
        st.one_of(
            st.just(("ask", 0)),
            st.tuples(st.just("answer"), st.integers(0, 5)),
            st.tuples(st.just("poll"), st.sampled_from([0.1, 1.0, 12.0, 40.0])),
            st.just(("restart", 0)),
        ),
        max_size=40,
    ),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([100, 600, 1 << 18]),
)
@settings(max_examples=200, deadline=None)
def test_every_query_comes_once(
    tmp_path_factory: pytest.TempPathFactory, ops: list[tuple[str, float]], held: int, chunk: int
) -> None:
    # With a small budget, a poll reads one chunk only.
    eve = Eve(tmp_path_factory.mktemp("eve"), held, chunk)
    with patch.object(blocks, "CHUNK", chunk):
        ask_and_answer(eve, ops)


def ask_and_answer(eve: Eve, ops: list[tuple[str, float]]) -> None:
    eve.poll()
    waiting: list[int] = []
    asked = 0
    late: Counter[str] = Counter()
    for op, argument in ops:
        match op:
            case "ask":
                asked += 1
                waiting.append(asked)
                eve.write("query", asked)
            case "answer" if waiting:
                number = waiting.pop(int(argument) % len(waiting))
                # If its query has been given up, the answer comes alone.
                late[f"host{number}.example"] += 1
                eve.write("answer", number)
            case "poll":
                eve.poll(argument)
            case "restart":
                eve.restart()
    for _ in range(100):
        eve.poll()
    eve.poll(40.0)
    eve.poll(40.0)
    expected = Counter(f"host{number}.example" for number in range(1, asked + 1))
    # An answer alone has no time between it and its query; queries that were given up have no answer.
    met = Counter(record["query"] for record in eve.new if "rtt" in record or "rcode_name" not in record)
    assert met == expected
    assert Counter(record["query"] for record in eve.new) - expected <= late
