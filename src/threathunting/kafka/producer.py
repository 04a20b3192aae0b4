"""Writing to Kafka without transactions: each message once in order, known to have arrived by ``flush``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from threathunting.kafka.connection import Connection
from threathunting.kafka.exchange import BATCH_BYTES, MAX_OUTPUT
from threathunting.kafka.problems import problem, sentence, without_noise


class Writer:
    """An idempotent producer that waits for all replicas in sync, and as long as it takes.

    What can't be delivered is told by ``flush``, as ConnectionError: then nothing since the last flush that
    passed is known to have arrived.
    """

    def __init__(
        self, connection: Connection, instance: str, note: Callable[[str], None] = lambda text: None
    ) -> None:
        """``note`` is told what a person should know while it goes on."""
        self._note = note
        self._failed: KafkaError | None = None
        self._about = ""
        self._producer = Producer(
            connection.client(
                {
                    "client.id": f"threathunting-{instance}",
                    "enable.idempotence": True,
                    "message.timeout.ms": 0,
                    "message.max.bytes": MAX_OUTPUT,
                    "batch.size": BATCH_BYTES,
                    "delivery.report.only.error": True,
                    "on_delivery": self._delivered,
                    "error_cb": self._error,
                    "linger.ms": 5,
                    "compression.type": "lz4",
                }
                | without_noise(connection.settings)
                | {
                    name: value
                    for name, value in connection.settings.items()
                    if name in ("linger.ms", "compression.type", "message.timeout.ms")
                }
            )
        )

    def __len__(self) -> int:
        """Messages that wait to be sent or acknowledged."""
        return len(self._producer)

    def produce(self, topic: str, value: bytes | None, key: str, headers: Mapping[str, str]) -> None:
        """Write a message; waits while too many wait already."""
        try:
            while True:
                try:
                    self._producer.produce(
                        topic, value, key.encode("utf-8", "replace") or None, headers=dict(headers)
                    )
                except BufferError:
                    self._producer.poll(0.1)
                    self._raise_failed()
                else:
                    return
        except KafkaException as error:
            raise problem(error, f"topic {topic}") from None

    def flush(self, timeout: float) -> bool:
        """Whether all has been acknowledged within ``timeout`` seconds."""
        left = self._producer.flush(timeout)
        self._raise_failed()
        return left == 0

    def close(self) -> None:
        """Give up what still waits."""
        self._producer.purge()
        self._producer.flush(1)

    def _raise_failed(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise problem(failed, self._about)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self._failed, self._about = error, f"topic {message.topic()}"

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed, self._about = error, ""
        else:
            self._note(sentence(error))
