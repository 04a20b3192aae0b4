"""The live links: every Zeek of the configuration brought to the armed set, and its sightings passed on."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from threathunting.hunt.forms import intel_entry
from threathunting.hunt.live import Found, Line
from threathunting.hunt.live.shipping import reasons_of_sighting
from threathunting.hunt.passes import SIGHTINGS
from threathunting.intel.types import Indicator, Item, highest_level
from threathunting.kafka.producer import Writer
from threathunting.plugins import OTHER
from threathunting.records import Record
from threathunting.sensors.zeek_json import flat
from threathunting.service.config_schema import Zeek
from threathunting.service.live.armed import Armed
from threathunting.service.live.running import Pipeline, Running
from threathunting.service.live.zeek_sensor import Sensor
from threathunting.zeek.protocol import Sighting
from threathunting.zeek.sync import Change


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
                        end(task)
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


def end(task: asyncio.Task[None]) -> None:
    """Raise what ended a task; an OSError, such as of a store on a disk, as itself, so that all begins again."""
    try:
        task.result()
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, OSError):
            raise error from None
        raise


def _with_ports(record: Record) -> Record:
    """Ports as in logs: Zeek's to_json() makes ``{"port": 53, "proto": "udp"}`` of them."""
    found = {name: value for name, value in record.items() if not name.endswith(("_p.port", "_p.proto"))}
    for name in ("id.orig_p", "id.resp_p"):
        if (port := record.get(f"{name}.port")) is not None:
            found[name] = port
    return found
