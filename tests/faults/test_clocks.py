"""Clocks that are wrong: of who pushes intel, and of sensors."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from threathunting.intel import message
from threathunting.intel.canonical import indicator
from threathunting.intel.types import IndicatorType

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged
from .flow import INTEL, assert_sentences, consuming

pytestmark = pytest.mark.kafka

DAY = 86_400
CENTURY = 100 * 365 * DAY


def push(topics: Topics, at: float, host: str, expire: int | None = None, remove: bool = False) -> None:
    """Tell an item, or its removal, at a time of the message's own."""
    meta = {"source": "SOAR"} | ({} if expire is None else {"expire": expire})
    body = {"ioc": host, "type": "domain", "meta": meta} | ({"action": "remove"} if remove else {})
    key = message.key(indicator(IndicatorType.DOMAIN, host), "SOAR").decode()
    topics.send("intelligence", [(key, msgspec.json.encode(body))], timestamp=max(int(at * 1000), 1))


def test_of_intel_messages(kafka: Broker, tmp_path: Path) -> None:
    """What a partition tells last counts, whatever time it says that it is."""
    topics = Topics(kafka, records=1, message_timestamp_after_max_ms=2 * CENTURY * 1000)
    now = time.time()
    push(topics, now + CENTURY, "of-the-future.example", 300)
    push(topics, now + CENTURY, "taken-back.example")
    push(topics, 0, "of-1970.example")
    push(topics, 0, "expired-in-1970.example", 300)
    push(topics, now - 301, "expired.example", 300)
    push(topics, now, "removed-earlier.example")
    push(topics, now - 5000, "removed-earlier.example", remove=True)
    push(topics, now, "armed-earlier.example", remove=True)
    push(topics, now - 5000, "armed-earlier.example")
    push(topics, now, "taken-back.example", remove=True)
    armed = ["armed-earlier.example", "of-1970.example", "of-the-future.example"]
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        # The same as they come, and read again.
        for time_of_reading in (1, 2):
            assert running.status()["indicators"] == len(armed)
            hits = [conversation(n, False, time.time())[0] for n in range(6)]
            hosts = [*armed, "expired.example", "removed-earlier.example", "taken-back.example"]
            records = [(log, one | {"host": host}) for (log, one), host in zip(hits, hosts, strict=True)]
            topics.send("records", [(None, tagged(*one)) for one in records])
            found = topics.read("sightings", until=len(armed) * time_of_reading)
            assert Counter(one["seen.indicator"] for one in found) == dict.fromkeys(armed, time_of_reading)
            assert running.stop() == 0
            running.start()
        push(topics, now - 5000, "of-the-future.example", remove=True)
        push(topics, 0, "of-1970.example", remove=True)
        running.wait_armed(1, 5)
        assert running.stop() == 0
    assert_sentences(running)


TIMES: list[Any] = [
    0,
    0.0,
    -1.0,
    -1e300,
    1000.5,
    time.time() + CENTURY,
    1e300,
    10**30,
    "2026-11-24T08:00:00.000000Z",
    "yesterday",
    "",
    "9" * 400,
    None,
    True,
    [],
    {"sec": 1},
]


def test_of_records(kafka: Broker, tmp_path: Path) -> None:
    """Conversations of records with no time that can be, among some that have one."""
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    sets: list[list[bytes]] = [[], []]
    for number, ts in enumerate([*TIMES, ...]):
        for place, (log, record) in enumerate(conversation(number, True, time.time())):
            timed = {name: value for name, value in record.items() if name != "ts"}
            if ts is not ...:
                timed["ts"] = ts
            sets[place // 2].append(tagged(log, timed))
    sane = [tagged(*one) for one in conversation(500, True, time.time())]
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        topics.send("records", [(None, value) for value in [*sets[0], *sane[:2]]])
        count = len(TIMES) + 2
        assert len(topics.read("investigations", until=2 * count)) == 2 * count
        topics.send("records", [(None, value) for value in [*sane[2:], *sets[1]]])
        expected = Counter({(f"C{n:08d}", part): 1 for n in [*range(count - 1), 500] for part in range(4)})
        assert identities(topics.read("investigations", until=expected.total())) == expected
        status = running.status()
        assert status["bad_records"] == 0
        assert status["unhealthy"] == []
        assert running.stop() == 0
    assert_sentences(running)


def test_of_a_sensor_that_learns_the_time(kafka: Broker, tmp_path: Path) -> None:
    """Its first records are of 1970, also of a conversation that goes on afterwards."""
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        for ts, part in ((100.0, 0), (101.5, 1), (time.time(), 2), (time.time(), 3)):
            if part == 2:
                topics.send("records", [(None, tagged(*conversation(2, False, ts)[0]))])
                # So that what is idle is forgotten.
                time.sleep(1.5)
            topics.send("records", [(None, tagged(*conversation(1, True, ts)[part]))])
            assert len(topics.read("investigations", until=part + 1, timeout=5)) == part + 1
        assert running.stop() == 0
    assert_sentences(running)
