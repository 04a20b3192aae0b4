"""Bringing all nodes of a Zeek to the armed set, and knowing that they are: no input or output, only decisions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from threathunting.intel.types import Indicator, Item
from threathunting.zeek import protocol
from threathunting.zeek.nodes import Node, Nodes
from threathunting.zeek.protocol import Ack, State
from threathunting.zeek.wire import Event

IN_FLIGHT = 8
"""Batches that wait for their acknowledgement at once: Zeek's queues are short, and drop what is too much."""

ACK_SECONDS = 10.0
"""Seconds after which a batch that isn't acknowledged by all is sent again."""

TRIES = 3
"""Times that a batch is sent; then the nodes that are silent are given up until they show themselves again."""

SILENT_SECONDS = 90.0
"""A node that says nothing for so long (it tells its state every 30 s) isn't counted with any more."""

SHOW_SECONDS = 2.0
"""After connecting, nodes that should be there are waited for so long before a full set is begun without them: with
Broker, workers find a manager that began anew within a second or so."""

MAX_PENDING = 1_000_000
"""Changes that wait to be sent; with more of them a new full set is quicker."""


class Change(NamedTuple):
    """An item to be armed (``item`` is set) or disarmed (only its source is known)."""

    indicator: Indicator
    source: str
    item: Item | None


@dataclass
class _Batch:
    number: int
    event: Event
    sent: float
    first_sent: float
    waiting: set[str]
    items: int
    tries: int = 1
    sync: bool = False


@dataclass
class _Full:
    """A full set on its way."""

    number: int
    items: Iterator[tuple[Indicator, Item]]
    nodes: set[str] = field(default_factory=set)
    """Those that were there at its begin, and so get all of it."""
    total: int = 0
    held: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


