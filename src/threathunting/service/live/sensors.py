"""The topic on which instances tell what they are and what is armed in them."""

from __future__ import annotations

import time

import msgspec

from threathunting.kafka.producer import Writer
from threathunting.service.live.running import Running
from threathunting.service.status import Status

EVERY = 10.0
"""Seconds between two messages; one more comes at once when readiness changes."""


class SensorsTopic:
    """Writes the instance's state, keyed by its name, so that a compacted topic holds the last of each."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._writer: Writer | None = None
        self._told = 0.0
        self._ready: bool | None = None

    def tick(self, status: Status) -> None:
        """Tell the state where it is time to. What the broker doesn't take is not told again: the next is newer."""
        running = self._running
        output, connection = running.config.output.kafka, running.config.kafka
        if output is None or output.sensors is None or connection is None:
            return
        now = time.monotonic()
        if now - self._told < EVERY and status.ready == self._ready:
            return
        self._told, self._ready = now, status.ready
        if self._writer is None:
            self._writer = Writer(connection, running.config.service.name)
        state = {
            "instance": status.name,
            "version": status.version,
            "at": status.now,
            "started": status.started,
            "ready": status.ready,
            "not_ready": status.not_ready,
            "indicators": status.indicators,
            "armed": status.armed,
            "records": status.records,
            "sightings": status.sightings,
            "investigations": status.investigations,
            "sensors": msgspec.to_builtins(status.sensors),
        }
        try:
            self._writer.flush(0)
            if len(self._writer) < 10:
                self._writer.produce(output.sensors, msgspec.json.encode(state), status.name, {})
        except OSError as error:
            running.problems.tell("sensors topic", str(error))

    def close(self) -> None:
        """Wait a little for the broker, and end."""
        if self._writer is not None:
            try:
                self._writer.flush(1)
            except OSError:
                pass
            self._writer.close()
