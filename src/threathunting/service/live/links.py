"""The live links: every Zeek of the configuration brought to the armed set, and its sightings passed on."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from threathunting.hunt.forms import intel_entry
from threathunting.hunt.live import Found, Line
from threathunting.hunt.live.shipping import reasons_of_sighting
from threathunting.hunt.passes import SIGHTINGS
from threathunting.intel.entries import items_of
from threathunting.intel.types import LEVEL_RANK, Indicator, IndicatorType, Item, highest_level
from threathunting.kafka.producer import Writer
from threathunting.plugins import OTHER
from threathunting.records import Record
from threathunting.sensors.zeek_json import flat
from threathunting.service.config_schema import Zeek
from threathunting.service.live.armed import Armed
from threathunting.service.live.running import Pipeline, Running
from threathunting.service.status import NodeStatus, SensorStatus
from threathunting.zeek.client import Endpoint, Link
from threathunting.zeek.protocol import Ack, Refused, Sighting, State, understood
from threathunting.zeek.sync import Change, Sync
from threathunting.zeek.wire import Event, Welcome

PACE = 0.05
"""Seconds after which time itself is looked at: what wasn't acknowledged, who is silent."""


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
        self.version = ""
        self.sync = Sync(running.config.service.name, self._everything, int(time.time() * 1000))
        self._link = Link(
            Endpoint(
                url=settings.url,
                ca=settings.ca,
                certificate=settings.certificate,
                key=settings.key,
                verify_hostname=settings.verify_hostname,
            ),
            self._connected,
            self._disconnected,
            self._received,
            lambda text: running.problems.tell(self.name, text),
        )

    def change(self, change: Change) -> None:
        """An item was armed or disarmed, in any thread, under the store's lock."""
        # Without a connection nothing needs to be remembered: the full set comes first.
        if self.sync.connected:
            self._told.append(change)
            if not self._awake.is_set():
                self._soon(self._awake.set)

    def resync(self) -> None:
        """Modules or levels are others now. From any thread."""
        self._soon(self._resync)

    def _resync(self) -> None:
        self.sync.use_modules(self._running.hunter.registry.modules)
        self.sync.resync()
        self._awake.set()

    def _soon(self, work: Callable[[], None]) -> None:
        """Do something in the event loop's thread."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:
                # The loop has just ended: so does the service.
                pass

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._pump())

    async def _pump(self) -> None:
        while True:
            self._awake.clear()
            changes = self._judged(self._told.popleft() for _ in range(len(self._told)))
            self.sync.change(changes)
            events = self.sync.due(time.monotonic())
            for event in events:
                await self._link.send(event)
            if not events:
                try:
                    async with asyncio.timeout(PACE):
                        await self._awake.wait()
                except TimeoutError:
                    pass

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
        store = self._armed.store
        entries = (
            (Indicator(type, value), item)
            for type in IndicatorType
            for chunk in store.entries(type)
            for value, entry in chunk
            for item in items_of(entry)
        )
        for indicator, item in entries:
            for change in self._judged([Change(indicator, item.source, item)]):
                if change.item is not None:
                    yield indicator, change.item

    def _connected(self, welcome: Welcome) -> None:
        self.version = welcome.version
        self.sync.use_modules(self._running.hunter.registry.modules)
        self.sync.connect()
        self._running.log.info("connected to Zeek", where=self.name, version=welcome.version)
        self._awake.set()

    def _disconnected(self, reason: str) -> None:
        self.sync.disconnect()
        self._running.problems.tell(self.name, reason)

    def _received(self, event: Event) -> None:
        now = time.monotonic()
        try:
            report = understood(event)
        except ValueError as error:
            self._running.problems.tell(self.name, str(error))
            return
        if isinstance(report, State):
            self.sync.state(report, now)
            for problem in report.about.problems:
                self._running.problems.tell(f"{self.name} {report.node}", problem)
        elif isinstance(report, Ack):
            self.sync.ack(report, now)
            for refused in report.refused:
                self._running.problems.tell(
                    f"{self.name} {report.node}",
                    f"Zeek can't arm {refused.get('t')} '{str(refused.get('v'))[:80]}': {refused.get('reason')}",
                )
        elif isinstance(report, Sighting):
            self._sighted(self, report)
        elif isinstance(report, Refused):
            self._running.problems.tell(f"{self.name} {report.node}", report.reason)
        self._awake.set()

    def status(self) -> SensorStatus:
        """How it stands."""
        sync, now = self.sync, time.monotonic()
        return SensorStatus(
            name=self.name,
            version=self.version,
            connected=sync.connected,
            armed=sync.armed,
            waiting=sync.waiting,
            missing=sync.missing(),
            full_sets=sync.full_sets,
            latency_ms=None if sync.latency is None else round(sync.latency * 1000, 1),
            nodes=[
                NodeStatus(
                    name=node.name,
                    role=node.about.role,
                    boot=node.boot,
                    complete=node.complete and sync.connected,
                    armed=node.armed,
                    sees_traffic=node.about.sees_traffic,
                    modules=node.about.modules,
                    lag_ms=None if node.lag is None else round(node.lag * 1000, 1),
                    silent_seconds=round(now - node.seen, 1),
                )
                for node in list(sync.nodes.values())
            ],
        )


class Links(Pipeline):
    """The thread of all links, with one event loop."""

    def __init__(self, running: Running, armed: Armed, settings: Iterable[Zeek]) -> None:
        super().__init__("zeek", running)
        self.sensors = [Sensor(running, armed, one, self._sighted) for one in settings]
        self._writer: Writer | None = None
        armed.listeners.append(self._changed)

    def _changed(self, indicator: Indicator, source: str, item: Item | None) -> None:
        change = Change(indicator, source, item)
        for sensor in self.sensors:
            sensor.change(change)

    def resync(self) -> None:
        """The modules or levels that count are others now. From any thread."""
        for sensor in self.sensors:
            sensor.resync()

    def session(self) -> None:
        """See ``Pipeline``."""
        self.state = "running"
        asyncio.run(self._run())

    async def _run(self) -> None:
        work = [asyncio.create_task(sensor.run()) for sensor in self.sensors]
        try:
            while not self.running.stopping.is_set():
                self.beat = time.monotonic()
                await asyncio.sleep(0.1)
                for task in work:
                    if task.done():
                        _result(task)
                self._flush(0)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self._flush(5)
            if self._writer is not None:
                self._writer.close()

    def _flush(self, seconds: float) -> None:
        try:
            if self._writer is not None:
                self._writer.flush(seconds)
            self.running.outputs.sync()
        except OSError as error:
            self.running.problems.tell(self.name, str(error))

    def _sighted(self, sensor: Sensor, sighting: Sighting) -> None:
        """Pass a sighting on, with all items that are armed for it."""
        running = self.running
        record = _with_ports(flat(sighting.record))
        reasons = reasons_of_sighting(running.hunter, record)
        items = tuple(item for reason in reasons for item in reason.items)
        level = highest_level(items)
        line: dict[str, Any] = {
            **record,
            "level": level,
            "intel": [
                intel_entry(reason.indicator.value, reason.indicator.type.zeek_name, item)
                for reason in reasons
                for item in reason.items
            ],
            "sensor": sensor.name,
            "node": sighting.node,
        }
        line["sighting_id"] = hashlib.blake2b(
            msgspec.json.encode(record, order="sorted"), digest_size=16
        ).hexdigest()
        where = str(record.get("seen.where", ""))
        module = where.partition("::")[0].upper() or OTHER
        found = Found([Line(SIGHTINGS, str(record.get("uid", "")), level, module, msgspec.json.encode(line))])
        outputs = running.outputs
        if outputs.topics and running.config.kafka is not None:
            if self._writer is None:
                self._writer = Writer(
                    running.config.kafka,
                    running.config.service.name,
                    lambda text: running.problems.tell(self.name, text),
                )
            for out in outputs.messages(found.lines):
                self._writer.produce(*out)
        outputs.append(found.lines)
        running.count(found)


def _result(task: asyncio.Task[None]) -> None:
    """What a sensor's work ended with: OSError where the intel could not be read, else an error of ours."""
    error = task.exception()
    if isinstance(error, ExceptionGroup) and error.split(OSError)[1] is None:
        first = error.exceptions[0]
        raise OSError(str(first)) from error
    task.result()


def _with_ports(record: Record) -> Record:
    """Ports as in logs: Zeek's to_json() makes ``{"port": 53, "proto": "udp"}`` of them."""
    found = {name: value for name, value in record.items() if not name.endswith(("_p.port", "_p.proto"))}
    for name in ("id.orig_p", "id.resp_p"):
        if (port := record.get(f"{name}.port")) is not None:
            found[name] = port
    return found
