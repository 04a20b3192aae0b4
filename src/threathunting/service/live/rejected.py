"""Refused intel messages, told to the topic for them: with the reason, and where each came from."""

from __future__ import annotations

from collections import deque

import msgspec

from threathunting.intel.replay import TopicMessage
from threathunting.kafka.connection import Connection
from threathunting.kafka.producer import Writer
from threathunting.service.live.running import Running
from threathunting.service.live.state import State

WAITING = 10_000
"""Refusals that wait for the broker; beyond, they are only counted and logged."""

_VALUE = 8192
"""Bytes of a refused message that are passed on."""


class Rejected:
    """Writes refusals once: what this instance has told is remembered over a restart, though all is read again.

    Each has the key ``topic/partition/offset``, so that those of several instances are one in a compacted topic.
    """

    def __init__(self, running: Running, connection: Connection, topic: str | None, state: State) -> None:
        self._running = running
        self._connection = connection
        self._topic = topic
        self._state = state
        self._writer: Writer | None = None
        self._waiting: deque[tuple[TopicMessage, str]] = deque()
        self._marks: dict[str, int] = {}
        self._dropped = 0

    def tell(self, message: TopicMessage, reason: str) -> None:
        """Pass on a refusal, unless that was done before."""
        if self._topic is None or message.offset <= self._mark(message):
            return
        if len(self._waiting) >= WAITING:
            self._dropped += 1
            self._running.metrics.dropped_total.labels("refusals").inc()
            return
        self._waiting.append((message, reason))
        self._write(message, reason)

    def tick(self) -> None:
        """Remember what the broker has; write again what it hasn't."""
        writer = self._writer
        if writer is None or not self._waiting:
            return
        try:
            if not writer.flush(0):
                return
        except OSError as error:
            self._running.problems.tell("intel", str(error))
            for message, reason in self._waiting:
                self._write(message, reason)
            return
        marks: dict[str, int] = {}
        for message, _ in self._waiting:
            name = _name(message)
            marks[name] = max(marks.get(name, self._mark(message)), message.offset)
        self._waiting.clear()
        try:
            self._state.set_marks(marks.items())
        except OSError as error:
            self._running.problems.tell("intel", str(error))
        self._marks.update(marks)

    def close(self) -> None:
        """Wait a little for the broker, and end."""
        if self._writer is not None:
            try:
                self._writer.flush(2)
            except OSError:
                pass
            self.tick()
            self._writer.close()

    def _mark(self, message: TopicMessage) -> int:
        name = _name(message)
        if name not in self._marks:
            self._marks[name] = self._state.mark(name)
        return self._marks[name]

    def _write(self, message: TopicMessage, reason: str) -> None:
        assert self._topic is not None
        if self._writer is None:
            self._writer = Writer(
                self._connection,
                self._running.config.service.name,
                lambda text: self._running.problems.tell("intel", text),
            )
        value = msgspec.json.encode(
            {
                "reason": reason,
                "topic": message.topic,
                "partition": message.partition,
                "offset": message.offset,
                "timestamp": message.at,
                "key": _text(message.key),
                "message": _text(message.value),
                "instance": self._running.config.service.name,
            }
        )
        key = f"{message.topic}/{message.partition}/{message.offset}"
        try:
            self._writer.produce(self._topic, value, key, {"reason": reason[:200]})
        except OSError as error:
            self._running.problems.tell("intel", str(error))


def _name(message: TopicMessage) -> str:
    return f"rejected {message.topic}/{message.partition}"


def _text(data: bytes | None) -> str | None:
    return None if data is None else data[:_VALUE].decode("utf-8", "backslashreplace")
