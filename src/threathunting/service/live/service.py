"""The running service: its threads, its signals, and what it tells of itself."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path

import structlog

from threathunting import __version__
from threathunting.hunt.live import Hunter
from threathunting.intel.store import Store
from threathunting.kafka.checks import check
from threathunting.service.config_schema import Config
from threathunting.service.http import Server
from threathunting.service.hunting import registry
from threathunting.service.live.armed import Armed
from threathunting.service.live.arming import Arming
from threathunting.service.live.consume import ConsumePipeline
from threathunting.service.live.control import Control, policy_of, read_allow_list
from threathunting.service.live.follow import FollowPipeline
from threathunting.service.live.links import Links
from threathunting.service.live.outputs import Outputs
from threathunting.service.live.running import Aside, Pipeline, Problems, Running
from threathunting.service.live.sensors import SensorsTopic
from threathunting.service.live.state import State
from threathunting.service.live.stores import DiskStores
from threathunting.service.live.telling import Telling
from threathunting.service.logs import Logs
from threathunting.service.metrics import Metrics
from threathunting.service.redact import Redactor
from threathunting.service.watch import Watcher

DRAIN = 30.0
"""Seconds that parts get to make fast what they hold when the service stops."""


class Service:
    """Everything that runs for one configuration. ``path`` is its file, watched for changes; None: not watched."""

    def __init__(self, config: Config, path: Path | None, logs: Logs) -> None:
        """Make all parts, and start nothing. Raises ValueError and OSError with a sentence."""
        if config.kafka is not None:
            check(config.kafka)
        self.config = config
        self._logs = logs
        log = structlog.get_logger()
        metrics = Metrics()
        allow = read_allow_list(config)
        modules = registry(config.hunt.modules)
        self.state = State(Path(config.service.state))
        make = DiskStores(self.state.folder) if config.intel.store == "disk" else Store
        armed = Armed(config.intel.max_indicators, make)
        hunter = Hunter(armed.store, modules, policy_of(config, allow), armed.lock)
        self.running = Running(
            config,
            hunter,
            Outputs(config.output),
            metrics,
            Problems(log, metrics),
            Aside(self.state.folder),
            log,
        )
        armed.use_allow_list(allow)
        self.arming = Arming(self.running, armed, self.state)
        self.control = Control(path, self.running, self.arming, logs)
        self.pipelines: list[Pipeline] = [
            FollowPipeline(self.running, settings, self.state) for settings in config.follow
        ]
        if config.zeek:
            self.pipelines.append(Links(self.running, armed, config.zeek))
        if config.consume is not None:
            self.pipelines.append(ConsumePipeline(self.running))
        self.control.rearm = [part.resync for part in self.pipelines if isinstance(part, Links)]
        self.telling = Telling(self.running, self.arming, self.pipelines, self.control)
        self._sensors = SensorsTopic(self.running)
        self.server: Server | None = None
        if (address := config.http.address) is not None:
            self.server = Server(
                address,
                metrics.registry,
                self.telling.unhealthy,
                self.telling.not_ready,
                self.telling.status,
                Redactor(config.secrets()),
            )
        self._watcher = Watcher(self.control.watched(), self.control.changed)
        self.control.rewatch = lambda: self._watcher.watch(self.control.watched())

    def start(self) -> None:
        """Start all threads."""
        if self.server is not None:
            self.server.start()
        self.arming.start()
        for pipeline in self.pipelines:
            pipeline.start()
        self._watcher.start()
        self.running.log.info(
            "started",
            name=self.config.service.name,
            version=__version__,
            http=None if self.server is None else "{}:{}".format(*self.server.address),
        )

    def tick(self) -> None:
        """To be called every second or so."""
        self.telling.refresh()
        self._sensors.tick(self.telling.status())

    def stop(self) -> bool:
        """Drain and stop; whether every part could make fast what it held."""
        self.running.log.info("stopping")
        self.running.stopping.set()
        self._watcher.stop()
        until = time.monotonic() + DRAIN
        threads: list[threading.Thread] = [*self.pipelines, self.arming]
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.1))
        late = [thread.name for thread in threads if thread.is_alive()]
        if late:
            self.running.problems.tell("service", f"{', '.join(late)} did not stop in {DRAIN:.0f} s")
        self._sensors.tick(self.telling.status())
        self._sensors.close()
        if self.server is not None:
            self.server.close()
        self.running.outputs.close()
        if not late:
            self.arming.close()
        self.state.close()
        self.running.log.info("stopped")
        return not late and not self.failed()

    def failed(self) -> list[str]:
        """The parts that ended by an error of ours."""
        return [
            f"{part.name}: {type(part.failed).__name__}: {part.failed}"
            for part in (*self.pipelines, self.arming)
            if part.failed is not None
        ]


def main(config: Config, path: Path | None) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    The exit status: 0 drained, 1 something failed. Raises ValueError and OSError, with a sentence, where it
    can't start.
    """
    logs = Logs(Redactor(config.secrets()))
    logs.set_up(config.log.format, config.log.level)
    service = Service(config, path, logs)
    wake = threading.Event()
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    gc.freeze()
    # Intel and windows are millions of objects without cycles: walking through them would stop everything.
    gc.set_threshold(100_000, 50, 100)
    service.start()
    try:
        while not service.failed():
            # Not for ever: a signal must be seen also where another thread of the process received it.
            wake.wait(1.0)
            wake.clear()
            logs.flush()
            service.tick()
            while asked:
                if asked.pop(0) == signal.SIGHUP:
                    service.control.reload()
                else:
                    asked.clear()
                    return 0 if service.stop() else 1
        service.stop()
        return 1
    finally:
        logs.close()
        if any(thread.is_alive() for thread in service.pipelines):
            # A thread that hangs in a library must not keep the process from ending.
            os._exit(1)
