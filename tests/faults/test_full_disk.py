"""A broker whose disk is full: nothing is lost, and all goes on once there is room."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged

pytestmark = pytest.mark.kafka

MB = 1 << 20


def test_of_the_broker(make_broker: Callable[..., Broker], tmp_path: Path) -> None:
    broker = make_broker(disk_bytes=120 * MB, properties={"log.segment.bytes": 4 * MB}).start()
    topics = Topics(broker, records=2)
    topics.arm("domain evil.example")
    consume = {
        "topics": [topics["records"]],
        "group": topics["group"],
        "flags_topic": topics["conversations"],
    }
    running = Service(tmp_path / "one", topics, consume=consume, hunt={"look_behind": "10m"}).start()
    expected: dict[tuple[str, int], int] = {}
    try:
        number = 0
        deadline = time.monotonic() + 60
        filler = os.urandom(900_000)
        while broker.pid is not None:
            assert time.monotonic() < deadline, "the disk was never full"
            try:
                for _ in range(20):
                    records = conversation(number, number % 2 == 0, time.time())
                    topics.send("records", [(None, tagged(*one)) for one in records])
                    expected |= {(f"C{number:08d}", n): 1 for n in range(4) if number % 2 == 0}
                    number += 1
                topics.send("sensors", [("filler", filler)] * 5, wait=5)
            except AssertionError:
                break
        time.sleep(3)
        broker.grow_disk(400 * MB)
        broker.restart()
        found = topics.read("investigations", until=len(expected), timeout=60)
        # What was being written when the disk was full may or may not be there; what is, is captured once.
        seen = identities(found)
        whole = {key for key in expected if int(key[0][1:]) < number - 1}
        assert whole <= seen.keys()
        assert set(seen.values()) == {1}
        assert running.process is not None
        assert running.process.poll() is None
        assert running.status()["errors"]
        assert running.stop() == 0
    finally:
        running.kill()
