"""What a topic is now: which one of that name, and its partitions; asked without waiting for the answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection

TIMEOUT = 10.0
"""Seconds after which an answer is not waited for any more."""


class Layout(NamedTuple):
    """A topic's id (a re-created one has another), its partitions, and those of them without a leader."""

    id: str
    partitions: list[int]
    leaderless: list[int]


class TopicWatch:
    """Asks again every so often; the answer is fetched by ``step``."""

    def __init__(self, connection: Connection, topic: str) -> None:
        """Asks at once."""
        self._topic = topic
        self._client = AdminClient(connection.client({"socket.timeout.ms": int(TIMEOUT * 1000)}))
        self._asked: Future[Any] | None = None
        self._next = 0.0

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._asked is not None

    def ask_by(self, at: float) -> None:
        """Ask at ``at`` (monotonic seconds) at the latest."""
        self._next = min(self._next, at)

    def step(self, now: float, every: float) -> Layout | KafkaError | None:
        """The answer, if one has come, and ask if it is time; ``every``: seconds until the next time."""
        self._client.poll(0)
        if self._asked is None:
            if now >= self._next:
                self._next = now + every
                wanted = TopicCollection([self._topic])
                try:
                    self._asked = self._client.describe_topics(wanted, request_timeout=TIMEOUT)[self._topic]
                except KafkaException as error:
                    return _error(error)
            return None
        if not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        try:
            described = asked.result()
        except KafkaException as error:
            return _error(error)
        numbers = sorted(part.id for part in described.partitions)
        leaderless = [part.id for part in described.partitions if part.leader is None or part.leader.id < 0]
        return Layout(str(described.topic_id), numbers, leaderless)


def _error(error: KafkaException) -> KafkaError:
    found = error.args[0]
    return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(found))
