"""From Kafka to Kafka, killed over and over: every expected record once, none twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged

pytestmark = pytest.mark.kafka

CONVERSATIONS = 50_000
"""Of four records each."""
HITS = 100
"""One conversation in so many has a sighting."""
KILLS = 10
"""Of each of the two instances."""
SECONDS = 40.0
"""Over which the records come."""


def feed(topics: Topics, seed: int, failed: list[BaseException]) -> None:
    """Write all records, each to a partition by chance, so that most conversations lie in several."""
    try:
        chance = random.Random(seed)
        producer = Producer(topics.broker.client(linger_ms=20, compression_type="lz4"))
        waiting: list[bytes] = []
        began = time.monotonic()
        for number in range(CONVERSATIONS):
            waiting += [tagged(*one) for one in conversation(number, number % HITS == 0, time.time())]
            if len(waiting) >= 400:
                # The records of about a hundred conversations come in any order.
                chance.shuffle(waiting)
                for value in waiting:
                    producer.produce(topics["records"], value, partition=chance.randrange(4))
                waiting = []
                producer.poll(0)
                time.sleep(max(began + SECONDS * number / CONVERSATIONS - time.monotonic(), 0))
        for value in waiting:
            producer.produce(topics["records"], value, partition=chance.randrange(4))
        assert producer.flush(60) == 0
    except BaseException as error:
        failed.append(error)


def test_every_investigation_record_comes_once_whatever_is_killed(kafka: Broker, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    topics = Topics(kafka, records=4)
    topics.arm("domain evil.example")
    consume = {
        "topics": [topics["records"]],
        "group": topics["group"],
        "flags_topic": topics["conversations"],
    }
    services = [
        Service(tmp_path / name, topics, name, consume=consume, hunt={"look_behind": "10m"}).start(
            ready=False
        )
        for name in ("one", "two")
    ]
    failed: list[BaseException] = []
    feeder = threading.Thread(target=feed, args=(topics, seed, failed))
    feeder.start()
    try:
        kills = [service for service in services for _ in range(KILLS)]
        chance.shuffle(kills)
        for service in kills:
            time.sleep(chance.uniform(0.2, 3.5))
            service.kill()
            service.start(ready=False)
        feeder.join()
        assert not failed
        expected = Counter(
            {(f"C{number:08d}", n): 1 for number in range(0, CONVERSATIONS, HITS) for n in range(4)}
        )
        found = topics.read("investigations", until=sum(expected.values()), timeout=90)
        # What would come twice may come late.
        time.sleep(3)
        found = topics.read("investigations")
        assert identities(found) == expected
        sightings = Counter(line["sighting_id"] for line in topics.read("sightings"))
        assert len(sightings) == CONVERSATIONS // HITS
        assert set(sightings.values()) == {1}
        assert [service.stop() for service in services] == [0, 0]
        assert identities(topics.read("investigations")) == expected
    finally:
        for service in services:
            service.kill()
