"""A broker that restarts, dies, is absent, or hangs: the service says so, goes on, and loses or doubles nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..broker import Broker
from ..live import Service, Topics
from .flow import INTEL, Flow, assert_sentences, consuming, says

pytestmark = pytest.mark.kafka

IMPATIENT = {
    "socket.timeout.ms": 3000,
    "session.timeout.ms": 6000,
    "transaction.timeout.ms": 4000,
}
"""So that what lasts minutes by default lasts seconds."""


@pytest.fixture(scope="module")
def own_broker(kafka_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    own = Broker(tmp_path_factory.mktemp("broker-gone"))
    yield own
    own.close()


@pytest.fixture
def broker(own_broker: Broker) -> Broker:
    """One for the tests of this file, that runs."""
    own_broker.resume()
    return own_broker.start()


def service(folder: Path, topics: Topics) -> Service:
    return Service(
        folder,
        topics,
        consume=consuming(topics),
        kafka={"settings": IMPATIENT},
        hunt={"look_behind": "5s"},
    )


def is_ready(running: Service) -> bool:
    return running.get("/readyz")[0] == 200


def test_a_broker_that_is_absent_restarted_and_killed_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    topics = Topics(broker, records=4)
    topics.arm(INTEL)
    broker.stop()
    running = service(tmp_path, topics).start(ready=False)
    try:
        running.wait(lambda: "no broker can be reached" in running.get("/readyz")[1], "saying why")
        code, reason = running.get("/readyz")
        assert code == 503
        assert f"intel topic {topics['intelligence']}: Kafka: no broker can be reached" in reason
        assert running.get("/healthz")[0] == 200
        broker.start()
        running.wait(lambda: is_ready(running), "ready", 20)
        with Flow(topics) as flow:
            time.sleep(1)
            broker.restart()
            running.wait(lambda: is_ready(running), "ready again")
            time.sleep(1)
            broker.kill()
            broker.start()
            running.wait(lambda: is_ready(running), "ready again")
            flow.check()
        assert running.get("/healthz")[0] == 200
        assert says(running, "consume: Kafka:", "broker")()
        assert running.stop() == 0
        flow.check()
    finally:
        running.kill()
    assert_sentences(running)


def test_a_long_absence_and_an_end_within_it_cost_nothing(broker: Broker, tmp_path: Path) -> None:
    """Longer than the group's session and the transaction last: both must be begun anew."""
    topics = Topics(broker, records=4)
    topics.arm(INTEL)
    with service(tmp_path, topics) as running, Flow(topics) as flow:
        time.sleep(1)
        broker.stop()
        gone = time.monotonic()
        running.wait(lambda: not is_ready(running), "not ready", 15)
        assert "Kafka" in running.get("/readyz")[1]
        while time.monotonic() - gone < 12:
            assert running.get("/healthz")[0] == 200
            time.sleep(0.5)
        assert running.status()["indicators"] == 1
        broker.start()
        running.wait(lambda: is_ready(running), "ready again")
        time.sleep(1)
        broker.stop()
        began = time.monotonic()
        running.stop()
        assert time.monotonic() - began < 35
        broker.start()
        running.start()
        flow.check()
        assert running.stop() == 0
    assert_sentences(running)


def test_a_broker_that_hangs_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    topics = Topics(broker, records=4)
    topics.arm(INTEL)
    with service(tmp_path, topics) as running, Flow(topics) as flow:
        time.sleep(1)
        broker.pause()
        try:
            running.wait(lambda: not is_ready(running), "not ready", 20)
        finally:
            broker.resume()
        running.wait(lambda: is_ready(running), "ready again")
        flow.check()
        assert running.get("/healthz")[0] == 200
        assert running.stop() == 0
    assert_sentences(running)
