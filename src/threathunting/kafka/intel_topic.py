"""Reading all of topic ``intelligence``: from the beginning up to the end in the order of time, then as it grows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from threathunting.intel.replay import TopicMessage
from threathunting.kafka.connection import Connection
from threathunting.kafka.merging import Merge
from threathunting.kafka.problems import sentence
from threathunting.kafka.topic_watch import Layout, TopicWatch

CHECK_SECONDS = 30.0
"""How often new partitions, and another topic of the same name, are looked for."""

RETRY_SECONDS = 1.0
"""The same while something is wrong."""

BEGINNING = 0
"""Where no message has that offset any more, the earliest there is is read; to ask for it takes half a second."""

_SLICE = 0.02
"""Seconds between looks for an answer that is awaited."""

_TOLD_FOR = 15.0
"""Seconds that a problem of reading is told for, unless it is met again; the topic's metadata may look well."""

_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


class IntelTopic:
    """Reads every partition itself, in no consumer group, and only what is committed.

    It keeps trying whatever happens: no broker, no topic, a topic deleted and made anew (then read from its
    beginning), new partitions. What keeps it from reading is told by ``problem``. For one thread.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        *,
        instance: str = "threathunting",
        patience: float = 30.0,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """``instance`` names us to the broker. ``patience``: seconds that a partition is waited for, see Merge.

        Raises ValueError where the connection's settings are none, and what ``Connection.client`` raises.
        """
        self.topic = topic
        self._patience, self._check_seconds = patience, check_seconds
        settings = {
            "client.id": instance,
            # librdkafka wants a group; this one is never joined and commits nothing.
            "group.id": f"{instance}-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 100,
            "fetch.queue.backoff.ms": 10,
            "max.partition.fetch.bytes": 4_000_000,
            "topic.metadata.refresh.interval.ms": 10_000,
            "error_cb": self._error,
        }
        try:
            self._consumer = Consumer(connection.client(settings))
            self._watch = TopicWatch(connection, topic)
        except KafkaException as error:
            raise ValueError(sentence(error)) from None
        self._id: str | None = None
        """The topic's id, once it is being read."""
        self._merge: Merge | None = None
        """What waits while the topic is read for the first time."""
        self._ready: list[TopicMessage] = []
        """What doesn't wait any more, but for who polls."""
        self._caught_up = False
        self._orders: dict[int, float] = {}
        self._next: dict[int, int] = {}
        self._paused: set[int] = set()
        self._missing = False
        self._layout_problem: str | None = None
        self._reading_problem: tuple[str, float] | None = None
        self._connection_problem: str | None = None

    @property
    def id(self) -> str | None:
        """The id of the topic that is read; one that was made anew has another."""
        return self._id

    @property
    def caught_up(self) -> bool:
        """Whether ``poll`` has given all that the topic held when it was read first.

        False again while a topic that was made anew is read.
        """
        return self._caught_up

    @property
    def problem(self) -> str | None:
        """What keeps it from reading, as a sentence; None where nothing does."""
        reading = self._reading_problem
        if reading is not None and time.monotonic() < reading[1]:
            return self._layout_problem or reading[0]
        return self._layout_problem or self._connection_problem

    @property
    def missing(self) -> bool:
        """Whether a broker says that there is no such topic."""
        return self._missing

    def lag(self) -> int | None:
        """Messages that are still to be read, as far as is known without asking; None where nothing is."""
        known = None
        for partition, position in self._next.items():
            try:
                _, high = self._consumer.get_watermark_offsets(
                    TopicPartition(self.topic, partition), cached=True
                )
            except KafkaException:
                continue
            if high >= 0:
                known = (known or 0) + max(int(high) - position, 0)
        return known

    def poll(self, timeout: float, limit: int = 10_000) -> list[TopicMessage]:
        """What has come, up to ``limit`` messages of it, as soon as there is any; [] after ``timeout`` seconds.

        Up to ``caught_up`` they come in order of time over all partitions, afterwards as they arrive.
        """
        until = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if (answer := self._watch.step(now, self._every())) is not None:
                self._told(answer, now)
            if self._ready or self._merge is not None:
                found = self._merged(self._slice(until - now), limit)
            else:
                found = self._read(self._slice(until - now), limit)
            if found or time.monotonic() >= until:
                return found

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def _every(self) -> float:
        return self._check_seconds if self.problem is None and self._id is not None else RETRY_SECONDS

    def _slice(self, left: float) -> float:
        wanted = _SLICE if self._watch.asking else RETRY_SECONDS
        if self._merge is not None:
            wanted = min(wanted, 0.1)
        return max(min(left, wanted), 0.0)

    def _read(self, timeout: float, limit: int) -> list[TopicMessage]:
        """Messages as they arrive; those that are to be merged go there instead."""
        try:
            first = self._consumer.poll(timeout)
            if first is None:
                return []
            messages = [first, *self._consumer.consume(limit, 0)]
        except KafkaException as error:
            self._reading_problem = sentence(error, f"topic {self.topic}"), time.monotonic() + _TOLD_FOR
            time.sleep(timeout)
            return []
        return self._sorted(messages, time.time(), time.monotonic())

    def _sorted(self, messages: Iterable[Any], wall: float, now: float) -> list[TopicMessage]:
        topic, orders, merge = self.topic, self._orders, self._merge
        found: list[TopicMessage] = []
        lanes: dict[int, list[TopicMessage]] = {}
        for message in messages:
            partition = message.partition()
            if (error := message.error()) is not None:
                self._event(error, partition, now)
                continue
            order = orders.get(partition, 0.0)
            kind, milliseconds = message.timestamp()
            at = milliseconds / 1000 if kind else order
            if at > order:
                # A clock that goes ahead must not put all that follows behind what others say later.
                order = orders[partition] = min(at, max(wall, order))
            offset = message.offset()
            told = TopicMessage(order, partition, offset, topic, at, message.key(), message.value())
            self._next[partition] = offset + 1
            if merge is None:
                found.append(told)
            elif (lane := lanes.get(partition)) is None:
                lanes[partition] = [told]
            else:
                lane.append(told)
        if merge is not None:
            for partition, lane in lanes.items():
                merge.put(partition, lane, now)
        if found or lanes:
            self._connection_problem = self._reading_problem = None
        return found

    def _event(self, error: KafkaError, partition: int, now: float) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._connection_problem = None
            if self._merge is not None:
                self._merge.finish(partition, now)
            return
        self._watch.ask_by(now)
        if error.code() not in _GONE:
            self._reading_problem = sentence(error, f"topic {self.topic}"), now + _TOLD_FOR

    def _merged(self, timeout: float, limit: int) -> list[TopicMessage]:
        merge = self._merge
        if not self._ready and merge is not None:
            self._read(timeout, limit)
            self._ready = merge.take(time.monotonic())
            if merge.finished:
                self._merge = merge = None
            self._pace(merge)
        found, self._ready = self._ready[:limit], self._ready[limit:]
        self._caught_up = self._merge is None and not self._ready
        return found

    def _pace(self, merge: Merge | None) -> None:
        """Let wait the partitions that run ahead of the others."""
        full = set() if merge is None else merge.full() - self._paused
        free = self._paused if merge is None else self._paused & merge.low()
        if full:
            self._consumer.pause(self._partitions(full))
        if free:
            self._consumer.resume(self._partitions(free))
        self._paused = (self._paused | full) - free

    def _told(self, answer: Layout | KafkaError, now: float) -> None:
        if isinstance(answer, KafkaError):
            if answer.code() < 0 and answer.code() not in _GONE:
                self._connection_problem = self._connection_problem or sentence(answer)
                return
            self._connection_problem = None
            self._layout_problem = sentence(answer, f"topic {self.topic}")
            self._missing = answer.code() in _GONE
            if self._missing and self._id is not None:
                self._id = self._merge = None
                self._paused.clear()
                self._consumer.unassign()
            return
        self._connection_problem = None
        self._missing = False
        self._layout_problem = self._stuck(answer, now)
        if answer.id != self._id:
            self._id = answer.id
            self._begin(answer.partitions, now)
        elif new := [number for number in answer.partitions if number not in self._next]:
            for number in new:
                self._next[number] = 0
                if self._merge is not None:
                    self._merge.add(number, now)
            self._consumer.incremental_assign(self._partitions(new, BEGINNING))

    def _begin(self, partitions: list[int], now: float) -> None:
        self._caught_up = False
        self._orders = {}
        self._next = dict.fromkeys(partitions, 0)
        self._paused.clear()
        self._merge = Merge(partitions, now, patience=self._patience)
        self._consumer.unassign()
        self._consumer.incremental_assign(self._partitions(partitions, BEGINNING))

    def _stuck(self, layout: Layout, now: float) -> str | None:
        stuck = layout.leaderless or ([] if self._merge is None else self._merge.silent(now))
        if not stuck:
            return None
        numbers = ", ".join(map(str, stuck[:10])) + (" ..." if len(stuck) > 10 else "")
        why = "no leader" if layout.leaderless else "nothing to say, though not read to the end"
        return f"Kafka: topic {self.topic}: partition {numbers} has {why}; its intel is missing until it comes back"

    def _partitions(self, numbers: Iterable[int], offset: int | None = None) -> list[TopicPartition]:
        if offset is None:
            return [TopicPartition(self.topic, number) for number in numbers]
        return [TopicPartition(self.topic, number, offset) for number in numbers]

    def _error(self, error: KafkaError) -> None:
        # One connection of several may fail, or be closed for idleness: the next answer tells what is true.
        self._watch.ask_by(time.monotonic() + RETRY_SECONDS)
        if error.code() == KafkaError._TRANSPORT:
            return
        # That none can be reached is no news after the reason why.
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self._connection_problem is None:
            self._connection_problem = sentence(error)
