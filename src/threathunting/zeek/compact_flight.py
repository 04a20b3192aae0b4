"""Messages that wait for their acknowledgement, are sent again, and at last give up who is silent."""

from __future__ import annotations

from dataclasses import dataclass

from threathunting.zeek.protocol import node_topic
from threathunting.zeek.sync import ACK_SECONDS, TRIES
from threathunting.zeek.wire import Event


@dataclass
class Flying:
    """A message on its way. ``generation`` is 0 for a change, which all that hold filters take."""

    number: int
    event: Event
    waiting: set[str]
    """Nodes that have not acknowledged it."""
    items: int
    generation: int = 0
    begin: bool = False
    start: int = 0
    """Of a change: the number of its first entry in the journal."""
    sent: float = 0.0
    first_sent: float = 0.0
    tries: int = 1


class Flight:
    """All messages on their way, by number. Another thread may read its numbers, and nothing else."""

    def __init__(self) -> None:
        self._batches: dict[int, Flying] = {}
        self.sent_again = 0

    def __len__(self) -> int:
        """Number of messages."""
        return len(self._batches)

    @property
    def items(self) -> int:
        """Values in them."""
        return sum(batch.items for batch in list(self._batches.values()))

    @property
    def changes(self) -> int:
        """Messages that are of no generation."""
        return sum(not batch.generation for batch in list(self._batches.values()))

    def of(self, generation: int, node: str | None = None) -> bool:
        """Whether there is any of a generation, or any that a node has not acknowledged."""
        return any(
            batch.generation == generation and (node is None or node in batch.waiting)
            for batch in self._batches.values()
        )

    def start(self, node: str, default: int) -> int:
        """The number of the first entry of the journal that a node has not acknowledged; at most the default."""
        starts = (
            batch.start for batch in self._batches.values() if not batch.generation and node in batch.waiting
        )
        return min(starts, default=default)

    def add(self, batch: Flying, now: float) -> Event:
        """A message is sent now."""
        batch.sent = batch.first_sent = now
        self._batches[batch.number] = batch
        return batch.event

    def get(self, number: int) -> Flying | None:
        """The message of that number."""
        return self._batches.get(number)

    def done(self) -> list[Flying]:
        """Take out those that wait for nobody."""
        found = [batch for batch in self._batches.values() if not batch.waiting]
        for batch in found:
            del self._batches[batch.number]
        return found

    def again(self, now: float) -> tuple[list[Event], set[str]]:
        """What is to be sent again, and the nodes that have been silent too often."""
        events: list[Event] = []
        silent: set[str] = set()
        for batch in self._batches.values():
            if now - batch.sent < ACK_SECONDS:
                continue
            if batch.tries >= TRIES:
                silent |= batch.waiting
                continue
            batch.tries += 1
            batch.sent = now
            self.sent_again += 1
            # Only to those that miss it: the others count what they get.
            events += [batch.event._replace(topic=node_topic(name)) for name in sorted(batch.waiting)]
        return events, silent

    def leave(self, node: str) -> None:
        """Wait for a node no more."""
        for batch in self._batches.values():
            batch.waiting.discard(node)

    def clear(self) -> None:
        """Forget all."""
        self._batches.clear()
