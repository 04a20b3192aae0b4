"""From growing logs: killed over and over while logs rotate, nothing is lost, and what comes twice has the same id."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, identities

pytestmark = pytest.mark.kafka

CONVERSATIONS = 20_000
HITS = 50
KILLS = 10
SECONDS = 30.0


class Sensor(threading.Thread):
    """Writes logs as Zeek does: one a protocol, rotated by renaming, rotated ones compressed elsewhere later."""

    def __init__(self, logs: Path, archive: Path, chance: random.Random) -> None:
        super().__init__()
        self.logs, self.archive, self.chance = logs, archive, chance
        self.failed: BaseException | None = None
        self.rotations = 0
        self._open: dict[str, BinaryIO] = {}
        logs.mkdir()
        archive.mkdir()

    def run(self) -> None:
        try:
            began = time.monotonic()
            rotate = began + 2
            for number in range(CONVERSATIONS):
                for log, record in conversation(number, number % HITS == 0, time.time()):
                    self._write(log, json.dumps(record).encode() + b"\n")
                if number % 100 == 0:
                    for file in self._open.values():
                        file.flush()
                    time.sleep(max(began + SECONDS * number / CONVERSATIONS - time.monotonic(), 0))
                if time.monotonic() > rotate:
                    self._rotate()
                    rotate = time.monotonic() + self.chance.uniform(1, 4)
        except BaseException as error:
            self.failed = error
        finally:
            for file in self._open.values():
                file.close()

    def _write(self, log: str, line: bytes) -> None:
        file = self._open.get(log)
        if file is None:
            file = self._open[log] = (self.logs / f"{log}.log").open("ab")
        file.write(line)
        if self.chance.random() < 0.001:
            # Half a line is on the disk for a while.
            file.flush()

    def _rotate(self) -> None:
        self.rotations += 1
        for log, file in self._open.items():
            file.close()
            rotated = self.logs / f"{log}.{self.rotations:04d}.log"
            (self.logs / f"{log}.log").rename(rotated)
            if self.rotations > 1:
                earlier = self.logs / f"{log}.{self.rotations - 1:04d}.log"
                packed = self.archive / f"{log}.{self.rotations - 1:04d}.log.gz"
                part = packed.with_suffix(".part")
                part.write_bytes(gzip.compress(earlier.read_bytes(), 1))
                part.rename(packed)
                earlier.unlink()
        self._open.clear()


def test_logs_that_rotate_under_a_service_that_is_killed(kafka: Broker, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    topics = Topics(kafka)
    topics.arm("domain evil.example")
    sensor = Sensor(tmp_path / "logs", tmp_path / "archive", random.Random(seed))
    follow = [{"path": str(sensor.logs), "rotated": [str(sensor.archive)]}]
    service = Service(tmp_path / "one", topics, follow=follow, hunt={"look_behind": "10m"}).start()
    sensor.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 4))
            service.kill()
            time.sleep(chance.uniform(0, 1))
            service.start(ready=False)
        sensor.join()
        assert sensor.failed is None
        assert sensor.rotations > 5
        expected = {(f"C{number:08d}", n) for number in range(0, CONVERSATIONS, HITS) for n in range(4)}
        deadline = time.monotonic() + 60
        while (
            identities(found := topics.read("investigations")).keys() < expected
            and time.monotonic() < deadline
        ):
            time.sleep(0.5)
        assert identities(found).keys() == expected
        # What came twice is known by its id.
        assert len({record["investigation_id"] for record in found}) == len(expected)
        sightings = topics.read("sightings")
        assert len({line["sighting_id"] for line in sightings}) == CONVERSATIONS // HITS
        assert service.stop() == 0
        assert not [error for error in service.said(100_000).splitlines() if "were not read" in error]
    finally:
        service.kill()
        sensor.join()


def test_investigation_logs_that_zeek_writes_are_shipped_with_the_items(
    kafka: Broker, tmp_path: Path
) -> None:
    topics = Topics(kafka)
    topics.arm("domain evil.example", desc="bad domain")
    logs = tmp_path / "logs"
    logs.mkdir()
    service = Service(tmp_path / "one", topics, follow=[{"path": str(logs), "hunt": False}]).start()
    try:
        http, other, conn, _ = (record for _, record in conversation(0, True, time.time()))
        for name, record in (("http", http), ("http", other), ("conn", conn)):
            with (logs / f"{name}-investigation.log").open("a") as file:
                file.write(json.dumps({**record, "threathunting": True}) + "\n")
        with (logs / "intel.log").open("a") as file:
            told = {
                "ts": http["ts"],
                "uid": http["uid"],
                "seen.indicator": "evil.example",
                "seen.where": "HTTP::IN_HOST_HEADER",
            }
            file.write(
                json.dumps({**told, "seen.indicator_type": "Intel::DOMAIN", "sources": ["SOAR"]}) + "\n"
            )
        # Not Zeek's investigation: a log that is only there.
        (logs / "dns.log").write_text(json.dumps({"ts": 1.0, "uid": "C9", "query": "evil.example"}) + "\n")
        found = topics.read("investigations", until=3)
        assert sorted(record["n"] for record in found) == [0, 1, 2]
        for record in found:
            assert record["threathunting"] is True
            assert {entry["source"] for entry in record["intel"]} == {"SOAR"}
            assert {entry["desc"] for entry in record["intel"]} == {"bad domain"}
        service.kill()
        service.start()
        with (logs / "conn-investigation.log").open("a") as file:
            file.write(json.dumps({**conn, "n": 9, "threathunting": True}) + "\n")
        found = topics.read("investigations", until=4)
        assert sorted(record["n"] for record in found) == [0, 1, 2, 9]
        # What intel.log told before the restart is still known.
        assert all(record["intel"][0]["desc"] == "bad domain" for record in found)
    finally:
        service.kill()


def test_results_wait_for_a_broker_that_is_away_and_logs_are_read_no_further(
    make_broker: object, tmp_path: Path
) -> None:
    broker: Broker = make_broker()  # type: ignore[operator]
    broker.start()
    topics = Topics(broker)
    topics.arm("domain evil.example")
    logs = tmp_path / "logs"
    logs.mkdir()
    service = Service(tmp_path / "one", topics, follow=[{"path": str(logs)}]).start()
    try:
        broker.stop()
        with (logs / "http.log").open("a") as file:
            for number in range(2000):
                for log, record in conversation(number, True, time.time()):
                    if log == "http":
                        file.write(json.dumps(record) + "\n")
        service.wait(
            lambda: any("doesn't acknowledge" in error["what"] for error in service.status()["errors"]),
            "told that the broker is away",
        )
        broker.start()
        found = topics.read("investigations", until=4000, timeout=60)
        assert set(identities(found).values()) == {1}
        assert len(found) == 4000
        assert service.stop() == 0
    finally:
        service.kill()


def test_files_alone_need_no_kafka(tmp_path: Path) -> None:
    logs, out, feed = tmp_path / "logs", tmp_path / "out", tmp_path / "feed.txt"
    logs.mkdir()
    feed.write_text("evil.example\n")
    sections: dict[str, Any] = {"follow": [{"path": str(logs)}], "intel": {"files": [str(feed)]}}
    service = Service(
        tmp_path / "one", None, **sections, output={"format": "zeek", "files": {"folder": str(out)}}
    )
    service.start()
    try:
        for number in range(200):
            for log, record in conversation(number, number % 10 == 0, time.time()):
                with (logs / f"{log}.log").open("a") as file:
                    file.write(json.dumps(record) + "\n")
            if number in (50, 120):
                service.kill()
                service.start(ready=False)
        expected = {(f"C{number:08d}", n) for number in range(0, 200, 10) for n in range(4)}

        def found() -> list[dict[str, object]]:
            return [json.loads(line) for path in out.glob("*-investigation.log") for line in path.open()]

        service.wait(lambda: identities(found()).keys() >= expected, "all captured")
        assert identities(found()).keys() == expected
        assert len({record["investigation_id"] for record in found()}) == len(expected)
        assert service.stop() == 0
        assert (out / "intel.log").stat().st_size > 0
    finally:
        service.kill()
