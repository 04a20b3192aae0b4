"""Wires a hunt: intel and inputs in, results out, and the summary of it all."""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from threathunting.hunt.conversations import MAX_CONVERSATIONS
from threathunting.hunt.engine import Hunt, Outcome, Progress, Settings
from threathunting.hunt.forms import Format
from threathunting.hunt.passes import Scope
from threathunting.hunt.tally import Seen
from threathunting.intel.load import LoadReport
from threathunting.intel.message import timestamp
from threathunting.intel.types import Indicator
from threathunting.plugins import BUILTIN, Registry, installed
from threathunting.records import Unit
from threathunting.sensors import pcap
from threathunting.sensors.discover import discover
from threathunting.service import intel
from threathunting.sinks.jsonl import Folder, Nothing, Stream

STREAM = "-"
"""As a path: standard input. As the output: sightings on standard output."""


@dataclass(frozen=True)
class Request:
    """What an analyst asks for. Paths are as typed; ``-`` is standard input, or as ``out`` standard output."""

    paths: Sequence[str]
    intel: Sequence[str]
    out: str | None = None
    format: Format = "zeek"
    scope: Scope = "conversation"
    modules: Sequence[str] | None = None
    workers: int = 1
    allow: Sequence[str] = ()
    warninglists: Sequence[str] = ()
    sensor: str | None = None
    intel_format: str | None = None
    max_conversations: int = MAX_CONVERSATIONS


@dataclass
class Result:
    """What came of it, whole or up to where it was interrupted."""

    outcome: Outcome = field(default_factory=Outcome)
    intel: LoadReport | None = None
    indicators: int = 0
    seconds: float = 0.0
    intel_seconds: float = 0.0
    """Of ``seconds`` those that passed until the intel was read."""
    complete: bool = False
    files: int = 0
    passed_over: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Sentences on inputs that could not be read, or not to their end."""
    sensor: str | None = None

    def summary(self) -> dict[str, Any]:
        """The object of ``--json`` and ``summary.json``."""
        outcome, report = self.outcome, self.outcome.report
        return {
            "complete": self.complete,
            "records": report.records,
            "bytes": report.bytes,
            "files": self.files,
            "sightings": outcome.sightings,
            "conversations": len(outcome.conversations),
            "investigations": outcome.investigations,
            "investigation_logs": dict(sorted(outcome.captured.items())),
            "indicators": self.indicators,
            "rejected_intel": self.intel.refused if self.intel is not None else 0,
            "bad_records": report.bad_records,
            "repaired_records": report.repaired_records,
            "unfinished_lines": report.unfinished,
            "dropped_conversations": outcome.conversations.dropped_keys + outcome.files.dropped_keys,
            "dropped_reasons": outcome.conversations.dropped_reasons,
            "passed_over": len(self.passed_over),
            "errors": self.errors,
            "sensor": self.sensor,
            "seconds": round(self.seconds, 3),
            "intel_seconds": round(self.intel_seconds, 3),
            "sighted": [_sighted(indicator, seen) for indicator, seen in outcome.tally.widest_first()],
        }


def _sighted(indicator: Indicator, seen: Seen) -> dict[str, Any]:
    return {
        "indicator": indicator.value,
        "type": indicator.type.value,
        "level": seen.level,
        "sources": sorted(seen.sources),
        "sightings": seen.sightings,
        "conversations": seen.conversations,
        "first_seen": None if seen.first is None else timestamp(seen.first),
        "last_seen": None if seen.last is None else timestamp(seen.last),
        "hosts": len(seen.hosts),
    }


def registry(modules: Sequence[str] | None) -> Registry:
    """Our plugins and the user's, of these the modules named. ValueError says what is wrong."""
    return Registry((*BUILTIN, *installed()), modules)


def run(request: Request, progress: Progress, note: Callable[[str], None], stdout: BinaryIO) -> Result:
    """Hunt. ``note`` is told what a person should know while it runs.

    Raises ValueError (a sentence) for what can't be begun, OSError where results can't be written. On
    KeyboardInterrupt the result so far is written, and returned with ``complete`` false.
    """
    began = time.monotonic()
    result = Result()
    modules = registry(request.modules)
    store, result.intel = intel.read(request.intel, request.allow, request.warninglists, request.intel_format)
    result.indicators, result.intel_seconds = len(store), time.monotonic() - began
    if not len(store):
        raise ValueError(
            f"no intel to hunt with: {', '.join(request.intel)} gave no indicator ({_refusals(result.intel)})"
        )
    with ExitStack() as stack:
        stack.enter_context(_rare_collections())
        out: Folder | Stream | Nothing
        if request.out is None:
            out = Nothing()
        elif request.out == STREAM:
            out = Stream(stdout)
        else:
            out = Folder(Path(request.out))
        near = out.path if isinstance(out, Folder) else None
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".threathunting-", dir=near)))
        units = _units(request, modules, work, result, note)
        settings = Settings(
            scope=request.scope,
            format=request.format,
            workers=request.workers,
            max_conversations=request.max_conversations,
            capture=not isinstance(out, Stream),
        )
        hunt = Hunt(store, modules, settings, out, progress, work)
        result.outcome = hunt.outcome
        try:
            hunt.run(units)
            result.complete = True
        except KeyboardInterrupt:
            note("interrupted: what was found so far is kept")
        finally:
            result.errors += result.outcome.report.errors
            result.seconds = time.monotonic() - began
            if isinstance(out, Folder):
                out.rejected([_rejected(rejected) for rejected in result.outcome.report.rejected])
                out.summary(result.summary())
    return result


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Keep the collector of cycles from walking through the intel, and from the many short-lived lists of a hunt."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _units(
    request: Request, modules: Registry, work: Path, result: Result, note: Callable[[str], None]
) -> list[Unit]:
    paths = [_spooled_stdin(work) if path == STREAM else path for path in request.paths]
    found = discover(paths, modules.logs.keys())
    result.files, result.passed_over, result.errors = found.files, found.passed_over, found.errors
    units = list(found.units)
    failed = 0
    for number, capture in enumerate(found.captures):
        folder = work / f"capture-{number}"
        folder.mkdir()
        try:
            sensor = pcap.find_sensor(request.sensor)
            result.sensor = sensor.name
            note(f"{sensor.name} reads {capture} ({capture.stat().st_size:,} bytes)")
            read = pcap.run(capture, folder, sensor)
        except OSError as error:
            # One capture that can't be read doesn't keep the others from being hunted in.
            failed += 1
            if str(error) not in result.errors:
                result.errors.append(str(error))
            continue
        result.errors += read.warnings
        units += discover(map(str, read.logs), modules.logs.keys()).units
    if found.files == failed:
        raise ValueError(
            "; ".join(result.errors) or f"{', '.join(request.paths)}: no logs and no captures there"
        )
    return units


def _spooled_stdin(work: Path) -> str:
    """Standard input as a file, since a hunt reads its input more than once."""
    path = work / "stdin"
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(1 << 20):
            file.write(block)
    return str(path)


def _refusals(report: LoadReport) -> str:
    if not report.refusals:
        return "they are empty"
    first = report.refusals[0]
    return f"{report.refused} refused, first {first.path}:{first.line}: {first.reason}"


def _rejected(rejected: Any) -> dict[str, Any]:
    return {
        "path": rejected.path,
        "offset": rejected.offset,
        "reason": rejected.reason,
        "raw": rejected.raw.decode("utf-8", "backslashreplace"),
    }
