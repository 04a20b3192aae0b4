"""A hunt over units that can be read more than once: look, link, capture."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from threathunting.hunt import passes, workers
from threathunting.hunt.conversations import MAX_CONVERSATIONS, Flags
from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.forms import Format
from threathunting.hunt.passes import SIGHTINGS, Captured, Looked, Scope, Spool
from threathunting.hunt.tally import Tally
from threathunting.intel.entries import IntelStore
from threathunting.plugins import Registry
from threathunting.records import ReadReport, Unit


class Results(Protocol):
    """Where a hunt's lines go, in order. Raises OSError where they can't be written."""

    def sightings(self, lines: Path) -> None:
        """Take a file of sightings, whole lines."""

    def investigations(self, log: str, lines: Path) -> None:
        """Take a file of captured records of ``<log>-investigation``, whole lines."""


class Progress(Protocol):
    """Is told how a hunt goes on."""

    def begin(self, what: str, total: int) -> None:
        """A pass begins, over ``total`` bytes on disk."""

    def advance(self, size: int) -> None:
        """So many bytes more are done."""


@dataclass(frozen=True)
class Settings:
    """How to hunt."""

    scope: Scope = "conversation"
    format: Format = "zeek"
    workers: int = 1
    max_conversations: int = MAX_CONVERSATIONS
    capture: bool = True
    """Whether to capture at all; without it one pass over the units is enough."""


@dataclass
class Outcome:
    """What a hunt found and met."""

    report: ReadReport = field(default_factory=ReadReport)
    tally: Tally = field(default_factory=Tally)
    conversations: Flags = field(default_factory=Flags)
    files: Flags = field(default_factory=Flags)
    sightings: int = 0
    captured: dict[str, int] = field(default_factory=dict)

    @property
    def investigations(self) -> int:
        """Captured records, of all logs."""
        return sum(self.captured.values())


class Hunt:
    """Matches units against a store and hands sightings and captured records to ``results``.

    Memory holds the flagged conversations, not their records: these are found in a second pass, so that the
    order in which logs come doesn't matter. ``outcome`` grows while it runs and is right when interrupted.
    """

    def __init__(
        self,
        store: IntelStore,
        registry: Registry,
        settings: Settings,
        results: Results,
        progress: Progress,
        spool: Path | None,
    ) -> None:
        """``spool`` is a folder for lines in waiting; None = the system's folder for temporary files."""
        self._store = store
        self._registry = registry
        self._settings = settings
        self._results = results
        self._progress = progress
        self._spool_parent = spool
        limit = settings.max_conversations
        self.outcome = Outcome(conversations=Flags(limit), files=Flags(limit))

    def run(self, units: Sequence[Unit]) -> Outcome:
        """Hunt through the units. Raises OSError where results can't be written."""
        with tempfile.TemporaryDirectory(prefix=".threathunting-", dir=self._spool_parent) as folder:
            self._look(units, Path(folder))
            if self._settings.capture and self._settings.scope == "conversation":
                self._link(units)
                self._capture(units, Path(folder))
        self.outcome.tally.count_conversations(self.outcome.conversations)
        return self.outcome

    def _pass(
        self, what: str, units: Sequence[tuple[int, Unit]], work: Callable[..., object]
    ) -> Iterator[object]:
        self._progress.begin(what, sum(unit.size for _, unit in units))
        return workers.run(work, units, self._settings.workers, self._progress.advance)

    def _look(self, units: Sequence[Unit], folder: Path) -> None:
        settings = self._settings
        matcher = FastMatcher(self._store, self._registry)
        scope: Scope = settings.scope if settings.capture else "conversation"

        def work(number: int, unit: Unit, tick: Callable[[int], None]) -> Looked:
            spool = Spool(folder, f"look-{number}")
            return passes.look(unit, matcher, self._registry, spool, scope, settings.format, tick)

        for looked in self._pass("looking", list(enumerate(units)), work):
            assert isinstance(looked, Looked)
            with _uninterrupted():
                outcome = self.outcome
                outcome.report.add(looked.report)
                sightings = looked.spooled.pop(SIGHTINGS, None)
                if sightings is not None:
                    self._results.sightings(sightings)
                    sightings.unlink()
                outcome.sightings += looked.sightings
                outcome.tally.add(looked.tally)
                outcome.conversations.merge(looked.conversations)
                outcome.files.merge(looked.files)
                self._collect(looked)

    def _link(self, units: Sequence[Unit]) -> None:
        """Find the conversations of files that were sighted without one (certificates, old files.log)."""
        if not self.outcome.files.by_key:
            return
        named = [name for name, log in self._registry.logs.items() if log.uids and (log.links or log.files)]
        work = partial(_link, self.outcome.files, self._registry)
        for found in self._pass("linking", _with_logs(units, named), work):
            assert isinstance(found, Flags)
            self.outcome.conversations.merge(found)

    def _capture(self, units: Sequence[Unit], folder: Path) -> None:
        outcome = self.outcome
        if not outcome.conversations.by_key and not outcome.files.by_key:
            return
        settings, registry = self._settings, self._registry

        def work(number: int, unit: Unit, tick: Callable[[int], None]) -> Captured:
            spool = Spool(folder, f"capture-{number}")
            return passes.capture(unit, outcome.conversations, registry, spool, settings.format, tick)

        by_file = [name for name, log in registry.logs.items() if not log.uids and log.files]
        first = [
            (number, unit)
            for number, unit in enumerate(units)
            if (logs := unit.logs()) is None or not logs <= set(by_file)
        ]
        belonging = Flags(settings.max_conversations)
        belonging.merge(outcome.files)
        for captured in self._pass("capturing", first, work):
            assert isinstance(captured, Captured)
            belonging.merge(captured.files)
            with _uninterrupted():
                self._collect(captured)
        if not belonging.by_key:
            return

        def work_files(number: int, unit: Unit, tick: Callable[[int], None]) -> Captured:
            spool = Spool(folder, f"files-{number}")
            return passes.capture_files(unit, belonging, registry, spool, settings.format, tick)

        written: set[tuple[str, str]] = set()
        having_files = [name for name, log in registry.logs.items() if log.files]
        for captured in self._pass("capturing files", _with_logs(units, having_files), work_files):
            assert isinstance(captured, Captured)
            for path, names in captured.names.items():
                captured.captured[path] = _keep_first(captured.spooled[path], path, names, written)
            with _uninterrupted():
                self._collect(captured)

    def _collect(self, part: Looked | Captured) -> None:
        for log, path in part.spooled.items():
            if part.captured[log]:
                self._results.investigations(log, path)
                self.outcome.captured[log] = self.outcome.captured.get(log, 0) + part.captured[log]
            path.unlink()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait, so that what is written and what is counted stay the same.

    Masking the signal would not do: another thread of this process can get it, and Python raises in this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt


def _link(files: Flags, registry: Registry, number: int, unit: Unit, tick: Callable[[int], None]) -> Flags:
    return passes.link(unit, files, registry, tick)


def _with_logs(units: Sequence[Unit], names: Sequence[str]) -> list[tuple[int, Unit]]:
    """The units that may hold one of these logs, with their numbers."""
    wanted = set(names)
    return [
        (number, unit)
        for number, unit in enumerate(units)
        if (logs := unit.logs()) is None or not logs.isdisjoint(wanted)
    ]


def _keep_first(path: Path, log: str, names: list[str], written: set[tuple[str, str]]) -> int:
    """Drop from a spool file the files that were written already; returns how many lines are left."""
    lines = path.read_bytes().split(b"\n")[:-1]
    kept = []
    for line, name in zip(lines, names, strict=True):
        if (log, name) not in written:
            written.add((log, name))
            kept.append(line + b"\n")
    path.write_bytes(b"".join(kept))
    return len(kept)
