"""Writing intel messages for people: many of them fast, each known to have arrived or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection
from threathunting.kafka.limits import message_limits
from threathunting.kafka.problems import problem, sentence

PARTITIONER = "murmur2_random"
"""Java's own, so that a key goes to the same partition whoever writes it; librdkafka's default is another."""

MESSAGE_SECONDS = 60
"""How long a message is tried; ``-X message.timeout.ms=...`` sets another time."""

DEFAULT_LIMIT = 1_048_588
"""Kafka's own default of a topic's ``max.message.bytes``."""

ENVELOPE = 100
"""Bytes of a batch around its messages."""

LEAST_LIMIT = 1000
"""The least that librdkafka takes as one."""

_ASK_SECONDS = 10.0
_USERS = ("message.timeout.ms", "compression.type", "linger.ms", "message.max.bytes")
"""Settings in which the user's choice stands over ours."""


class Delivery(NamedTuple):
    """Messages handed over, and those that a broker has acknowledged; ``reason`` tells why the others failed."""

    sent: int = 0
    arrived: int = 0
    reason: str | None = None


NOTHING_SENT = Delivery()


class IntelProducer:
    """Writes to one topic, idempotently: no message twice, a key's messages in order.

    It waits for all replicas in sync. ``note`` is told what keeps it waiting, once for each reason.
    """

    def __init__(
        self, connection: Connection, topic: str, note: Callable[[str], None] = lambda text: None
    ) -> None:
        """Raises ValueError where settings are none, ConnectionError where no broker or topic is to be found."""
        self._topic = topic
        self._note = note
        self._noted: dict[str, None] = {}
        self._sent = self._failed = 0
        self._reason: str | None = None
        self._find_topic(connection)
        limit = max(message_limits(connection, [topic]).get(topic, DEFAULT_LIMIT) - ENVELOPE, LEAST_LIMIT)
        settings = {
            "client.id": "threathunting-intel",
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": PARTITIONER,
            "message.timeout.ms": MESSAGE_SECONDS * 1000,
            # A broker refuses a whole batch that is too large, with all that is in it.
            "message.max.bytes": limit,
            "batch.size": min(limit, 1_000_000),
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 200_000,
            # Callbacks in Python for every message would take more time than all the rest.
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
            "error_cb": self._error,
        }
        settings |= {name: connection.settings[name] for name in _USERS if name in connection.settings}
        self._producer = Producer(connection.client(settings))

    def send(self, key: bytes, value: bytes | None) -> None:
        """Hand over a message; None removes what was told under ``key``. Waits while too many wait.

        What becomes of it is told by ``finish``; a message that is too large fails at once.
        """
        while True:
            try:
                self._producer.produce(self._topic, value, key)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self._failed += 1
                self._reason = self._reason or sentence(error, f"topic {self._topic}")
                break
            else:
                break
        self._sent += 1
        if not self._sent % 1000:
            self._producer.poll(0)

    def delivery(self) -> Delivery:
        """How it stands now."""
        arrived = self._sent - self._failed - len(self._producer)
        return Delivery(self._sent, max(arrived, 0), self._reason)

    def finish(self, progress: Callable[[], None] = lambda: None) -> Delivery:
        """Wait until every message has arrived or failed; ``progress`` is called meanwhile."""
        while self._producer.flush(0.2):
            progress()
        progress()
        return self.delivery()

    def close(self) -> None:
        """Give up what still waits."""
        self._producer.purge()
        self._producer.flush(1)

    def _find_topic(self, connection: Connection) -> None:
        """A message for a topic that isn't there would only time out."""
        try:
            client = AdminClient(connection.client({"error_cb": self._error}))
        except KafkaException as error:
            raise ValueError(sentence(error)) from None
        began = time.monotonic()
        while True:
            try:
                # In short steps, so that the reason of a failure is told as soon as it is known.
                found = client.list_topics(self._topic, timeout=1.0).topics[self._topic]
            except KafkaException as error:
                client.poll(0)
                patience = _ASK_SECONDS / (2 if self._noted else 1)
                if self._reason is None and time.monotonic() < began + patience:
                    continue
                raise ConnectionError(self._reason or next(reversed(self._noted), sentence(error))) from None
            if found.error is not None:
                raise problem(found.error, f"topic {self._topic}")
            return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        self._failed += 1
        self._reason = self._reason or sentence(error, f"topic {message.topic()}")

    def _error(self, error: KafkaError) -> None:
        told = sentence(error)
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL) and not self._sent:
            self._reason = told
        if error.code() != KafkaError._TRANSPORT and told not in self._noted:
            self._noted[told] = None
            self._note(told)
