"""Whether topics are still the ones they were: one that was deleted and made anew has another id."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection

CHECK_SECONDS = 5.0
"""How often is looked: a reader isn't told, and may take the offsets of one topic for those of the other."""

TIMEOUT = 10.0

GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)
"""How it is told that a topic isn't there."""

_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers tell that know no ids (before Kafka 2.8)."""


class TopicIds:
    """The ids of some topics, read once and looked at again every so often. For one thread."""

    def __init__(self, connection: Connection, topics: Sequence[str]) -> None:
        """Asks nothing yet."""
        self._client = AdminClient(connection.client({"socket.timeout.ms": int(TIMEOUT * 1000)}))
        self._topics = list(topics)
        self._asked: dict[str, Future[Any]] = {}
        self._next = 0.0
        self.known: dict[str, str] = {}
        """By topic, of those that are there and have one."""

    def read(self) -> None:
        """Wait for the ids. What can't be learnt is left out."""
        self.changed_now()

    def changed_now(self) -> tuple[str, bool] | None:
        """As ``changed``, by an answer that is waited for; None also where there is none in time."""
        self._ask()
        until = time.monotonic() + TIMEOUT
        changed = None
        for topic, asked in self._asked.items():
            try:
                asked.exception(max(until - time.monotonic(), 0.1))
            except TimeoutError:
                continue
            if (found := self._learn(topic, asked)) is not None:
                changed = topic, found
        self._asked = {}
        return changed

    def changed(self, now: float) -> tuple[str, bool] | None:
        """A topic that isn't what it was, and whether there is another one; without waiting.

        ``now`` is in seconds of the monotonic clock.
        """
        self._client.poll(0)
        if not self._asked and now >= self._next:
            self._ask()
        for topic, asked in list(self._asked.items()):
            if asked.done():
                del self._asked[topic]
                if (found := self._learn(topic, asked)) is not None:
                    return topic, found
        return None

    def _ask(self) -> None:
        self._next = time.monotonic() + CHECK_SECONDS
        try:
            self._asked = self._client.describe_topics(TopicCollection(self._topics), request_timeout=TIMEOUT)
        except KafkaException:
            self._asked = {}

    def _learn(self, topic: str, asked: Future[Any]) -> bool | None:
        """None where a topic is as known; else whether it is there."""
        try:
            found = str(asked.result().topic_id)
        except KafkaException as error:
            return False if topic in self.known and error.args[0].code() in GONE else None
        if found == _NO_ID or self.known.setdefault(topic, found) == found:
            return None
        return True
