"""Filters on the nodes of a Zeek brought to the armed set, and knowing that they are: only decisions, as in ``sync``.

A node is filled with a whole generation: its begin, all values, its end. From the first value on, what changes goes to
all that hold or build filters. What leaves stays in filters, and is answered with no, until a new generation is built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from threathunting.zeek import compact_protocol as protocol
from threathunting.zeek.compact_fill import Fill, Held, Settings, Source
from threathunting.zeek.compact_flight import Flight, Flying
from threathunting.zeek.compact_journal import FORGET_ALL, Entry, Journal, entry_of
from threathunting.zeek.nodes import Node, Nodes
from threathunting.zeek.protocol import Ack, State
from threathunting.zeek.sync import IN_FLIGHT, MAX_PENDING, SHOW_SECONDS, SILENT_SECONDS, Change
from threathunting.zeek.wire import Event

KEPT = 100_000
"""Changes kept for nodes that a broken connection keeps from hearing them; with more of them they are filled anew."""

CHECK_SECONDS = 10.0
"""Seconds between two looks at whether a new generation is due."""


class CompactSync(Nodes):
    """One Zeek in compact mode. Calls tell what happened; ``due`` gives what is to be sent. Not for several threads.

    It doesn't greet, and knows nothing of modules: the ``Sync`` beside it, which arms subnets, does.
    """

    def __init__(self, client: str, source: Source, settings: Settings, first: int = 1) -> None:
        """``client`` is our name in the messages; ``first`` a number above all that earlier batches had."""
        # Of the nodes, those are ``complete`` that see traffic and have a finished generation of ours.
        super().__init__()
        self._client = client
        self._source = source
        self._settings = settings
        self._number = first
        self._journal = Journal()
        self._flight = Flight()
        self._fill: Fill | None = None
        self._held: dict[str, Held] = {}
        self._connected_at: float | None = None
        self._checked = 0.0
        self._removed = 0
        self._rules = 0
        self.connected = False
        self.refused: deque[dict[str, str]] = deque(maxlen=100)
        """The last values that no filter can be told of, with the reason; whoever tells them takes them out."""
        self.silent: deque[str] = deque(maxlen=100)
        """The last nodes that were given up as they acknowledged nothing; to be taken out, too."""
        self.acknowledged = 0
        self.full_sets = 0
        """Fills of nodes that had not all."""
        self.renewals = 0
        """Generations built beside one that had all."""
        self.latency: float | None = None
        """Seconds from sending to the last node's acknowledgement, of the last batch."""

    # What happens

    def connect(self) -> None:
        """There is a connection; which nodes it reaches, and what they hold, their states will tell."""
        self.disconnect()
        self.connected = True
        self._connected_at = None
        self.nodes.clear()

    def disconnect(self) -> None:
        """The connection is gone: nobody knows how much of what was in flight has arrived."""
        if not self.connected:
            return
        for name, held in self._held.items():
            held.upto = self._upto(name)
        self.connected = False
        self._flight.clear()
        self._fill = None
        for node in self.nodes.values():
            node.complete = False
        self._journal.rewind(min((held.upto for held in self._held.values()), default=self._journal.end))
        self._bound()

    def change(self, changes: Iterable[Change], removed: int = 0) -> None:
        """Intel was armed or disarmed; with these so many values left altogether."""
        self._removed += removed
        entries = [entry for change in changes if (entry := entry_of(change)) is not None]
        self._rules += sum(entry.subdomains for entry in entries)
        self._note(entries)

    def forget_all(self) -> None:
        """Items count otherwise than they did: nodes are to ask anew."""
        self._note([Entry(FORGET_ALL, "", False)])

    def resync(self) -> None:
        """Fill all nodes anew. What they have goes on meanwhile."""
        self._held.clear()
        self._journal.clear()
        self._flight.clear()
        self._fill = None
        for node in self.nodes.values():
            node.complete = False

    def state(self, state: State, now: float) -> None:
        """A node told its state."""
        if state.about.role in ("logger", "proxy"):
            return
        told = state.about.compact.get(self._client)
        generation = 0 if told is None else told.generation
        node = self.nodes.get(state.node)
        if node is not None and node.boot != state.boot:
            self._drop(state.node)
            node = None
        held = self._held.get(state.node)
        if held is not None and not self._is_as_held(state, held, generation):
            del self._held[state.node]
            if node is not None:
                node.complete = False
            held = None
        if node is None:
            node = self.nodes[state.node] = Node(state.node, state.boot, state.about, now)
            if held is not None:
                node.complete = True
                self._journal.rewind(held.upto)
        node.about, node.seen, node.armed = state.about, now, state.about.armed

    def ack(self, ack: Ack, now: float) -> None:
        """A node acknowledged a batch."""
        node = self.nodes.get(ack.node)
        if node is None or node.boot != ack.boot:
            return
        node.seen, node.armed, node.last_ack = now, ack.armed, now
        batch = self._flight.get(ack.batch)
        if batch is None or ack.node not in batch.waiting:
            return
        batch.waiting.discard(ack.node)
        node.lag = now - batch.first_sent
        fill = self._fill
        if fill is not None and batch.generation == fill.generation:
            if batch.begin:
                fill.begun.add(node.name)
            elif fill.ending:
                self._finished(node, fill, now)
        self._settle(now)

    # What is to be done

    def due(self, now: float) -> list[Event]:
        """What is to be sent now."""
        if not self.connected:
            return []
        if self._connected_at is None:
            self._connected_at = now
        for name in [name for name, node in self.nodes.items() if now - node.seen > SILENT_SECONDS]:
            self._drop(name)
        found, silent = self._flight.again(now)
        for name in sorted(silent):
            self._drop(name)
            self.silent.append(name)
        self._settle(now)
        if self._fill is None:
            self._fill = self._wanted(now)
        # Changes don't wait for the end of a fill, nor a fill for the end of changes.
        limit = IN_FLIGHT if self._fill is None else IN_FLIGHT // 2
        while self._flight.changes < limit and len(self._flight) < IN_FLIGHT:
            event = self._next_change(now)
            if event is None:
                break
            found.append(event)
        while len(self._flight) < IN_FLIGHT and (events := self._next_of_fill(now)):
            found += events
        return found

    # What is so. Another thread may ask.

    @property
    def armed(self) -> bool:
        """Whether every node that sees traffic has acknowledged all there is.

        While a new generation is built beside the old one, the old one has all.
        """
        nodes = self.traffic_nodes()
        return (
            self.connected
            and bool(nodes)
            and all(node.complete for node in nodes)
            and not self._journal.unsent
            and not self._flight.changes
            and not self.missing()
        )

    @property
    def waiting(self) -> int:
        """Changes that aren't acknowledged yet; of a fill only what is on its way."""
        return self._journal.unsent + self._flight.items

    @property
    def building(self) -> int:
        """The generation on its way; 0 for none."""
        return 0 if self._fill is None else self._fill.generation

    # Within

    def _take_number(self) -> int:
        self._number += 1
        return self._number

    def _is_as_held(self, state: State, held: Held, generation: int) -> bool:
        """Whether a node still has what it finished, and can have what it missed since."""
        if held.boot != state.boot:
            return False
        if state.node not in self.nodes:
            return generation == held.generation and held.upto >= self._journal.first
        if generation == held.generation:
            return True
        # It has swapped the next one in already, and its acknowledgement is still to come.
        fill = self._fill
        return (
            fill is not None
            and fill.ending
            and generation == fill.generation
            and self._flight.of(generation, state.node)
        )

    def _note(self, entries: list[Entry]) -> None:
        # Where nobody holds anything, and no fill has begun to read, the set itself will bring it.
        if self._held or (self._fill is not None and self._fill.reading):
            self._journal.add(entries)
            self._bound()

    def _bound(self) -> None:
        """Keep no more changes than is reasonable: who would need them is filled anew instead."""
        journal = self._journal
        if len(journal) > KEPT:
            for name, held in list(self._held.items()):
                shown = self.connected and name in self.nodes
                if not shown and held.upto < journal.end - KEPT:
                    del self._held[name]
        if self.connected and journal.unsent > MAX_PENDING:
            self.resync()
        self._trim()

    def _trim(self) -> None:
        if self._held:
            self._journal.trim(min(map(self._upto, self._held)))
        elif self._fill is None:
            self._journal.clear()
        else:
            self._journal.trim(self._journal.sent)

    def _upto(self, name: str) -> int:
        """The number of the first entry that a node may have missed."""
        if not self.connected or name not in self.nodes:
            return self._held[name].upto
        return self._flight.start(name, self._journal.sent)

    def _wanted(self, now: float) -> Fill | None:
        """The fill that is to begin, if any."""
        nodes = self.traffic_nodes()
        lacking = {node.name for node in nodes if not node.complete}
        if lacking:
            if self.missing() and self._connected_at is not None and now - self._connected_at < SHOW_SECONDS:
                return None
            self.full_sets += 1
        elif nodes and now - self._checked >= CHECK_SECONDS and self._is_stale(nodes, now):
            self.renewals += 1
        else:
            return None
        building = lacking or {node.name for node in nodes}
        fill = Fill(self._take_number(), building, not lacking, self._settings, self._source)
        fill.removed, fill.rules_before = self._removed, self._rules
        return fill

    def _is_stale(self, nodes: Iterable[Node], now: float) -> bool:
        self._checked = now
        exact = self._source.exact()
        return any(
            self._held[node.name].is_stale(self._settings, exact, self._removed, self._rules, now)
            for node in nodes
        )

    def _next_of_fill(self, now: float) -> list[Event]:
        fill = self._fill
        if fill is None:
            return []
        begins = not fill.reading
        batches = fill.due(self._client, self._take_number, self._flight.of(fill.generation))
        self._refuse(fill.refused)
        if begins and fill.reading and not fill.renewing:
            # Of an earlier life of ours it may remember what meanwhile isn't so.
            self.forget_all()
        return [self._flight.add(batch, now) for batch in batches]

    def _next_change(self, now: float) -> Event | None:
        holding = {name for name, node in self.nodes.items() if node.complete}
        if self._fill is not None:
            holding |= self._fill.begun
        if not holding:
            return None
        change = self._journal.take()
        self._refuse(self._journal.refused)
        if change is None:
            return None
        number = self._take_number()
        if change.add:
            event = protocol.compact_add(self._client, number, protocol.LIVE, change.kind, change.values)
        else:
            event = protocol.compact_forget(self._client, number, change.kind, change.values)
        return self._flight.add(Flying(number, event, holding, change.amount, start=change.start), now)

    def _refuse(self, values: list[tuple[str, str]]) -> None:
        reason = "it has a control character"
        self.refused.extend({"t": kind, "v": value, "reason": reason} for kind, value in values)
        values.clear()

    def _finished(self, node: Node, fill: Fill, now: float) -> None:
        node.complete = True
        self._held[node.name] = fill.held(node.boot, now)

    def _settle(self, now: float) -> None:
        """Go on from what nobody is waited for any more."""
        done = self._flight.done()
        for batch in done:
            self.acknowledged += 1
            self.latency = now - batch.first_sent
            fill = self._fill
            if fill is not None and fill.ending and batch.generation == fill.generation:
                self._fill = None
        if done:
            self._trim()

    def _drop(self, name: str) -> None:
        """Count with a node no more: whatever it acknowledges from now on, it has missed something."""
        self.nodes.pop(name, None)
        self._held.pop(name, None)
        self._flight.leave(name)
        fill = self._fill
        if fill is not None:
            fill.nodes.discard(name)
            fill.begun.discard(name)
            if not fill.nodes:
                self._fill = None
        self._trim()
