"""Refused intel messages, told to the topic for them: with the reason, and where each came from."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from threathunting.intel.replay import TopicMessage
from threathunting.kafka.connection import Connection
from threathunting.kafka.producer import Writer
from threathunting.service.live.running import Running
from threathunting.service.live.state import State

WAITING = 10_000
"""Refusals that wait for the broker; beyond, they are only counted and logged."""

PATIENCE = 5.0
"""Seconds that the broker gets to take them before it comes to that, once in ``AGAIN`` seconds."""

AGAIN = 60.0

RETRY = 2.0
"""Seconds until what could not be written is written again."""

_VALUE = 8192
"""Bytes of a refused message that are passed on."""


class _Refusal(NamedTuple):
    message: TopicMessage
    reason: str
    mark: str
    """Under which it is remembered that it was told."""


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
        self._waiting: deque[_Refusal] = deque()
        self._marks: dict[str, int] = {}
        self._patient_at = 0.0
        self._failed = False
        """Whether what waits must be written again, at ``_again_at``."""
        self._again_at = 0.0

    def tell(self, message: TopicMessage, reason: str, topic_id: str) -> None:
        """Pass on a refusal, unless that was done before. ``topic_id`` is another for a topic that was made anew."""
        refusal = _Refusal(message, reason, f"rejected {message.topic}/{message.partition} {topic_id}")
        if self._topic is None or message.offset <= self._mark(refusal.mark):
            return
        if len(self._waiting) >= WAITING:
            self._wait()
        if len(self._waiting) >= WAITING:
            self._running.metrics.dropped_total.labels("refusals").inc()
            return
        self._waiting.append(refusal)
        if not self._failed:
            self._write([refusal])

    def tick(self, timeout: float = 0.0) -> None:
        """Remember what the broker has; write again what it hasn't."""
        if not self._waiting:
            return
        if self._failed and time.monotonic() >= self._again_at:
            self._failed = False
            self._write(self._waiting)
        writer = self._writer
        if self._failed or writer is None:
            return
        try:
            if not writer.flush(timeout):
                return
        except OSError as error:
            self._fail(error)
            return
        marks: dict[str, int] = {}
        for message, _, name in self._waiting:
            marks[name] = max(marks.get(name, self._mark(name)), message.offset)
        self._waiting.clear()
        try:
            self._state.set_marks(marks.items())
        except OSError as error:
            self._running.problems.tell("intel", str(error))
        self._marks.update(marks)

    def close(self) -> None:
        """Wait a little for the broker, and end."""
        self.tick(2)
        if self._writer is not None:
            self._writer.close()

    def _wait(self) -> None:
        now = time.monotonic()
        if now >= self._patient_at:
            self.tick(PATIENCE)
            if self._waiting:
                self._patient_at = now + AGAIN

    def _mark(self, name: str) -> int:
        if name not in self._marks:
            self._marks[name] = self._state.mark(name)
        return self._marks[name]

    def _write(self, refusals: Iterable[_Refusal]) -> None:
        assert self._topic is not None
        try:
            if self._writer is None:
                self._writer = Writer(
                    self._connection,
                    self._running.config.service.name,
                    lambda text: self._running.problems.tell("intel", text),
                )
            for message, reason, _ in refusals:
                key = f"{message.topic}/{message.partition}/{message.offset}"
                value = self._told(message, reason)
                self._writer.produce(self._topic, value, key, {"reason": reason[:200]})
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Write all that waits again, soon, with a writer that knows nothing of what there was."""
        self._running.problems.tell("intel", str(error))
        self._failed, self._again_at = True, time.monotonic() + RETRY
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _told(self, message: TopicMessage, reason: str) -> bytes:
        return msgspec.json.encode(
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


def _text(data: bytes | None) -> str | None:
    return None if data is None else data[:_VALUE].decode("utf-8", "backslashreplace")
