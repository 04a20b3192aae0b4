"""Up to when all that others wrote to a partition has been read, without ever waiting for a broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from threathunting.kafka.connection import Connection

ASK_SECONDS = 0.5
"""How often the end of the partition is asked for."""

_TIMEOUT = 5.0
# Untyped where it comes from.
_latest: Callable[[], OffsetSpec] = OffsetSpec.latest


class Heard:
    """Tells until when whatever anyone had written is known to a reader, in seconds of ``time.monotonic``.

    What stands in a transaction that is still open counts as written: its end may be that it is committed. So
    while a broker is away, or a transaction hangs, the time stands still.
    """

    def __init__(self, connection: Connection, topic: str, partition: int = 0) -> None:
        self._admin = AdminClient(connection.client())
        self._partition = TopicPartition(topic, partition)
        self._asked: tuple[float, Future[Any]] | None = None
        self._ends: tuple[float, int] | None = None
        self._next = 0.0
        self.until = time.monotonic()
        """Everything written before it has been read."""

    def look(self, place: int) -> None:
        """To be called often; everything before the offset ``place`` has been read."""
        now = time.monotonic()
        if self._asked is not None and self._asked[1].done():
            asked, answer = self._asked
            self._asked = None
            try:
                self._ends = asked, int(answer.result().offset)
            except KafkaException:
                # Whatever is wrong, the reader itself meets it and tells.
                pass
        if self._ends is not None and place >= self._ends[1]:
            self.until, self._ends = self._ends[0], None
        # A newer end can only be later: the one that is waited for comes first.
        if self._asked is None and self._ends is None and now >= self._next:
            self._next = now + ASK_SECONDS
            try:
                self._asked = now, self._ask()
            except KafkaException:
                pass

    def _ask(self) -> Future[Any]:
        futures = self._admin.list_offsets(
            {self._partition: _latest()},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_TIMEOUT,
        )
        return next(iter(futures.values()))
