"""One live Zeek: brought to the armed set over its WebSocket, its questions answered, its sightings passed on."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from threathunting.intel.entries import items_of
from threathunting.intel.types import LEVEL_RANK, Indicator, IndicatorType, Item
from threathunting.service.config_schema import Zeek
from threathunting.service.endpoint import endpoint_of
from threathunting.service.live.armed import Armed, ArmedSet
from threathunting.service.live.node_problems import NodeProblems
from threathunting.service.live.running import Running
from threathunting.service.live.sensor_status import sensor_status
from threathunting.service.live.verdicts import Verdicts
from threathunting.service.status import SensorStatus
from threathunting.zeek.client import Link
from threathunting.zeek.compact import CompactSync
from threathunting.zeek.compact_drop import Leftovers
from threathunting.zeek.compact_fill import Settings
from threathunting.zeek.protocol import Ack, Asked, Refused, Sighting, State, understood
from threathunting.zeek.sync import Change, Sync
from threathunting.zeek.wire import Event, Welcome

PACE = 0.05
"""Seconds after which time itself is looked at: what wasn't acknowledged, who is silent."""

_TAKEN = 500
"""Changes taken in before questions have their turn; each removal is a look-up, maybe on disk."""

_LOCKED = 200
"""Look-ups between two chances for others to use the store."""

_MOST_TOLD = 1_000_000
"""Changes that wait to be taken in; with more of them all is sent anew."""

_COMPACT, _DROP = 1 << 48, 1 << 49
"""Added to numbers of batches, so that all who number them on one connection have their own."""


