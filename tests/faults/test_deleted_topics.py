"""Topics that are deleted under a running service, and made anew: it says so, waits, and goes on."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged
from .flow import INTEL, assert_sentences, consuming, says

pytestmark = pytest.mark.kafka


def service(folder: Path, topics: Topics, name: str = "one") -> Service:
    # Sooner than what librdkafka notices by itself.
    settings = {"topic.metadata.refresh.interval.ms": 1000, "topic.metadata.propagation.max.ms": 1000}
    return Service(
        folder,
        topics,
        name,
        consume=consuming(topics),
        hunt={"look_behind": "10m"},
        kafka={"settings": settings},
    )


def is_ready(running: Service) -> bool:
    return running.get("/readyz")[0] == 200


def conversations(*numbers: int, hit: bool = True) -> list[tuple[str | None, bytes | None]]:
    return [(None, tagged(*one)) for number in numbers for one in conversation(number, hit, time.time())]


def captured(*numbers: int) -> Counter[tuple[str, int]]:
    return Counter({(f"C{number:08d}", n): 1 for number in numbers for n in range(4)})


def test_intelligence(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    topics.send("intelligence", [(None, b"poison")])
    with service(tmp_path, topics) as running:
        assert len(topics.read("rejected", until=1)) == 1
        topics.delete("intelligence")
        running.wait(says(running, f"topic {topics['intelligence']}", "does not exist"), "saying so", 15)
        # What is armed stays so.
        topics.send("records", conversations(1))
        assert identities(topics.read("investigations", until=4)) == captured(1)
        topics.make("intelligence")
        topics.send("intelligence", [(None, b"poison of another kind"), (None, b"and more")])
        topics.arm("domain other.example")
        running.wait_armed(2, 20)
        assert running.get("/readyz")[0] == 200
        assert len(topics.read("rejected", until=3)) == 3
        topics.send("records", conversations(2))
        assert identities(topics.read("investigations", until=8)) == captured(1, 2)
        assert running.stop() == 0
        # Only now it is what the topic says.
        running.start()
        assert running.status()["indicators"] == 1
        assert len(topics.read("rejected", until=3)) == 3
        assert running.stop() == 0
    assert_sentences(running)


def test_records(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    with service(tmp_path, topics) as running:
        topics.send("records", conversations(*range(50), hit=False))
        topics.send("records", conversations(1001))
        assert len(topics.read("investigations", until=4)) == 4
        topics.delete("records")
        running.wait(says(running, f"topic {topics['records']}", "does not exist"), "saying so", 15)
        topics.make("records", 2)
        topics.send("records", conversations(1002))
        assert identities(topics.read("investigations", until=8)) == captured(1001, 1002)
        # Made anew before anybody sees that it was gone.
        topics.make("records", 2)
        topics.send("records", conversations(1003))
        assert identities(topics.read("investigations", until=12)) == captured(1001, 1002, 1003)
        assert running.stop() == 0
        # And while nobody looks.
        topics.make("records", 1)
        topics.send("records", conversations(1004))
        running.start()
        expected = captured(1001, 1002, 1003, 1004)
        assert identities(topics.read("investigations", until=16)) == expected
        assert running.stop() == 0
    assert_sentences(running)


@pytest.mark.parametrize("name", ["investigations", "sightings"])
def test_results(kafka: Broker, tmp_path: Path, name: str) -> None:
    topics = Topics(kafka, records=4)
    topics.arm(INTEL)
    before, after = range(10), range(10, 30)
    with service(tmp_path, topics) as running:
        topics.send("records", conversations(*before))
        assert identities(topics.read("investigations", until=40)) == captured(*before)
        assert len(topics.read("sightings", until=10)) == 10
        topics.delete(name)
        topics.send("records", conversations(*after))
        running.wait(says(running, f"topic {topics[name]}", "does not exist"), "saying so", 15)
        running.wait(lambda: topics[name] in running.get("/readyz")[1], "not ready", 15)
        assert running.get("/healthz")[0] == 200
        topics.make(name, 2)
        running.wait(lambda: running.get("/readyz")[0] == 200, "ready again")
        # What the deleted topic held is gone with it; what it was to get has come.
        new = {one: {*before, *after} for one in ("investigations", "sightings")} | {name: set(after)}
        expected = captured(*new["investigations"])
        assert identities(topics.read("investigations", until=expected.total())) == expected
        sightings = Counter(one["uid"] for one in topics.read("sightings", until=len(new["sightings"])))
        assert sightings == Counter(f"C{number:08d}" for number in new["sightings"])
        assert running.stop() == 0
    assert_sentences(running)


def test_conversations(kafka: Broker, tmp_path: Path) -> None:
    """What instances know of conversations that go on outlives the topic by which they tell each other."""
    topics = Topics(kafka, records=2)
    topics.arm(INTEL)
    numbers = range(20)
    parts = [conversation(number, True, time.time()) for number in numbers]

    def send(part: int, partition: int, host: str = "evil.example") -> None:
        records = [
            (log, one | ({"host": host} if log == "http" else {}))
            for log, one in (all[part] for all in parts)
        ]
        topics.send("records", [(None, tagged(*one)) for one in records], partition=partition)

    one, two = (service(tmp_path / name, topics, name) for name in ("one", "two"))
    with one, two:
        one.wait(lambda: len(one.status()["inputs"][0]["partitions"]) == 1, "sharing")
        send(0, 0)
        send(1, 1, "other.example")
        found = identities(topics.read("investigations", until=40))
        assert found.total() == 40
        topics.delete("conversations")
        for each in (one, two):
            each.wait(says(each, f"topic {topics['conversations']}", "does not exist"), "saying so", 15)
        send(2, 0)
        topics.make("conversations")
        for each in (one, two):
            each.wait(partial(is_ready, each), "ready again")
            assert says(each, f"topic {topics['conversations']} was made anew")()
        send(3, 1)
        # Sighted anew: what was captured is not captured again.
        send(0, 1)
        expected = captured(*numbers) + Counter((f"C{number:08d}", 0) for number in numbers)
        assert identities(topics.read("investigations", until=expected.total())) == expected
        time.sleep(1)
        assert identities(topics.read("investigations")) == expected
        assert [one.stop(), two.stop()] == [0, 0]
    for each in (one, two):
        assert_sentences(each)


def test_rejected(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    with service(tmp_path, topics) as running:
        topics.delete("rejected")
        topics.send("intelligence", [(None, b"poison")])
        running.wait(says(running, f"topic {topics['rejected']}", "does not exist"), "saying so", 15)
        assert running.get("/readyz")[0] == 200
        topics.make("rejected")
        (told,) = topics.read("rejected", until=1)
        assert told["message"] == "poison"
        assert running.stop() == 0
    assert_sentences(running)