class Sync(Nodes):
    """One Zeek (standalone or a cluster, by one WebSocket). ``everything`` gives all items to be armed, as of now.

    Calls tell what happened; ``due`` gives what is to be sent. Not for several threads.
    """

    def __init__(
        self, client: str, everything: Callable[[], Iterable[tuple[Indicator, Item]]], first: int = 1
    ) -> None:
        """``client`` is our name in the messages; ``first`` a number that no earlier batch of ours had."""
        super().__init__()
        self._client = client
        self._everything = everything
        self._number = first
        self._pending: deque[Change] = deque()
        self._flight: dict[int, _Batch] = {}
        self._full: _Full | None = None
        self._full_wanted = True
        self._greeting = False
        self._greeted = 0.0
        self._modules: frozenset[str] | None = None
        self._modules_told = False
        self.connected = False
        self.refused: deque[dict[str, str]] = deque(maxlen=100)
        """The last values that a node could not arm, with the reason."""
        self.acknowledged = 0
        """Batches that took effect on every node."""
        self.sent_again = 0
        self.full_sets = 0
        self.latency: float | None = None
        """Seconds from sending to the last node's acknowledgement, of the last batch."""

    # What happens

    def connect(self) -> None:
        """There is a connection: nothing is known of what the nodes still have, nor which of them it reaches.

        A node that were counted with before it shows itself would not acknowledge what it never got.
        """
        self.connected = True
        self._greeting = True
        self._modules_told = False
        self._forget_flight()
        self.nodes.clear()

    def disconnect(self) -> None:
        """The connection is gone; nodes count as not armed until they are seen to be again."""
        self.connected = False
        self._forget_flight()
        for node in self.nodes.values():
            node.complete = False

    def change(self, changes: Iterable[Change]) -> None:
        """Intel was armed or disarmed."""
        self._pending.extend(changes)
        if len(self._pending) > MAX_PENDING:
            self.resync()

    def resync(self) -> None:
        """Bring all nodes to the full set, as much has changed."""
        self._pending.clear()
        self._full_wanted = True

    def use_modules(self, modules: Iterable[str]) -> None:
        """From now on these modules are on."""
        self._modules = frozenset(modules)
        self._modules_told = False

    def state(self, state: State, now: float) -> None:
        """A node told its state."""
        if state.about.role in ("logger", "proxy"):
            return
        node = self.nodes.get(state.node)
        if node is None or node.boot != state.boot:
            # It began with nothing, whatever was sent before.
            self._drop(state.node)
            node = self.nodes[state.node] = Node(state.node, state.boot, state.about, now)
            self._modules_told = False
            self._full_wanted = True
        node.about, node.seen, node.armed = state.about, now, state.about.armed
        # An expected node that has not shown itself is waited for only once it does.
        if not node.complete and not self._on_its_way(node.name):
            self._full_wanted = True

    def ack(self, ack: Ack, now: float) -> None:
        """A node acknowledged a batch."""
        node = self.nodes.get(ack.node)
        if node is None or node.boot != ack.boot:
            return
        node.seen, node.armed, node.last_ack = now, ack.armed, now
        self.refused.extend(ack.refused)
        batch = self._flight.get(ack.batch)
        if batch is None or ack.node not in batch.waiting:
            return
        batch.waiting.discard(ack.node)
        node.lag = now - batch.first_sent
        if batch.sync:
            node.complete = True
        if not batch.waiting:
            self._done(batch, now)

    # What is to be done

    def due(self, now: float) -> list[Event]:
        """What is to be sent now."""
        if not self.connected:
            return []
        found: list[Event] = []
        if self._greeting:
            self._greeting = False
            self._greeted = now
            found.append(protocol.hello(self._client))
        self._lose_silent(now)
        if not self.nodes:
            return found
        if self._modules is not None and not self._modules_told:
            self._modules_told = True
            found.append(protocol.modules(self._client, self._modules))
        found += self._again(now)
        if self._full_wanted and self._full is None and not self._flight:
            if self.missing() and now - self._greeted < SHOW_SECONDS:
                return found
            found.append(self._begin_full())
        while len(self._flight) < IN_FLIGHT:
            event = self._next_full(now) if self._full is not None else self._next_change(now)
            if event is None:
                break
            found.append(event)
        return found

    # What is so. Another thread may ask.

    @property
    def armed(self) -> bool:
        """Whether every node that sees traffic has acknowledged all there is."""
        nodes = self.traffic_nodes()
        return (
            self.connected
            and bool(nodes)
            and not self._full_wanted
            and self._full is None
            and not self._pending
            and not self._flight
            and all(node.complete for node in nodes)
            and not self.missing()
        )

    @property
    def waiting(self) -> int:
        """Changes that aren't acknowledged yet; of a full set only what has been read of it."""
        return len(self._pending) + sum(batch.items for batch in list(self._flight.values()))

    # Within

    def _take_number(self) -> int:
        self._number += 1
        return self._number

    def _forget_flight(self) -> None:
        """What was in flight may or may not have arrived: only the full set makes sure."""
        self._flight.clear()
        self._full = None
        self._pending.clear()
        self._full_wanted = True

    def _on_its_way(self, node: str) -> bool:
        if self._full is not None:
            return node in self._full.nodes
        return any(batch.sync and node in batch.waiting for batch in self._flight.values())

    def _begin_full(self) -> Event:
        self._full_wanted = False
        self._pending.clear()
        number = self._take_number()
        self._full = _Full(number, iter(self._everything()), set(self.nodes))
        self.full_sets += 1
        return protocol.sync_begin(self._client, number)

    def _next_full(self, now: float) -> Event | None:
        full = self._full
        assert full is not None
        while len(full.held) < protocol.MAX_ITEMS and not full.ended:
            try:
                indicator, item = next(full.items)
            except StopIteration:
                full.ended = True
                break
            full.held.append(protocol.entry(indicator, item))
            full.total += 1
        if full.held:
            items, count = protocol.packed(full.held)
            del full.held[:count]
            number = self._take_number()
            return self._fly(number, protocol.arm(self._client, number, items), count, now)
        if self._flight:
            # The end must not overtake what is sent again.
            return None
        self._full = None
        event = protocol.sync_end(self._client, full.number, full.total)
        return self._fly(full.number, event, 0, now, full.nodes)

    def _next_change(self, now: float) -> Event | None:
        if not self._pending or self._full_wanted:
            return None
        arming = self._pending[0].item is not None
        entries: list[dict[str, Any]] = []
        for change in self._pending:
            if (change.item is not None) != arming or len(entries) >= protocol.MAX_ITEMS:
                break
            entries.append(
                protocol.removal(change.indicator, change.source)
                if change.item is None
                else protocol.entry(change.indicator, change.item)
            )
        items, count = protocol.packed(entries)
        for _ in range(count):
            self._pending.popleft()
        number = self._take_number()
        make = protocol.arm if arming else protocol.disarm
        return self._fly(number, make(self._client, number, items), count, now)

    def _fly(self, number: int, event: Event, items: int, now: float, nodes: set[str] | None = None) -> Event:
        waiting = set(self.nodes) if nodes is None else nodes & self.nodes.keys()
        self._flight[number] = _Batch(number, event, now, now, waiting, items, sync=nodes is not None)
        return event

    def _again(self, now: float) -> list[Event]:
        found = []
        for batch in list(self._flight.values()):
            if not batch.waiting:
                self._done(batch, now)
            elif now - batch.sent >= ACK_SECONDS:
                if batch.tries >= TRIES:
                    for name in list(batch.waiting):
                        self._drop(name)
                    self._done(batch, now)
                    continue
                batch.tries += 1
                batch.sent = now
                self.sent_again += 1
                found.append(batch.event)
        return found

    def _done(self, batch: _Batch, now: float) -> None:
        self._flight.pop(batch.number, None)
        self.acknowledged += 1
        self.latency = now - batch.first_sent

    def _lose_silent(self, now: float) -> None:
        for name in [name for name, node in self.nodes.items() if now - node.seen > SILENT_SECONDS]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        """Count with a node no more: whatever it acknowledges from now on, it has missed something."""
        self.nodes.pop(name, None)
        for batch in self._flight.values():
            batch.waiting.discard(name)
        if self._full is not None:
            self._full.nodes.discard(name)