class Sensor:
    """One Zeek, as one WebSocket reaches it."""

    def __init__(
        self, running: Running, armed: Armed, settings: Zeek, sighted: Callable[[Sensor, Sighting], None]
    ) -> None:
        self.name = settings.name or settings.url
        self._running = running
        self._armed = armed
        self._sighted = sighted
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._told: deque[Change] = deque()
        self._taking = 0
        self._too_much = False
        self._node_problems = NodeProblems()
        self.version = ""
        self._client = running.config.service.name
        first = int(time.time() * 1000)
        self.sync = Sync(self._client, self._everything, first)
        self.compact: CompactSync | None = None
        if settings.mode == "compact":
            filters = Settings(
                capacity=settings.capacity,
                subdomain_capacity=settings.subdomain_capacity,
                false_positive_rate=settings.false_positive_rate,
                hold=settings.hold,
                rebuild_share=settings.rebuild_share,
                rebuild_after=settings.rebuild_after,
            )
            self.compact = CompactSync(self._client, ArmedSet(armed), filters, first + _COMPACT)
        self._leftovers = Leftovers(self._client, first + _DROP)
        self.verdicts = Verdicts(self._client, running.hunter)
        self._link = Link(
            endpoint_of(settings),
            self._connected,
            self._disconnected,
            self._received,
            lambda text: running.problems.tell(self.name, text),
        )

    # From other threads

    def change(self, change: Change) -> None:
        """An item was armed or disarmed, in any thread, under the store's lock."""
        # Natively, nothing needs to be remembered without a connection: the full set comes first. Filters stay.
        if not self.sync.connected and (self.compact is None or self._loop is None):
            return
        if len(self._told) < _MOST_TOLD:
            self._told.append(change)
        else:
            self._too_much = True
        if not self._awake.is_set():
            self._soon(self._awake.set)

    def resync(self) -> None:
        """Modules or levels are others now. From any thread."""
        self._soon(self._resync)

    def _soon(self, work: Callable[[], None]) -> None:
        """Do something in the event loop's thread."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:
                # The loop has just ended: so does the service.
                pass

    def status(self) -> SensorStatus:
        """How it stands."""
        # First: what is taken in meanwhile is waited for by those that are asked next.
        told = len(self._told) + self._taking
        status = sensor_status(
            self.name, self._client, self.version, self.sync, self.compact, self.verdicts, time.monotonic()
        )
        status.waiting += told
        status.armed = status.armed and not told
        return status

    # In the event loop

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        if self.compact is not None:
            # What changed while nobody worked here, nobody remembers.
            self.compact.disconnect()
            self.compact.resync()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run())
                tasks.create_task(self._pump())
        finally:
            self._loop = None
            self._told.clear()

    async def _pump(self) -> None:
        while True:
            self._awake.clear()
            self._take_changes()
            events = self._due(time.monotonic())
            # Looked up and sent before later changes are: what voids a verdict must not overtake it.
            events += self.verdicts.answer()
            events += self.verdicts.nudges.due(time.monotonic())
            for event in events:
                await self._link.send(event)
            if events or self._told or len(self.verdicts):
                # Acknowledgements, and other Zeeks, have their turn however much there is to do.
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(self.verdicts.nudges.wait(time.monotonic(), PACE)):
                    await self._awake.wait()
            except TimeoutError:
                pass

    def _due(self, now: float) -> list[Event]:
        events = self.sync.due(now)
        if self.compact is None:
            return events + self._leftovers.due(now)
        events += self.compact.due(now)
        while self.compact.refused:
            refused = self.compact.refused.popleft()
            self._running.problems.tell(
                self.name, f"Zeek can't arm {refused['t']} {refused['v'][:80]!r}: {refused['reason']}"
            )
        while self.compact.silent:
            self._running.problems.tell(
                f"{self.name} {self.compact.silent.popleft()}",
                "acknowledges no filters, so it is filled anew when it shows itself; "
                "does its ThreatHunting package know compact mode?",
            )
        return events

    def _take_changes(self) -> None:
        if self._too_much:
            self._too_much = False
            self._told.clear()
            self.sync.resync()
            if self.compact is not None:
                self.compact.resync()
        self._taking = min(len(self._told), _TAKEN)
        changes = [self._told.popleft() for _ in range(self._taking)]
        if self.compact is None:
            self.sync.change(self._judged(changes))
        elif changes:
            self.sync.change(
                self._judged(one for one in changes if one.indicator.type is IndicatorType.SUBNET)
            )
            self.compact.change(changes, self._left(changes))
        self._taking = 0

    def _left(self, changes: Iterable[Change]) -> int:
        """How many indicators left altogether: no other source tells of them."""
        gone = list(
            {
                change.indicator
                for change in changes
                if change.item is None and change.indicator.type is not IndicatorType.SUBNET
            }
        )
        now, store, left = time.time(), self._armed.store, 0
        for start in range(0, len(gone), _LOCKED):
            with self._armed.lock:
                left += sum(
                    all(hit.indicator != indicator for hit in store.lookup_folded(*indicator, now))
                    for indicator in gone[start : start + _LOCKED]
                )
        return left

    def _resync(self) -> None:
        self.sync.use_modules(self._running.hunter.registry.modules)
        self.sync.resync()
        if self.compact is not None:
            # Levels come with the answers.
            self.compact.forget_all()
        self._awake.set()

    def _judged(self, changes: Iterable[Change]) -> list[Change]:
        """Changes as the configuration counts them; an item below the least level is one that leaves."""
        policy = self._running.hunter.policy
        found = []
        for change in changes:
            item = None if change.item is None else policy.levelled(change.item)
            if item is not None and LEVEL_RANK[item.level] < LEVEL_RANK[policy.min_level]:
                item = None
            found.append(change._replace(item=item))
        return found

    def _everything(self) -> Iterator[tuple[Indicator, Item]]:
        """All that is armed natively."""
        store = self._armed.store
        for type in IndicatorType if self.compact is None else (IndicatorType.SUBNET,):
            for chunk in store.entries(type):
                for value, entry in chunk:
                    indicator = Indicator(type, value)
                    for item in items_of(entry):
                        for change in self._judged([Change(indicator, item.source, item)]):
                            if change.item is not None:
                                yield indicator, change.item

    def _connected(self, welcome: Welcome) -> None:
        self.version = welcome.version
        self.sync.use_modules(self._running.hunter.registry.modules)
        self.sync.connect()
        if self.compact is not None:
            self.compact.connect()
        self._running.log.info("connected to Zeek", where=self.name, version=welcome.version)
        self._awake.set()

    def _disconnected(self, reason: str) -> None:
        self.sync.disconnect()
        if self.compact is not None:
            self.compact.disconnect()
        self._leftovers.disconnect()
        self.verdicts.forget()
        self._running.problems.tell(self.name, reason)

    def _received(self, event: Event) -> None:
        now = time.monotonic()
        try:
            report = understood(event)
        except ValueError as error:
            self._running.problems.tell(self.name, str(error))
            return
        if isinstance(report, State):
            self._heard(report, now)
        elif isinstance(report, Ack):
            self.sync.ack(report, now)
            self._leftovers.ack(report)
            if self.compact is not None:
                self.compact.ack(report, now)
            for refused in report.refused:
                self._running.problems.tell(
                    f"{self.name} {report.node}",
                    f"Zeek can't arm {refused.get('t')} '{str(refused.get('v'))[:80]}': {refused.get('reason')}",
                )
        elif isinstance(report, Asked):
            self.verdicts.take(report)
        elif isinstance(report, Sighting):
            self._sighted(self, report)
        elif isinstance(report, Refused):
            self._running.problems.tell(f"{self.name} {report.node}", report.reason)
        self._awake.set()

    def _heard(self, state: State, now: float) -> None:
        self.sync.state(state, now)
        if self.compact is not None:
            self.compact.state(state, now)
        else:
            self._leftovers.state(state)
        for problem in self._node_problems.problems(state):
            self._running.problems.tell(f"{self.name} {state.node}", problem.text, problem.detail)
