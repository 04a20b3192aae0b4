"""From Kafka to Kafka: records read in a consumer group, results and positions in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import code_of, problem, sentence, without_noise
from threathunting.kafka.topic_ids import GONE, TopicIds

Partition = tuple[str, int]
"""A topic and a partition's number."""

SESSION_MS = 10_000
"""An instance that isn't heard of for so long loses its partitions to the others."""

TRANSACTION_MS = 30_000
"""A transaction that a killed instance left open is ended by the broker after so long, or by its restart."""

COMMIT_SECONDS = 20.0
"""A commit that takes longer is given up, and with it the session."""

# When the group's coordinator went away, send_offsets_to_transaction waits for it whatever its timeout is, until a
# connection changes its state and the coordinator isn't remembered any more (librdkafka issues 5456 and 5511). So
# connections are closed that nothing is sent on, and coordinators are soon forgotten.
_UNSTUCK = {"connections.max.idle.ms": 6_000, "metadata.max.age.ms": 2_000}

PATIENCE_SECONDS = 5.0
"""Seconds after which a call of the producer is made again, or given up where that can't help."""

LOOK_SECONDS = 1.0
"""How often an absent broker is looked for."""

BATCH_BYTES = 100_000
"""Messages go together in so many bytes: all of a batch counts against the topic's ``max.message.bytes``."""

MAX_OUTPUT = 16_000_000
"""Bytes of the largest message that we write; the topic's own limit is usually lower."""

_FENCED = (
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError._FATAL,
)
_NOTHING_LOST = (KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED)


class Position(msgspec.Struct, frozen=True):
    """How far a partition is done.

    Before ``high`` all is done, and that is the offset that the group commits. From ``low`` on a restart reads
    again to fill the look-behind window. Of the flags topic everything before ``upto`` was acted upon. ``topic``
    is the id of the topic, which no other one has that is made in its place.
    """

    high: int
    low: int
    upto: int
    topic: str = ""


class Arrived(NamedTuple):
    """Messages of one partition in order: their values (None: a tombstone) and offsets."""

    partition: Partition
    values: list[bytes | None]
    offsets: list[int]


class Handler:
    """What an exchange tells its owner, in the owner's thread, from within ``poll``."""

    def assigned(self, positions: Mapping[Partition, Position | None]) -> None:
        """These partitions are ours from now on; None where nobody committed a position."""

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """These go to another instance: the last moment to commit what was done of them."""

    def lost(self, partitions: Iterable[Partition]) -> None:
        """These went to another instance already: what isn't committed is void."""


class SupersededError(Exception):
    """Another instance of our name took our transactions over, or the broker gave one up; a sentence says so."""


