"""Reading topics of results from where they begin, as they grow, in no group: for people who look on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import problem

_TIMEOUT = 10.0


class Told(NamedTuple):
    """A message that has a value; ``at`` is its timestamp in seconds since the epoch."""

    topic: str
    at: float
    value: bytes


class Tail:
    """Reads all partitions that topics have now. ConnectionError says why it can't."""

    def __init__(self, connection: Connection, topics: Iterable[str]) -> None:
        """Begin at the beginning of each."""
        self._consumer = Consumer(
            connection.client(
                {
                    # librdkafka wants a group; this one is never joined and commits nothing.
                    "group.id": f"threathunting-tail-{uuid.uuid4()}",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    "fetch.wait.max.ms": 50,
                }
            )
        )
        try:
            found = [
                TopicPartition(topic, number, 0)
                for topic in topics
                for number in self._consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic].partitions
            ]
            self._consumer.assign(found)
        except KafkaException as error:
            self._consumer.close()
            raise problem(error) from None

    def poll(self, timeout: float) -> list[Told]:
        """What has come, as soon as there is any; [] after ``timeout`` seconds."""
        until = time.monotonic() + timeout
        found: list[Told] = []
        while not found:
            left = until - time.monotonic()
            try:
                first = self._consumer.poll(max(left, 0))
                messages = [] if first is None else [first, *self._consumer.consume(10_000, 0)]
            except KafkaException as error:
                raise problem(error) from None
            for message in messages:
                value = message.value()
                if message.error() is None and value is not None:
                    found.append(Told(message.topic() or "", message.timestamp()[1] / 1000, value))
            if left <= 0:
                break
        return found

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
