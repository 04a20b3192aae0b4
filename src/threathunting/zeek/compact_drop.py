"""Filters that are left over on nodes which are armed natively now."""

from __future__ import annotations

from threathunting.zeek.compact_protocol import compact_drop
from threathunting.zeek.protocol import Ack, State
from threathunting.zeek.sync import ACK_SECONDS
from threathunting.zeek.wire import Event


class Leftovers:
    """Has nodes drop filters of ours that they tell of: no input or output, only decisions. Not for several threads."""

    def __init__(self, client: str, first: int = 1) -> None:
        """``client`` is our name in the messages; ``first`` a number that no other batch of ours has."""
        self._client = client
        self._number = first
        self._asked: dict[str, tuple[int, float | None]] = {}

    def state(self, state: State) -> None:
        """A node told its state."""
        if self._client not in state.about.compact:
            self._asked.pop(state.node, None)
        elif state.node not in self._asked:
            self._number += 1
            self._asked[state.node] = (self._number, None)

    def ack(self, ack: Ack) -> None:
        """A node acknowledged a batch."""
        if ack.node in self._asked and self._asked[ack.node][0] == ack.batch:
            del self._asked[ack.node]

    def disconnect(self) -> None:
        """The connection is gone; states will tell anew."""
        self._asked.clear()

    def due(self, now: float) -> list[Event]:
        """What is to be sent now."""
        found = []
        for node, (number, sent) in self._asked.items():
            if sent is None or now - sent >= ACK_SECONDS:
                self._asked[node] = (number, now)
                found.append(compact_drop(self._client, node, number))
        return found
