"""The service and a peer in Zeek's place in compact mode: from intel files to filters, and questions answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from threathunting.zeek.protocol import About, Ack
from threathunting.zeek.wire import Count, Event, encode

from ...live import Service
from ...zeek.compact_world import CompactNode, Generation
from ...zeek.peer import Node, Peer


class BothNode(Node):
    """A node that is armed natively and compactly, and keeps the verdicts that it is told."""

    def __init__(self, name: str, client: str) -> None:
        super().__init__(name)
        self.filters = CompactNode(name, client, role="standalone")
        self.verdicts: dict[int, list[Any]] = {}
        self.counters: dict[str, int] = {}

    def restart(self) -> None:
        super().restart()
        self.filters.restart()

    def state(self) -> Event:
        about: About = msgspec.structs.replace(self.filters.about(), armed=len(self.armed), **self.counters)
        return self._report("state", msgspec.json.encode(about).decode())

    def take(self, event: Event) -> list[Event]:
        if event.name == "ThreatHunting::verdict":
            self.verdicts |= {one["q"]: one["h"] for one in json.loads(str(event.args[3]))}
            return []
        if "::compact_" not in event.name:
            return super().take(event)
        answer = self.filters.take(event)
        if not isinstance(answer, Ack):
            return []
        total = answer.armed + len(self.armed)
        return [self._report("ack", Count(answer.batch), Count(total), "[]")]

    def holds(self) -> set[tuple[str, str]]:
        return set() if self.filters.live is None else self.filters.live.values


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "feed.jsonl"
    path.write_text(
        '{"ioc": "evil.example", "type": "domain", "meta": {"source": "SOAR", "level": "high", "subdomains": true}}\n'
        '{"ioc": "dull.example", "type": "domain", "meta": {"source": "feed", "level": "low"}}\n'
        '{"ioc": "192.0.2.0/24", "type": "subnet", "meta": {"source": "SOAR"}}\n'
    )
    return path


def node_of(peer: Peer) -> BothNode:
    node = BothNode("zeek", "one")
    peer.nodes = {"zeek": node}
    return node


def service(tmp_path: Path, peer: Peer, feed: Path, mode: str = "compact", **more: Any) -> Service:
    return Service(
        tmp_path / "one",
        None,
        zeek=[{"url": peer.url, "name": "edge", "mode": mode}],
        intel={"files": [str(feed)]},
        output={"format": "zeek", "files": {"folder": str(tmp_path / "out")}},
        **more,
    )


def sensor(running: Service) -> dict[str, Any]:
    found: dict[str, Any] = running.status()["sensors"][0]
    return found


def asks(peer: Peer, number: int, type: str, value: str) -> None:
    question = {"q": number, "c": "one", "t": type, "v": value, "w": "DNS::IN_REQUEST"}
    peer.say("ask", "zeek", "1", json.dumps([question, question | {"q": 999, "c": "other"}]))


def test_filters_are_filled_followed_asked_and_outlive_the_connection(tmp_path: Path, feed: Path) -> None:
    with Peer() as peer:
        node = node_of(peer)
        with service(tmp_path, peer, feed) as running:
            running.wait(lambda: sensor(running)["armed"], "armed")
            names = {("domain", "evil.example"), ("domain", "dull.example"), ("subdomains", "evil.example")}
            assert node.holds() == names
            assert {key[:2] for key in node.armed} == {("subnet", "192.0.2.0/24")}
            asks(peer, 1, "domain", "www.evil.example")
            asks(peer, 2, "domain", "www.dull.example")
            running.wait(lambda: {1, 2} <= node.verdicts.keys(), "answered")
            assert [hit["i"] for hit in node.verdicts[1]] == ["domain evil.example"]
            assert node.verdicts[2] == []
            assert 999 not in node.verdicts
            # What changes while the connection is broken comes alone.
            generation = node.filters.live
            peer.drop()
            with feed.open("a") as file:
                file.write('{"ioc": "192.0.2.7", "type": "addr"}\n')
            running.wait(lambda: ("addr", "192.0.2.7") in node.holds(), "followed")
            running.wait(lambda: sensor(running)["armed"], "armed")
            assert node.filters.live is generation
            assert sensor(running)["full_sets"] == 1
            # What leaves is denied.
            feed.write_text('{"ioc": "192.0.2.7", "type": "addr"}\n')
            running.wait(lambda: running.status()["indicators"] == 1, "gone")
            running.wait(lambda: sensor(running)["armed"], "armed")
            assert not node.armed
            asks(peer, 3, "domain", "evil.example")
            running.wait(lambda: 3 in node.verdicts, "answered")
            assert node.verdicts[3] == []
            told = sensor(running)
            assert (told["mode"], told["questions_answered"], told["questions_dropped"]) == ("compact", 3, 0)
            assert told["nodes"][0]["generation"] == generation.number  # type: ignore[union-attr]
            running.wait(
                lambda: 'questions_total{result="answered",sensor="edge"} 3.0' in running.get("/metrics")[1],
                "counted",
            )
            running.wait(
                lambda: 'threathunting_sensor_armed{sensor="edge"} 1.0' in running.get("/metrics")[1], "shown"
            )
            assert running.stop() == 0


def test_levels_come_with_the_answers(tmp_path: Path, feed: Path) -> None:
    with Peer() as peer:
        node = node_of(peer)
        with service(tmp_path, peer, feed, hunt={"min_level": "medium"}) as running:
            running.wait(lambda: sensor(running)["armed"], "armed")
            asks(peer, 1, "domain", "dull.example")
            running.wait(lambda: 1 in node.verdicts, "answered")
            assert node.verdicts[1] == []
            node.filters.remembered["domain", "dull.example"] = {}
            generation = node.filters.live
            running.sections["hunt"] = {"min_level": "low"}
            running.write()
            running.wait(lambda: not node.filters.remembered, "forgotten")
            running.wait(lambda: sensor(running)["armed"], "armed")
            asks(peer, 2, "domain", "dull.example")
            running.wait(lambda: 2 in node.verdicts, "answered")
            assert [item["l"] for item in node.verdicts[2][0]["items"]] == ["low"]
            assert node.filters.live is generation


def test_filters_that_are_left_over_go_where_the_mode_is_native(tmp_path: Path, feed: Path) -> None:
    with Peer() as peer:
        node = node_of(peer)
        node.filters.live = Generation(7, {("domain", "old.example")})
        with service(tmp_path, peer, feed, mode="native") as running:
            running.wait(lambda: node.filters.live is None, "dropped")
            running.wait(lambda: sensor(running)["armed"], "armed")
            assert len(node.armed) == 3


def test_what_was_captured_without_an_answer_is_told_when_it_grows(tmp_path: Path, feed: Path) -> None:
    with Peer() as peer:
        node = node_of(peer)
        with service(tmp_path, peer, feed) as running:
            running.wait(lambda: sensor(running)["armed"], "armed")
            node.counters = {"unverified": 5, "asked": 9, "sampled": 1}

            def tells() -> list[tuple[str, int]]:
                peer.raw(encode(node.state()))
                running.wait(
                    lambda: sensor(running)["nodes"][0]["unverified"] == node.counters["unverified"], "told"
                )
                return [(one["what"], one["count"]) for one in running.status()["errors"]]

            first = tells()
            assert ("edge zeek: captured without an answer, as none came in time: 5 so far", 1) in first
            assert any("seen so often" in what for what, _ in first)
            assert tells() == first
            node.counters["unverified"] = 8
            assert ("edge zeek: captured without an answer, as none came in time: 8 so far", 2) in tells()
            running.wait(
                lambda: (
                    'node_questions_total{node="zeek",sensor="edge",what="unverified"} 8.0'
                    in running.get("/metrics")[1]
                ),
                "counted",
            )
