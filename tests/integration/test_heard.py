"""Up to when all flags that others told are known: it moves on with them, and stands still where one is open."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Producer

from threathunting.kafka.connection import Connection
from threathunting.kafka.flags import FlagsTopic

from ..broker import Broker
from ..live import Topics

pytestmark = pytest.mark.kafka


def behind(flags: FlagsTopic, seconds: float) -> float:
    """How far it is behind at last, after it was polled for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        flags.poll()
        time.sleep(0.02)
    return time.monotonic() - flags.heard


def test_it_follows_and_waits_for_open_transactions(kafka: Broker) -> None:
    topics = Topics(kafka)
    topic = topics["conversations"]
    other = Producer(kafka.client(transactional_id=topics["other"], transaction_timeout_ms=60_000))
    other.init_transactions(20)
    flags = FlagsTopic(Connection(brokers=[kafka.bootstrap()]), topic, 100)
    try:
        flags.start()
        flags.catch_up()
        assert behind(flags, 3) < 1.5
        for _ in range(20):
            other.begin_transaction()
            other.produce(topic, b"{}")
            other.commit_transaction(10)
            assert behind(flags, 0.1) < 2
        other.begin_transaction()
        other.produce(topic, b"{}")
        other.flush(10)
        assert behind(flags, 3) > 2
        other.commit_transaction(10)
        assert behind(flags, 2) < 1.5
        other.begin_transaction()
        other.produce(topic, b"{}")
        other.flush(10)
        other.abort_transaction(10)
        assert behind(flags, 3) < 1.5
    finally:
        flags.close()
