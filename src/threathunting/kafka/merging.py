"""Messages of several partitions in one order, by time, in bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

from threathunting.intel.replay import TopicMessage

MAX_MESSAGES = 400_000
"""Messages that wait in memory at most, all partitions together."""

MAX_BYTES = 128_000_000
"""The same in bytes. A partition may go over its share by what is fetched at a time."""

LOW = 0.5
"""Below this part of its share a partition that was full is read on."""

_OVERHEAD = 200
"""Bytes of a message in memory beside its key and value."""


class _Lane:
    """One partition's messages that wait."""

    __slots__ = ("finished", "heard_at", "last", "size", "waiting")

    def __init__(self, now: float) -> None:
        self.waiting: list[TopicMessage] = []
        self.size = 0
        self.last = -math.inf
        """The order of the newest message; earlier ones can't come any more."""
        self.finished = False
        self.heard_at = now


class Merge:
    """Holds messages back until no partition can still tell an earlier one.

    A partition that is not finished and hasn't been heard of for ``patience`` seconds is not waited for: better
    some intel in an order that isn't quite right than none at all.
    """

    def __init__(
        self,
        partitions: Iterable[int],
        now: float,
        *,
        patience: float = 30.0,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """``now`` here and below: seconds of a monotonic clock."""
        self._lanes = {partition: _Lane(now) for partition in partitions}
        self._patience = patience
        self._max_messages, self._max_bytes = max_messages, max_bytes

    @property
    def finished(self) -> bool:
        """Whether every partition was read to its end and nothing waits."""
        return all(lane.finished and not lane.waiting for lane in self._lanes.values())

    def add(self, partition: int, now: float) -> None:
        """Wait for one more partition."""
        self._lanes[partition] = _Lane(now)

    def put(self, partition: int, messages: list[TopicMessage], now: float) -> None:
        """Messages of a partition, in its order."""
        lane = self._lanes[partition]
        lane.waiting += messages
        lane.size += sum(map(_size, messages))
        lane.last = messages[-1].order
        lane.heard_at = now

    def finish(self, partition: int, now: float) -> None:
        """A partition was read to its end: it isn't waited for any more."""
        lane = self._lanes[partition]
        lane.finished, lane.heard_at = True, now

    def take(self, now: float) -> list[TopicMessage]:
        """What nothing earlier can come before, in order."""
        awaited = [lane for lane in self._lanes.values() if self._is_awaited(lane, now)]
        if not awaited:
            return self._before(math.inf)
        slowest = min(awaited, key=lambda lane: lane.last)
        ready = self._before(slowest.last)
        if self._is_full(slowest, LOW):
            # All that waits was told at one moment. It may be paused, and all others wait for it.
            ready += self._before(math.nextafter(slowest.last, math.inf))
        return ready

    def full(self) -> set[int]:
        """The partitions that have run so far ahead that no more of them should be read now."""
        return {partition for partition, lane in self._lanes.items() if self._is_full(lane)}

    def low(self) -> set[int]:
        """The partitions of which more may be read."""
        return {partition for partition, lane in self._lanes.items() if not self._is_full(lane, LOW)}

    def silent(self, now: float) -> list[int]:
        """The partitions that aren't waited for though they haven't been read to their end."""
        return [
            partition
            for partition, lane in self._lanes.items()
            if not lane.finished and not self._is_awaited(lane, now)
        ]

    def _before(self, order: float) -> list[TopicMessage]:
        ready: list[TopicMessage] = []
        for lane in self._lanes.values():
            cut = bisect_left(lane.waiting, (order,))
            if cut:
                part = lane.waiting[:cut]
                del lane.waiting[:cut]
                lane.size -= sum(map(_size, part))
                ready += part
        # Each part is sorted already, so that this is a merge.
        ready.sort()
        return ready

    def _is_awaited(self, lane: _Lane, now: float) -> bool:
        if lane.finished:
            return False
        if self._is_full(lane, LOW):
            # It is silent since nobody reads it.
            lane.heard_at = now
        return now - lane.heard_at < self._patience

    def _is_full(self, lane: _Lane, share: float = 1.0) -> bool:
        share /= len(self._lanes)
        return len(lane.waiting) >= self._max_messages * share or lane.size >= self._max_bytes * share


def _size(message: TopicMessage) -> int:
    return _OVERHEAD + len(message[5] or b"") + len(message[6] or b"")
