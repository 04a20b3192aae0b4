"""The topic by which instances tell each other of flagged conversations: read whole, by every instance."""

from __future__ import annotations

import time
import uuid
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from threathunting.kafka.connection import Connection
from threathunting.kafka.heard import Heard
from threathunting.kafka.problems import problem
from threathunting.kafka.topic_ids import GONE, TopicIds

_TIMEOUT = 10.0


class FlagsTopic:
    """Reads the one partition of the flags topic in order; raises ConnectionError where it can't.

    Only what is committed is read, so a flag's place (its offset) is the same for all.
    """

    def __init__(self, connection: Connection, topic: str, newest: int) -> None:
        """Begin ``newest`` messages before the end: what is older would be forgotten again for want of room."""
        self._topic = topic
        self._ids = TopicIds(connection, [topic])
        self._newest = newest
        self._heard = Heard(connection, topic)
        self._end = -1
        """Where an end of the partition was last met."""
        self.place = 0
        """Everything before it has been read."""
        self._consumer = Consumer(
            connection.client(
                {
                    # librdkafka wants a group; this one is never joined and commits nothing.
                    "group.id": f"threathunting-flags-{uuid.uuid4()}",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 50,
                }
            )
        )

    @property
    def id(self) -> str:
        """The topic's id; one that was made anew has another."""
        return self._ids.known.get(self._topic, "")

    @property
    def heard(self) -> float:
        """Whatever any instance had told before this time (of ``time.monotonic``) has been read."""
        return self._heard.until

    def start(self) -> None:
        """Find the partition and its end."""
        try:
            described = self._consumer.list_topics(self._topic, timeout=_TIMEOUT).topics[self._topic]
            if described.error is not None:
                raise problem(described.error, f"topic {self._topic}")
            if len(described.partitions) != 1:
                raise ConnectionError(
                    f"topic {self._topic} has {len(described.partitions)} partitions and must have one, "
                    "as flags are told in one order; delete it and create it anew"
                )
            self._ids.read()
            low, high = self._watermarks()
            self.place = max(low, high - self._newest)
            self._consumer.assign([TopicPartition(self._topic, 0, self.place)])
        except KafkaException as error:
            raise problem(error, f"topic {self._topic}") from None

    def poll(self) -> list[tuple[int, bytes | None]]:
        """(offset, value) of what is there, without waiting."""
        if (changed := self._ids.changed(time.monotonic())) is not None:
            what = "was made anew" if changed[1] else "was deleted; create it again"
            raise ConnectionError(f"Kafka: topic {self._topic} {what}")
        # Only what an earlier call gave has been acted upon.
        self._heard.look(max(self.place, self._end))
        return self._read(0.0)

    def catch_up(self, timeout: float = 60.0) -> list[tuple[int, bytes | None]]:
        """Read up to where the topic ends now."""
        try:
            _, high = self._watermarks()
        except KafkaException as error:
            raise problem(error, f"topic {self._topic}") from None
        found = []
        until = time.monotonic() + timeout
        while self.place < high and self._end < high:
            if time.monotonic() > until:
                raise ConnectionError(
                    f"Kafka: topic {self._topic} could not be read to its end in {timeout:.0f} s"
                )
            found += self._read(0.1)
        self.place = max(self.place, high)
        return found

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def _watermarks(self) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=_TIMEOUT)
        return int(low), int(high)

    def _read(self, timeout: float) -> list[tuple[int, bytes | None]]:
        found: list[tuple[int, bytes | None]] = []
        try:
            messages: list[Any] = self._consumer.consume(10_000, timeout)
        except KafkaException as error:
            raise problem(error, f"topic {self._topic}") from None
        for message in messages:
            met = message.error()
            if met is None:
                if message.offset() < self.place:
                    raise ConnectionError(f"Kafka: topic {self._topic} begins anew; it was made again")
                found.append((message.offset(), message.value()))
                self.place = message.offset() + 1
            elif met.code() == KafkaError._PARTITION_EOF:
                self._end = message.offset()
            elif met.fatal() or met.code() in GONE:
                raise problem(met, f"topic {self._topic}")
        return found
