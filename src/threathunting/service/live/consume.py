"""Records from Kafka topics, results to Kafka: exactly once."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from threathunting.hunt.live import Capture, FlagTable, Found, Raised
from threathunting.hunt.live.flags import NOT_YET
from threathunting.kafka.exchange import (
    SESSION_MS,
    Arrived,
    Exchange,
    Handler,
    Partition,
    Position,
    SupersededError,
    client_id,
)
from threathunting.kafka.flags import FlagsTopic
from threathunting.kafka.groups import is_member
from threathunting.kafka.limits import message_limits
from threathunting.sensors.messages import decode
from threathunting.service.live.running import Pipeline, Running

POLL_MESSAGES = 10_000
FLAG_BYTES = 500_000
"""A flag that is larger than that is told without some of its reasons: a topic takes 1 MB by default."""
IDLE_COMMIT = 1.0
"""Seconds after which positions are committed although nothing was found."""
HOLD = 5.0
"""Seconds by our clock that a new partition's first record is waited for; and that records are held at least, before
the last moment up to which everything is known that others told: they tell of what they read once they commit it."""
BEHIND = 5
"""While there is a backlog, transactions are so many times as long: fewer of them, more records."""

_SOURCE = ""


@dataclass
class Stream:
    """A partition that is ours."""

    capture: Capture
    partition: Partition
    next: int | None
    """The next offset; None until a first message shows where the partition begins."""
    high: int
    """Below it, messages only fill the window: they were dealt with before a restart."""
    committed: Position | None
    expected: int = 0
    """No message before this offset can come, unless the topic is another one."""
    rebuilt: bool = False
    """Whether the window is as it was, and the flags told since have been acted upon."""
    lag: int = 0
    """Messages that are there and not yet read, as far as known."""
    since: float = field(default_factory=time.monotonic)
    """When it became ours."""
    times: deque[tuple[float, float]] = field(default_factory=lambda: deque([(time.monotonic(), 0.0)]))
    """The stream's time as it was lately, by our own clock."""

    def behind(self) -> float:
        """From which time on it may still bring records, where that is before what others bring."""
        if not self.capture.time:
            return 0.0 if time.monotonic() - self.since < HOLD else math.inf
        return self.capture.time if self.lag or not self.rebuilt else math.inf

    def time_before(self, heard: float) -> float:
        """The stream's time as it was ``HOLD`` seconds before ``heard``."""
        times, now = self.times, time.monotonic()
        if now - times[-1][0] >= HOLD / 10 and self.capture.time != times[-1][1]:
            times.append((now, self.capture.time))
        while len(times) > 1 and heard - times[1][0] >= HOLD:
            times.popleft()
        return times[0][1]

    def position(self) -> Position | None:
        """What is to be committed; None while there is nothing new to say."""
        if self.next is None or not self.rebuilt:
            return None
        low = self.capture.low(_SOURCE)
        found = Position(self.next, self.next if low is None else low, self.capture.upto)
        return None if found == self.committed else found


@dataclass
class Count:
    """What came of a topic since the start."""

    records: int = 0
    bytes: int = 0
    bad_records: int = 0
    last_record: float | None = None


@dataclass
class _Pending:
    """What the running transaction holds."""

    found: Found = field(default_factory=Found)
    messages: int = 0
    records: int = 0
    since: float = 0.0


