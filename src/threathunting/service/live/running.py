"""What the parts of a running service share, and how each of its threads lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from threathunting.hunt.live import Bounds, Found, Hunter
from threathunting.hunt.passes import SIGHTINGS
from threathunting.kafka.exchange import SupersededError
from threathunting.service.config_schema import Config
from threathunting.service.live.outputs import Outputs
from threathunting.service.metrics import Metrics
from threathunting.service.status import Errors

ASIDE_BYTES = 10_000_000
ASIDE_VALUE = 4096

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0


class Log(Protocol):
    """What is said to people: structlog's logger, as far as we use it."""

    def info(self, event: str, **fields: Any) -> Any:
        """What happens in good order."""

    def warning(self, event: str, **fields: Any) -> Any:
        """What is wrong, and is being dealt with."""


class Problems:
    """What goes wrong and is being dealt with: said in the log, and kept for ``status``."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self.errors = Errors()

    def tell(self, where: str, text: str, detail: str | None = None) -> None:
        """Something is wrong in a part of the service; ``text`` is a sentence.

        What differs each time it happens is a ``detail``: a flood of the same is told as one.
        """
        if text.startswith("Kafka:"):
            self._metrics.kafka_errors_total.inc()
        fields = {} if detail is None else {"detail": detail}
        self._log.warning(text, where=where, **fields)
        self.errors.tell(f"{where}: {text}", detail)


class Aside:
    """Keeps input that could not be used in ``rejected-records.jsonl``, the last 10 to 20 MB of it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rejected-records.jsonl"
        self._one = threading.Lock()

    def keep(self, rejected: Iterable[tuple[str, int, str, bytes]]) -> None:
        """(where it came from, offset, reason, bytes) of each. A disk that is full costs these copies, no more."""
        lines = [
            msgspec.json.encode(
                {
                    "source": source,
                    "offset": offset,
                    "reason": reason,
                    "raw": raw[:ASIDE_VALUE].decode("utf-8", "backslashreplace"),
                }
            )
            + b"\n"
            for source, offset, reason, raw in rejected
        ]
        with self._one:
            try:
                if self._path.exists() and self._path.stat().st_size > ASIDE_BYTES:
                    self._path.replace(self._path.with_suffix(".1.jsonl"))
                with self._path.open("ab") as file:
                    file.write(b"".join(lines))
            except OSError:
                pass


@dataclass
class Running:
    """The shared parts. ``config`` and ``outputs`` are replaced when the configuration changes."""

    config: Config
    hunter: Hunter
    outputs: Outputs
    metrics: Metrics
    problems: Problems
    aside: Aside
    log: Log
    ready: threading.Event = field(default_factory=threading.Event)
    """All intel is armed."""
    stopping: threading.Event = field(default_factory=threading.Event)
    last_sent: dict[str, float] = field(default_factory=dict)
    """When sightings, and when investigations, were last made fast, in seconds since the epoch."""

    def bounds(self, share: float = 1.0) -> Bounds:
        """The bounds of one stream that has a share of the window's room."""
        hunt = self.config.hunt
        return Bounds(
            seconds=hunt.look_behind,
            bytes=int(hunt.look_behind_bytes * share),
            scope=hunt.scope,
            format=self.config.output.format,
        )

    def count(self, found: Found) -> None:
        """Count what has been made fast."""
        metrics = self.metrics
        for line in found.lines:
            self.last_sent["sightings" if line.log == SIGHTINGS else "investigations"] = time.time()
            if line.log == SIGHTINGS:
                metrics.sightings_total.labels(line.level, line.module).inc()
            else:
                metrics.investigations_total.labels(line.log).inc()
        metrics.conversations_flagged_total.inc(sum(1 for flag in found.flags if flag.kind == "conversation"))


class Pipeline(threading.Thread):
    """A thread of the service that works in sessions.

    Whatever goes wrong with the world outside (OSError) ends the session; the next one begins at the last
    position that was made fast. So there is one way back, and it is the one after a crash.
    """

    def __init__(self, name: str, running: Running) -> None:
        super().__init__(name=name, daemon=True)
        self.running = running
        self.state = "waiting for the intel"
        self.beat = time.monotonic()
        """When it last showed that it is alive."""
        self.last_commit: float | None = None
        """When results and positions were last made fast, in seconds since the epoch."""
        self.failed: BaseException | None = None
        """Why it ended, where it should not have."""

    def committed(self, label: str, seconds: float) -> None:
        """Count a transaction or a checkpoint that took so many seconds."""
        metrics = self.running.metrics
        metrics.commits_total.labels(label).inc()
        metrics.commit_seconds.observe(seconds)
        metrics.last_commit_timestamp.set_to_current_time()
        self.last_commit = time.time()

    def session(self) -> None:
        """Work until ``stopping``; raises OSError where it can't go on."""
        raise NotImplementedError

    def run(self) -> None:
        """See ``threading.Thread``."""
        running = self.running
        wait = _FIRST_WAIT
        try:
            while not running.stopping.is_set():
                self.beat = time.monotonic()
                if not running.ready.wait(0.2):
                    continue
                began = time.monotonic()
                try:
                    self.session()
                except OSError as error:
                    self.state = f"trying again: {error}"
                    running.problems.tell(self.name, str(error))
                    if time.monotonic() - began > 60:
                        wait = _FIRST_WAIT
                    running.stopping.wait(wait)
                    wait = min(wait * 2, _LONGEST_WAIT)
            self.state = "stopped"
        except SupersededError as error:
            self.failed = error
            self.state = f"failed: {error}"
            running.problems.tell(self.name, f"{error}; this one ends")
        except BaseException as error:
            self.failed = error
            self.state = f"failed: {type(error).__name__}: {error}"
            running.problems.tell(self.name, f"an error of ours: {type(error).__name__}: {error}")
            running.log.warning("traceback", where=self.name, exc_info=error)
