"""Empty answers that keep what nodes ask moving: messages of Zeek's own that nobody answers hold it up.

Peers in Broker leave Nagle's algorithm on (RFC 9293, 3.7.4): a small message waits until the one before it is
acknowledged, which the system at the other end puts off by 40 ms, or does with the next thing that it sends. Answers do
so. Where the last message was none of ours, there is no answer, and the next questions wait. Then an empty one helps.
"""

from __future__ import annotations

from threathunting.zeek.compact_protocol import verdict
from threathunting.zeek.wire import Event

AFTER = (0.004, 0.008, 0.016, 0.03)
"""Seconds after the last answer to a node at which it is sent an empty one, if it has asked for nothing else."""


class Nudges:
    """For the nodes behind one link. All times are seconds of one clock. Not for several threads."""

    def __init__(self, client: str) -> None:
        """``client`` is our name in the messages."""
        self._client = client
        self._answered: dict[str, tuple[float, int]] = {}
        """By node: when it was answered, and how many empty answers it was sent since."""

    def answered(self, node: str, now: float) -> None:
        """A node was answered."""
        self._answered[node] = now, 0

    def due(self, now: float) -> list[Event]:
        """What is to be sent now: one to a node at most."""
        events = []
        for node, (at, sent) in list(self._answered.items()):
            reached = sum(now - at >= after for after in AFTER)
            if reached > sent:
                events.append(verdict(self._client, node, b"[]"))
            if reached == len(AFTER):
                del self._answered[node]
            else:
                self._answered[node] = at, reached
        return events

    def wait(self, now: float, most: float) -> float:
        """Seconds until there may be something due, or ``most``."""
        waits = (at + AFTER[sent] - now for at, sent in self._answered.values())
        return max(min(waits, default=most), 0.0)

    def forget(self) -> None:
        """There is nobody any more."""
        self._answered.clear()