class ConsumePipeline(Pipeline, Handler):
    """A member of the consumer group: its partitions' streams, and the transactions of their results.

    A conversation whose records lie in several partitions is captured whole, as every flag is also written to
    the flags topic, in the same transaction as the results, and read from there by all instances: each looks
    for the conversation in the windows of its partitions, and captures what still comes.
    """

    def __init__(self, running: Running) -> None:
        super().__init__("consume", running)
        assert running.config.consume is not None and running.config.kafka is not None
        self._settings = running.config.consume
        self._connection = running.config.kafka
        self.streams: dict[Partition, Stream] = {}
        self.table = FlagTable()
        self._flags_id: str | None = None
        self._anew = False
        """Whether the flags topic is another one than in the session before."""
        self._own: set[str] = set()
        """The origins of flags that are ours, or were."""
        self.assigned_once = False
        self.topics = self._settings.topics
        self.counts = {topic: Count() for topic in self.topics}

    def lags(self) -> dict[Partition, int]:
        """Of each of our partitions, the messages not yet read."""
        return {partition: stream.lag for partition, stream in list(self.streams.items())}

    def session(self) -> None:
        """See ``Pipeline``."""
        try:
            self._work()
        except SupersededError as error:
            if self._is_another():
                raise SupersededError(
                    "another instance runs under the same name; give each its own service.name"
                ) from None
            raise ConnectionError(str(error)) from None

    def _is_another(self) -> bool:
        """Whether an instance of our name lives, as we have left the group.

        Who was killed, or could not say that it leaves, is no member any more once its session has timed out; that
        may begin when a broker does.
        """
        self.state = "looking whether another instance took over"
        session = float(self._connection.settings.get("session.timeout.ms", SESSION_MS)) / 1000
        client = client_id(self.running.config.service.name)
        # Whoever took over is about to join, too.
        for wait in (2.0, session + 2, session + 2):
            self.beat = time.monotonic()
            if self.running.stopping.wait(wait) or not is_member(
                self._connection, self._settings.group, client
            ):
                return False
        return True

    def _work(self) -> None:
        running, settings = self.running, self._settings
        hunt = running.config.hunt
        self.streams = {}
        self.assigned_once = False
        self._pending = _Pending()
        self._outputs = running.outputs
        self._last_commit = time.monotonic()
        self._behind = False
        self.state = "joining the group"
        self._flags = FlagsTopic(self._connection, settings.flags_topic, hunt.max_conversations)
        try:
            self._flags.start()
            known, self.table = self.table, FlagTable(hunt.max_conversations, hunt.conversation_idle)
            told_again = self._remember(known)
            self._hear(self._flags.catch_up())
            # They may be others than they were: a result that doesn't fit would be tried for ever.
            self._outputs.know_limits(message_limits(self._connection, self._outputs.topics))
            self._exchange = Exchange(
                self._connection, list(settings.topics), settings.group, running.config.service.name, self
            )
        except BaseException:
            self._flags.close()
            raise
        try:
            self._exchange.note = lambda text: running.problems.tell(self.name, text)
            self._exchange.start()
            self._keep(Found(flags=told_again))
            self.state = "running"
            while not running.stopping.is_set():
                self._step()
            self._commit()
        finally:
            self._exchange.close()
            self._flags.close()
            self.streams = {}

    def _step(self) -> None:
        self.beat = time.monotonic()
        if self._outputs is not self.running.outputs:
            # What was found so far goes to where it was to go.
            self._commit()
            self._outputs = self.running.outputs
        self._leave_made_anew()
        self._hear(self._flags.poll())
        for stream in self.streams.values():
            stream.capture.write_as(self.running.config.output.format)
        interval = self.running.config.commit.interval
        arrived = self._exchange.poll(min(interval, 0.05) if self._pending.messages else 0.05, POLL_MESSAGES)
        problem = self._exchange.problem
        self.state = "running" if problem is None else f"waiting: {problem}"
        for messages in arrived:
            self._take(messages)
        self._keep_back()
        self._behind = sum(len(messages.values) for messages in arrived) >= POLL_MESSAGES
        elapsed = time.monotonic() - self._last_commit
        if self._pending.messages:
            due = elapsed >= interval * (BEHIND if self._behind else 1)
            if due or self._pending.messages >= self.running.config.commit.max_records:
                self._commit()
        elif elapsed >= IDLE_COMMIT:
            self._commit()

    def _leave_made_anew(self, now: bool = False) -> None:
        """End the session where a topic is another one by now; what was found in the one before holds."""
        if (topic := self._exchange.made_anew(now)) is not None:
            self._commit()
            raise ConnectionError(f"Kafka: topic {topic} was made anew; beginning with it again")

    # Records

    def _take(self, arrived: Arrived) -> None:
        stream = self.streams.get(arrived.partition)
        if stream is None:
            # Fetched before the partition went to another instance.
            return
        offsets = arrived.offsets
        if stream.next is None or offsets[0] < stream.expected:
            # Of another topic, these would be taken again once that is seen.
            self._leave_made_anew(now=True)
        if offsets[0] < stream.expected:
            stream = self._begin_anew(stream, offsets[0])
        old = next((n for n, offset in enumerate(offsets) if offset >= stream.high), len(offsets))
        if old:
            self._hunt(stream, arrived.values[:old], offsets[:old], again=True)
        if not stream.rebuilt and offsets[-1] + 1 >= stream.high:
            self._catch_up(stream)
        if old < len(offsets):
            self._hunt(stream, arrived.values[old:], offsets[old:], again=False)

    def _begin_anew(self, stream: Stream, offset: int) -> Stream:
        """The partition is another one than it was: its topic was deleted and made again."""
        topic, number = stream.partition
        self.running.problems.tell(
            f"{topic}/{number}",
            f"begins anew at offset {offset}, before {stream.expected}; was it made again? It is read from there",
        )
        capture = Capture(
            stream.capture.origin,
            self.table,
            self.running.hunter,
            self.running.bounds(1 / len(self.streams)),
            self._flags.place,
        )
        fresh = Stream(capture, stream.partition, None, 0, None, offset)
        self.streams[stream.partition] = fresh
        self._catch_up(fresh)
        return fresh

    def _catch_up(self, stream: Stream) -> None:
        """The window is as it was; now for the flags that were told since."""
        stream.rebuilt = True
        self._keep(stream.capture.catch_up(self._flags.place))

    def _hunt(self, stream: Stream, values: list[bytes | None], offsets: list[int], again: bool) -> None:
        topic, number = stream.partition
        running = self.running
        decoded = decode(values, running.hunter.wanted(), self._settings.logs.get(topic))
        size = sum(len(value) for value in values if value is not None)
        rows = sum(len(rows.messages) for rows in decoded.rows) or 1
        for batch, messages in decoded.rows:
            start = offsets[messages[0]]
            found = stream.capture.take(batch, _SOURCE, start, size * len(messages) // rows, again)
            self._keep(found)
        stream.expected = offsets[-1] + 1
        if again:
            return
        stream.next = stream.expected
        if decoded.refused:
            source = f"{topic}/{number}"
            running.metrics.bad_records_total.labels(topic).inc(len(decoded.refused))
            running.aside.keep(
                (source, offsets[place], reason, values[place] or b"") for place, reason in decoded.refused
            )
            reason = decoded.refused[0].reason
            running.problems.tell(
                source, "messages hold no record", f"{len(decoded.refused)} of them, the first: {reason}"
            )
        count = self.counts[topic]
        count.records += len(values)
        count.bytes += size
        count.bad_records += len(decoded.refused)
        count.last_record = time.time()
        stream.lag = self._exchange.lag(stream.partition, stream.next) or 0
        running.metrics.records_total.labels(topic).inc(len(values))
        running.metrics.bytes_total.labels(topic).inc(size)

    def _keep_back(self) -> None:
        """Keep records that are old by their own stream's time, but not by that of the one furthest behind.

        After an absence, partitions are read (and written by sensors) one ahead of the other, by minutes perhaps; and
        what was told before it is heard only after records of much later.
        """
        slowest = min((stream.behind() for stream in self.streams.values()), default=math.inf)
        for stream in self.streams.values():
            stream.capture.window.until = min(
                slowest - self.running.config.hunt.look_behind, stream.time_before(self._flags.heard)
            )

    # Flags of others

    def _remember(self, known: FlagTable) -> list[Raised]:
        """Where the flags topic was made anew: keep the flags of the one before, and tell ours again."""
        before, self._flags_id = self._flags_id, self._flags.id
        self._anew = bool(before and self._flags_id) and before != self._flags_id
        if not self._anew:
            return []
        told = []
        for kind, key, flag in known.all():
            # What we had been told stands before all that the new topic tells.
            place = flag.place if flag.place == NOT_YET else -1
            for origin in flag.origins:
                raised = Raised(kind, key, origin, flag.at, flag.reasons)
                self.table.tell(raised, place)
                if origin in self._own:
                    told.append(raised)
        self.running.problems.tell(
            self.name,
            f"topic {self._settings.flags_topic} was made anew; the {len(told)} flags of this instance are told again",
        )
        return told

    def _hear(self, told: Iterable[tuple[int, bytes | None]]) -> None:
        for place, value in told:
            if value is None:
                continue
            try:
                raised = Raised.decode(value)
            except ValueError as error:
                self.running.problems.tell(f"{self._settings.flags_topic}/0", f"offset {place}: {error}")
                continue
            flag = self.table.of(raised.kind).get(raised.key)
            news = [
                stream
                for stream in self.streams.values()
                if stream.rebuilt
                and stream.capture.origin != raised.origin
                and not (flag is not None and flag.known(stream.capture.origin, stream.capture.upto))
            ]
            self.table.tell(raised, place)
            for stream in news:
                self._keep(stream.capture.told(place + 1, [(raised.kind, raised.key)]))
            for stream in self.streams.values():
                if stream.rebuilt:
                    stream.capture.upto = place + 1

    # Results

    def _keep(self, found: Found) -> None:
        if not found.lines and not found.flags:
            return
        pending = self._pending
        topic = self._settings.flags_topic
        outputs = self._outputs
        if outputs.limits_wanted():
            outputs.know_limits(message_limits(self._connection, outputs.topics))
        for out in outputs.messages(found.lines):
            self._exchange.produce(*out)
            pending.messages += 1
        for flag in found.flags:
            self._exchange.produce(topic, _encoded(flag), flag.key, {})
            pending.messages += 1
        pending.messages += 0 if outputs.topics else len(found.lines)
        pending.found.add(found)

    def _commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        outputs = self._outputs
        outputs.append(pending.found.lines)
        outputs.sync()
        positions = {
            partition: position
            for partition, stream in self.streams.items()
            if (position := stream.position()) is not None
        }
        began = time.monotonic()
        if positions or pending.messages:
            self._exchange.commit(positions)
            self.committed(self.name, time.monotonic() - began)
        for partition, position in positions.items():
            self.streams[partition].committed = position
        self.running.count(pending.found)
        self._last_commit = time.monotonic()
        if self.streams:
            self.table.expire(min(stream.capture.time for stream in self.streams.values()))

    # The group

    def assigned(self, positions: Mapping[Partition, Position | None]) -> None:
        """See ``Handler``."""
        # What others committed for these partitions rests on flags that we may not have read yet.
        self._hear(self._flags.catch_up())
        place = self._flags.place
        bounds = self.running.bounds(1 / max(len(self.streams) + len(positions), 1))
        for partition, position in positions.items():
            topic, number = partition
            upto = place if position is None or not 0 <= position.upto <= place else position.upto
            if self._anew and position is not None:
                upto = 0
            self._own.add(f"{topic}/{number}")
            capture = Capture(f"{topic}/{number}", self.table, self.running.hunter, bounds, upto)
            if position is None:
                stream = Stream(capture, partition, None, 0, None)
            else:
                stream = Stream(capture, partition, position.high, position.high, position, position.low)
            self.streams[partition] = stream
            if position is None or position.low >= position.high:
                self._catch_up(stream)
        self._share()
        self.assigned_once = True
        if positions:
            self.running.log.info(
                "partitions assigned",
                where=self.name,
                partitions=[f"{topic}/{number}" for topic, number in positions],
            )

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """See ``Handler``."""
        self._commit()
        for partition in partitions:
            self.streams.pop(partition, None)
        self._share()
        self.running.log.info(
            "partitions revoked",
            where=self.name,
            partitions=[f"{topic}/{number}" for topic, number in partitions],
        )

    def lost(self, partitions: Iterable[Partition]) -> None:
        """See ``Handler``."""
        names = ", ".join(f"{topic}/{number}" for topic, number in partitions)
        raise ConnectionError(
            f"Kafka: {names} went to another instance; beginning again from the last commit"
        )

    def _share(self) -> None:
        room = self.running.config.hunt.look_behind_bytes // max(len(self.streams), 1)
        for stream in self.streams.values():
            stream.capture.window.max_bytes = room


def _encoded(flag: Raised) -> bytes:
    """A flag, so that the topic takes it."""
    data = flag.encode()
    while len(data) > FLAG_BYTES:
        flag = Raised(flag.kind, flag.key, flag.origin, flag.at, flag.reasons[: len(flag.reasons) // 2])
        data = flag.encode()
    return data
