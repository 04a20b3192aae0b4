"""The service and a peer in Zeek's place: from intel files to armed on the node, and sightings back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from threathunting.service.live.links import end

from ...live import Service
from ...zeek.peer import Peer


def armed(peer: Peer) -> set[tuple[str, str]]:
    return {(type, value) for type, value, _ in peer.nodes["zeek"].armed}


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "feed.jsonl"
    path.write_text(
        '{"ioc": "evil.example", "type": "domain", "meta": {"source": "SOAR", "level": "high"}}\n'
    )
    return path


def service(tmp_path: Path, peer: Peer, feed: Path, **more: Any) -> Service:
    return Service(
        tmp_path / "one",
        None,
        zeek=[{"url": peer.url, "name": "edge"}],
        intel={"files": [str(feed)]},
        output={"format": "zeek", "files": {"folder": str(tmp_path / "out")}},
        **more,
    )


def is_armed(running: Service) -> bool:
    return bool(running.status()["sensors"][0]["armed"])


def test_a_zeek_is_armed_follows_the_intel_and_is_armed_again_after_its_restart(
    tmp_path: Path, feed: Path
) -> None:
    with Peer() as peer, service(tmp_path, peer, feed) as running:
        running.wait(lambda: is_armed(running), "armed")
        assert armed(peer) == {("domain", "evil.example")}
        feed.write_text('{"ioc": "new.example", "type": "domain"}\n{"ioc": "192.0.2.7", "type": "addr"}\n')
        running.wait(lambda: armed(peer) == {("domain", "new.example"), ("addr", "192.0.2.7")}, "followed")
        running.wait(lambda: is_armed(running), "armed")
        node = running.status()["sensors"][0]["nodes"][0]
        assert (node["name"], node["armed"], node["complete"]) == ("zeek", 2, True)
        peer.drop()
        peer.nodes["zeek"].restart()
        running.wait(lambda: len(armed(peer)) == 2 and is_armed(running), "armed again")
        assert running.stop() == 0


def test_levels_and_modules_of_the_configuration_hold_in_the_sensor_too(tmp_path: Path, feed: Path) -> None:
    feed.write_text(
        '{"ioc": "evil.example", "type": "domain", "meta": {"source": "SOAR", "level": "high"}}\n'
        '{"ioc": "dull.example", "type": "domain", "meta": {"source": "feed", "level": "low"}}\n'
    )
    hunt = {"min_level": "medium", "modules": ["HTTP", "DNS"]}
    with Peer() as peer, service(tmp_path, peer, feed, hunt=hunt) as running:
        running.wait(lambda: is_armed(running), "armed")
        assert armed(peer) == {("domain", "evil.example")}
        assert peer.nodes["zeek"].modules == "DNS,HTTP"
        running.sections["hunt"] = {"min_level": "low", "modules": ["HTTP"]}
        running.write()
        running.wait(lambda: len(armed(peer)) == 2, "all levels")
        running.wait(lambda: peer.nodes["zeek"].modules == "HTTP", "one module")


def test_sightings_come_out_with_the_items(tmp_path: Path, feed: Path) -> None:
    with Peer() as peer, service(tmp_path, peer, feed) as running:
        running.wait(lambda: is_armed(running), "armed")
        record = {
            "ts": 1.5,
            "uid": "C1",
            "id": {
                "orig_h": "10.0.0.1",
                "orig_p": {"port": 5, "proto": "udp"},
                "resp_h": "192.0.2.1",
                "resp_p": 53,
            },
            "seen": {
                "indicator": "evil.example",
                "indicator_type": "Intel::DOMAIN",
                "where": "DNS::IN_REQUEST",
            },
            "sources": ["SOAR"],
        }
        peer.say("sighting", "zeek", "1", json.dumps(record))
        log = tmp_path / "out" / "intel.log"
        running.wait(log.exists, "written")
        (line,) = map(json.loads, log.read_text().splitlines())
        assert (line["uid"], line["id.orig_h"], line["level"]) == ("C1", "10.0.0.1", "high")
        assert (line["id.orig_p"], line["id.resp_p"]) == (5, 53)
        assert line["intel"][0]["source"] == "SOAR"
        assert (line["sensor"], line["node"]) == ("edge", "zeek")
        assert running.status()["sightings"] == 1


def test_a_zeek_that_is_not_there_is_told_and_what_is_nonsense_stops_nothing(
    tmp_path: Path, feed: Path
) -> None:
    with Peer() as gone:
        pass
    with service(tmp_path, gone, feed) as running:
        running.wait(lambda: bool(running.status()["errors"]), "told")
        assert f"edge: Zeek at {gone.url}" in running.status()["errors"][0]["what"]
        with Peer(port=gone.port) as peer:
            running.wait(lambda: is_armed(running), "armed")
            peer.say("state", "zeek")
            peer.say("ack", "zeek", "1", "nonsense")
            peer.raw(b"\xff\xfe")
            feed.write_text("more.example\nand.example\n")
            running.wait(lambda: len(armed(peer)) == 2, "followed")


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError("disk"), OSError), (ValueError("x"), ExceptionGroup)]
)
def test_an_error_of_the_world_outside_is_told_as_itself(error: Exception, expected: type[Exception]) -> None:
    async def fails() -> None:
        raise error

    async def works() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())

    async def look() -> None:
        task = asyncio.create_task(works())
        await asyncio.wait([task])
        end(task)

    with pytest.raises(expected):
        asyncio.run(look())