class Exchange:
    """A member of a consumer group with a transactional producer of its own.

    Every method that talks to Kafka raises ConnectionError with a sentence where it can't go on; then the
    exchange is closed, and a new one begins where the last commit was. ``SupersededError`` says the same, and that
    another one may have taken our place, from which a new one would take it back.
    """

    def __init__(
        self, connection: Connection, topics: list[str], group: str, instance: str, handler: Handler
    ) -> None:
        """``instance`` is a name that no other running instance of the group has."""
        self._handler = handler
        self._failed: BaseException | None = None
        self._open = False
        self._topics = topics
        self.note: Callable[[str], None] = lambda text: None
        """Is told what a person should know while it goes on."""
        self._absent: str | None = None
        """That no broker is there, as a sentence."""
        self._missing: dict[str, str] = {}
        """Topics that aren't there, each with a sentence."""
        self._look_at = 0.0
        self._undelivered: str | None = None
        self._moved: set[Partition] = set()
        """Partitions that changed hands in this poll."""
        self._producer = Producer(
            connection.client(
                {
                    "client.id": client_id(instance),
                    "transactional.id": f"threathunting-{group}-{instance}",
                    "transaction.timeout.ms": TRANSACTION_MS,
                    "enable.idempotence": True,
                    "message.max.bytes": MAX_OUTPUT,
                    "batch.size": BATCH_BYTES,
                    "delivery.report.only.error": True,
                    "on_delivery": self._delivered,
                    "linger.ms": 5,
                    "compression.type": "lz4",
                    "error_cb": self._error,
                }
                | _UNSTUCK
                | without_noise(connection.settings)
                | _without(connection, "compression.type", "linger.ms", "transaction.timeout.ms")
            )
        )
        self._connection, self._group, self._instance = connection, group, instance
        self._ids = TopicIds(connection, topics)
        self._joined: Consumer | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing can come, as a sentence; None where nothing is known to be wrong."""
        return self._absent or next(iter(self._missing.values()), None)

    def start(self, timeout: float = 30.0) -> None:
        """End what an earlier self left open, and join the group."""
        try:
            self._producer.init_transactions(timeout)
            self._ids.read()
            self._joined = self._new_consumer()
            self._consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
        except KafkaException as error:
            raise self._problem(error, "the transaction can't begin") from None

    def poll(self, timeout: float, limit: int) -> list[Arrived]:
        """What has arrived, up to ``limit`` messages; waits up to ``timeout`` seconds for the first."""
        try:
            first = self._consumer.poll(timeout)
            self._moved.clear()
            messages = [] if first is None else [first, *self._consumer.consume(limit - 1, 0)]
            if self._moved and first is not None and (first.topic(), first.partition()) in self._moved:
                # If the partition is ours again, it begins anew, and this message comes again in its place.
                del messages[0]
        except KafkaException as error:
            raise self._problem(error, "records can't be read") from None
        self._raise_failed()
        if self._absent is not None:
            self._look(bool(messages))
        return list(self._sorted(messages))

    def produce(self, topic: str, value: bytes, key: str, headers: Mapping[str, str]) -> None:
        """Write a message within the running transaction."""
        try:
            if not self._open:
                self._producer.begin_transaction()
                self._open = True
            while True:
                try:
                    self._producer.produce(
                        topic, value, key.encode("utf-8", "replace") or None, headers=dict(headers)
                    )
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    return
        except KafkaException as error:
            raise self._problem(error, f"topic {topic}") from None

    def commit(self, positions: Mapping[Partition, Position], timeout: float = COMMIT_SECONDS) -> None:
        """End the transaction: results so far and these positions become true together."""
        until = time.monotonic() + timeout
        offsets = [
            TopicPartition(topic, partition, position.high, metadata=self._metadata(topic, position))
            for (topic, partition), position in positions.items()
        ]
        try:
            if not self._open:
                self._producer.begin_transaction()
                self._open = True
            if offsets:
                self._persist(
                    lambda left: self._producer.send_offsets_to_transaction(
                        offsets, self._consumer.consumer_group_metadata(), left
                    ),
                    until,
                )
            self._persist(self._producer.commit_transaction, until)
            self._open = False
        except KafkaException as error:
            raise self._problem(error, "a transaction can't be committed") from None

    def made_anew(self, now: bool = False) -> str | None:
        """A topic that is another one than when we joined: the positions that we have are of the one before.

        ``now``: by asking and waiting; else as found out by looking every few seconds.
        """
        changed = self._ids.changed_now() if now else self._ids.changed(time.monotonic())
        return changed[0] if changed is not None and changed[1] else None

    def lag(self, partition: Partition, position: int) -> int | None:
        """Messages after ``position``, as far as known without asking."""
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        except KafkaException:
            return None
        return max(int(high) - position, 0) if high >= 0 else None

    def close(self) -> None:
        """Leave; what isn't committed is void."""
        try:
            if self._open:
                self._producer.abort_transaction(5)
        except KafkaException:
            pass
        # Closing would call back into a handler that is done with.
        self._handler = Handler()
        if self._joined is not None:
            self._joined.close()
        self._producer.purge()

    def _metadata(self, topic: str, position: Position) -> str:
        known = msgspec.structs.replace(position, topic=self._ids.known.get(topic, ""))
        return msgspec.json.encode(known).decode()

    def _position(self, committed: TopicPartition) -> Position | None:
        position = _position(committed)
        if position is not None and position.topic not in ("", self._ids.known.get(committed.topic, "")):
            self.note(f"topic {committed.topic} was made anew; it is read from its beginning")
            return None
        return position

    @property
    def _consumer(self) -> Consumer:
        assert self._joined is not None, "not started"
        return self._joined

    def _new_consumer(self) -> Consumer:
        connection = self._connection
        # No static member: one that was killed while partitions move, or comes back when there are more topics or
        # partitions, is given what it had; and one that a broker forgot in a crash is taken for another.
        return Consumer(
            connection.client(
                {
                    "client.id": client_id(self._instance),
                    "group.id": self._group,
                    "session.timeout.ms": SESSION_MS,
                    "heartbeat.interval.ms": 1000,
                    "max.poll.interval.ms": 300_000,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    "partition.assignment.strategy": "cooperative-sticky",
                    "fetch.wait.max.ms": 50,
                    "fetch.queue.backoff.ms": 50,
                    "topic.metadata.refresh.interval.ms": 10_000,
                    "error_cb": self._error,
                }
                | without_noise(connection.settings)
                | _without(
                    connection,
                    "session.timeout.ms",
                    "heartbeat.interval.ms",
                    "topic.metadata.refresh.interval.ms",
                )
            )
        )

    def _persist(self, call: Callable[[float], object], until: float) -> None:
        """Make a call that takes a timeout until it succeeds or can't any more."""
        while True:
            left = until - time.monotonic()
            try:
                call(max(min(left, PATIENCE_SECONDS), 0.1))
            except KafkaException as error:
                # That a topic isn't there is retriable for librdkafka; it was deleted.
                if not error.args[0].retriable() or left <= 0 or code_of(error) in GONE:
                    raise
            else:
                return

    def _look(self, heard: bool) -> None:
        """Whether a broker is back; where no records come, it has to be asked."""
        now = time.monotonic()
        if not heard and now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            try:
                heard = bool(self._consumer.list_topics(self._topics[0], timeout=LOOK_SECONDS / 2).brokers)
            except KafkaException:
                pass
        if heard:
            self._absent = None

    def _problem(self, error: KafkaError | KafkaException, about: str = "") -> Exception:
        if code_of(error) in _FENCED:
            return SupersededError(sentence(error, about))
        # A transaction fails with what couldn't be delivered, of which the error itself may say nothing.
        with suppress(KafkaException):
            self._producer.poll(0)
        return problem(error, about) if self._undelivered is None else ConnectionError(self._undelivered)

    def _sorted(self, messages: Iterable[Any]) -> Iterable[Arrived]:
        found: dict[Partition, Arrived] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._told(error, message)
                continue
            partition = (message.topic(), message.partition())
            arrived = found.get(partition)
            if arrived is None:
                arrived = found[partition] = Arrived(partition, [], [])
            arrived.values.append(message.value())
            arrived.offsets.append(message.offset())
        return found.values()

    def _told(self, error: KafkaError, message: Message) -> None:
        if error.code() in _NOTHING_LOST:
            return
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise self._problem(error, "records can't be read")
        topic = message.topic()
        told = sentence(error, f"topic {topic or ', '.join(self._topics)}")
        if error.code() in GONE and topic is not None:
            self._missing[topic] = told
        self.note(told)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self._undelivered = self._undelivered or sentence(error, f"topic {message.topic()}")

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed = KafkaException(error)
        else:
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                self._absent = sentence(error)
            self.note(sentence(error))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        def work() -> None:
            positions = {
                (one.topic, one.partition): self._position(one)
                for one in (consumer.committed(partitions, 30) if partitions else ())
            }
            for topic, _ in positions:
                self._missing.pop(topic, None)
            self._handler.assigned(positions)
            consumer.incremental_assign(
                [
                    TopicPartition(topic, number, -2 if position is None else position.low)
                    for (topic, number), position in positions.items()
                ]
            )

        self._guarded(work)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        def work() -> None:
            moved = [(one.topic, one.partition) for one in partitions]
            self._moved.update(moved)
            self._handler.revoked(moved)
            consumer.incremental_unassign(partitions)

        self._guarded(work)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._guarded(lambda: self._handler.lost([(one.topic, one.partition) for one in partitions]))

    def _guarded(self, work: Callable[[], Any]) -> None:
        """Keep what goes wrong in a callback for ``poll``: it must not be raised through librdkafka."""
        try:
            work()
        except KafkaException as error:
            self._failed = problem(error, "partitions can't change hands")
        except Exception as error:
            self._failed = error

    def _raise_failed(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise self._problem(failed) if isinstance(failed, KafkaException) else failed


def client_id(instance: str) -> str:
    """How an instance of that name calls itself before brokers, and in the group."""
    return f"threathunting-{instance}"


def _position(committed: TopicPartition) -> Position | None:
    if committed.error is not None:
        raise problem(committed.error, f"the position in {committed.topic} can't be read")
    if committed.offset < 0:
        return None
    try:
        return msgspec.json.decode((committed.metadata or "").encode(), type=Position)
    except msgspec.MsgspecError:
        # Set by hand (kafka-consumer-groups --reset-offsets): begin there, with nothing in the window.
        return Position(committed.offset, committed.offset, -1)


def _without(connection: Connection, *names: str) -> dict[str, Any]:
    """The user's own choice of these settings, which stands over ours."""
    return {name: connection.settings[name] for name in names if name in connection.settings}


__all__ = [
    "SESSION_MS",
    "Arrived",
    "Exchange",
    "Handler",
    "Partition",
    "Position",
    "SupersededError",
    "client_id",
]
