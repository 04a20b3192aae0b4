"""Wires a hunt in the sensor: Zeek itself hunts in captures, and the intel items are joined on to what it captured."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from threathunting.hunt.conversations import Flags, files_of, uids_of
from threathunting.hunt.engine import Outcome, Progress, Results
from threathunting.hunt.forms import encoded, intel_entry, record_id
from threathunting.hunt.live.capture import Bounds
from threathunting.hunt.live.flags import FlagTable
from threathunting.hunt.live.hunter import Hunter, Policy
from threathunting.hunt.live.shipping import Shipping, reasons_of_sighting
from threathunting.hunt.matching import Match
from threathunting.hunt.passes import SIGHTINGS, Spool
from threathunting.intel.message import indicator_type
from threathunting.intel.store import Hit
from threathunting.intel.types import highest_level
from threathunting.plugins import Registry
from threathunting.records import Batch, Observable, ReadReport, Record, Wanted
from threathunting.sensors.batches import DictBatch
from threathunting.sensors.discover import discover
from threathunting.sensors.log_names import from_file_name
from threathunting.sensors.zeek_json import JsonForm, JsonLog
from threathunting.service import intel, zeek_capture
from threathunting.service.hunting import (
    STREAM,
    Request,
    Result,
    _refusals,
    _rejected,
    _spooled_stdin,
    registry,
)
from threathunting.service.zeek_capture import BODY_BYTES, Asked, Hunted
from threathunting.service.zeek_package import Zeek, find_zeek, modules_of, package
from threathunting.sinks.jsonl import Folder, Nothing, Stream

_OPTION = "--in-sensor"

_MARKS = frozenset({"threathunting_indicators", "threathunting_where", "threathunting_level"})
"""Fields of Zeek's investigation logs that tell why a record is there."""


def run(
    request: Request,
    progress: Progress,
    note: Callable[[str], None],
    stdout: BinaryIO,
    body_bytes: int | None = None,
) -> Result:
    """Hunt in Zeek; else as ``hunting.run``. ``body_bytes`` (65,536 unless told) are captured of each HTTP body."""
    began = time.monotonic()
    result = Result()
    modules = registry(request.modules)
    hunted_with = _modules(request, modules)
    zeek = _zeek(request)
    store, result.intel = intel.read(request.intel, request.allow, request.warninglists, request.intel_format)
    result.indicators, result.intel_seconds = len(store), time.monotonic() - began
    if not len(store):
        raise ValueError(
            f"no intel to hunt with: {', '.join(request.intel)} gave no indicator ({_refusals(result.intel)})"
        )
    out: Folder | Stream | Nothing
    if request.out is None:
        out = Nothing()
    elif request.out == STREAM:
        out = Stream(stdout)
    else:
        out = Folder(Path(request.out))
    near = out.path if isinstance(out, Folder) else None
    with tempfile.TemporaryDirectory(prefix=".threathunting-", dir=near) as folder:
        work = Path(folder).absolute()
        captures = _captures(request, modules, work, result)
        items = work / "items.jsonl"
        zeek_capture.write_items(store, items)
        bodies = BODY_BYTES if body_bytes is None else body_bytes
        asked = Asked(items, hunted_with, request.max_conversations, bodies)
        join = _Join(Hunter(store, modules, Policy()), request, out)
        result.outcome, result.sensor = join.outcome, "Zeek"
        progress.begin("hunting in Zeek", sum(capture.stat().st_size for capture in captures))
        failed = 0
        try:
            for number, capture in enumerate(captures):
                note(f"Zeek {zeek.version} hunts in {capture} ({capture.stat().st_size:,} bytes)")
                failed += not _hunt(zeek, capture, work / f"capture-{number}", asked, join, result)
                progress.advance(capture.stat().st_size)
            result.complete = True
        except KeyboardInterrupt:
            note("interrupted: what was found so far is kept")
        finally:
            join.outcome.tally.count_conversations(join.outcome.conversations)
            result.seconds = time.monotonic() - began
            if isinstance(out, Folder):
                out.rejected([_rejected(rejected) for rejected in join.outcome.report.rejected])
                out.summary(result.summary())
        if failed == len(captures):
            raise ValueError("; ".join(result.errors))
    return result


def _hunt(zeek: Zeek, capture: Path, folder: Path, asked: Asked, join: _Join, result: Result) -> bool:
    """Hunt in one capture. False where that failed, which doesn't keep others from being hunted in."""
    folder.mkdir()
    try:
        hunted = zeek_capture.hunt(zeek, capture, folder, asked)
    except KeyboardInterrupt:
        join.take(Hunted(folder))
        raise
    except OSError as error:
        result.errors.append(str(error))
        return False
    result.errors += hunted.warnings
    if hunted.records and hunted.armed < result.indicators:
        result.errors.append(f"{capture}: Zeek armed {hunted.armed:,} of {result.indicators:,} indicators")
    if bodies := hunted.dropped.get("bodies"):
        result.errors.append(
            f"{capture}: {bodies:,} HTTP bodies beyond Zeek's memory for them were not captured"
        )
    join.take(hunted)
    return True


def _modules(request: Request, modules: Registry) -> frozenset[str]:
    """The modules that Zeek hunts with. ValueError says what of a request doesn't go together."""
    if request.scope != "conversation":
        raise ValueError(f"{_OPTION} captures whole conversations: leave out --scope {request.scope}")
    ours = modules_of(package())
    if request.modules is None:
        return ours
    if missing := sorted(modules.modules - ours):
        raise ValueError(
            f"{_OPTION} can't hunt with {', '.join(missing)}: the package for Zeek has {', '.join(sorted(ours))}"
        )
    return modules.modules


def _zeek(request: Request) -> Zeek:
    """The Zeek to hunt in. ValueError where there is none that can."""
    if request.sensor not in (None, "zeek"):
        raise ValueError(f"{_OPTION} hunts in Zeek: leave out --sensor {request.sensor}")
    try:
        zeek = find_zeek(None)
    except FileNotFoundError as error:
        raise ValueError(f"{_OPTION} needs Zeek: {error}") from None
    if zeek.is_too_old:
        raise ValueError(zeek.too_old())
    return zeek


def _captures(request: Request, modules: Registry, work: Path, result: Result) -> list[Path]:
    """The captures that the paths lead to. ValueError where a log is named, or there are none."""
    paths = [_spooled_stdin(work) if path == STREAM else path for path in request.paths]
    found = discover(paths, modules.logs.keys())
    logs = sorted({unit.path for unit in found.units})
    named = [path for path in logs if path in paths]
    if named:
        what = "standard input" if Path(named[0]).parent == work else named[0]
        raise ValueError(f"{_OPTION} hunts in captures, and {what} is a log: leave out {_OPTION}")
    result.files, result.errors = len(found.captures), found.errors
    result.passed_over = [*found.passed_over, *logs]
    if not found.captures:
        raise ValueError("; ".join(found.errors) or f"{', '.join(request.paths)}: no captures there")
    return found.captures


class _Join:
    """Puts what Zeek wrote into the results, with the intel items that it is about. ``outcome`` grows meanwhile."""

    def __init__(self, hunter: Hunter, request: Request, results: Results) -> None:
        self._hunter = hunter
        self._bounds = Bounds(format=request.format)
        self._limit = request.max_conversations
        self._results = results
        self.outcome = Outcome(conversations=Flags(self._limit), files=Flags(self._limit))

    def take(self, hunted: Hunted) -> None:
        """Take in what hunting in a capture gave."""
        folder = hunted.folder / "joined"
        folder.mkdir()
        outcome = self.outcome
        report = ReadReport()
        shipping = Shipping("zeek", FlagTable(self._limit), self._hunter, self._bounds)
        spool = Spool(folder, "lines")
        for batch in _batches(hunted.sightings, SIGHTINGS, {}, report):
            shipping.learn(batch)
            for line in self._sightings(batch):
                spool.write(SIGHTINGS, line)
        met: set[tuple[str, str]] = set()
        for path in hunted.investigations:
            for batch in _batches(path, from_file_name(path) or path.stem, self._hunter.wanted(), report):
                self._write(spool, shipping.ship(self._once(batch, met), path.name, 0).lines)
        # Zeek has ended, so nothing more is coming that a record could wait for.
        self._write(spool, shipping.tick(math.inf).lines)
        spool.close()
        report.records, report.bytes, report.consumed = hunted.records, hunted.bytes, 0
        outcome.report.add(report)
        outcome.conversations.dropped_keys += hunted.dropped.get("conversations", 0)
        outcome.files.dropped_keys += hunted.dropped.get("files", 0)
        outcome.conversations.dropped_reasons += hunted.dropped.get("reasons", 0)
        for log, path in spool.paths.items():
            if log == SIGHTINGS:
                outcome.sightings += spool.counts[log]
                self._results.sightings(path)
            else:
                outcome.captured[log] = outcome.captured.get(log, 0) + spool.counts[log]
                self._results.investigations(log, path)

    def _sightings(self, batch: Batch) -> Iterator[bytes]:
        """Lines of ``intel.log``. What Zeek says twice of the same moment is one."""
        at, met = None, set[str]()
        for row in range(len(batch)):
            record = batch.record(row)
            identity = record_id(SIGHTINGS, record)
            if record.get("ts") != at:
                at = record.get("ts")
                met.clear()
            if identity not in met:
                met.add(identity)
                yield self._sighting(record, identity)

    def _sighting(self, record: Record, identity: str) -> bytes:
        reasons = reasons_of_sighting(self._hunter, record)
        line: dict[str, Any] = dict(record)
        for name in ("matched", "sources"):
            if isinstance(told := record.get(name), list):
                line[name] = sorted(map(str, told))
        if reasons:
            line["level"] = highest_level(tuple(item for reason in reasons for item in reason.items))
            seen = Observable(
                indicator_type(str(record["seen.indicator_type"])), reasons[0].value, reasons[0].where
            )
            hits = tuple(Hit(reason.indicator, reason.items) for reason in reasons)
            self.outcome.tally.count(record, Match(seen, hits))
        line["intel"] = [
            intel_entry(reason.indicator.value, reason.indicator.type.zeek_name, item)
            for reason in reasons
            for item in reason.items
        ]
        line["sighting_id"] = identity
        if isinstance(uid := record.get("uid"), str):
            self.outcome.conversations.add(uid, reasons)
        elif isinstance(fuid := record.get("fuid"), str):
            self.outcome.files.add(fuid, reasons)
        return encoded(line) + b"\n"

    def _once(self, batch: Batch, met: set[tuple[str, str]]) -> Batch:
        """The records of a batch, those of files alone (certificates) once for each."""
        log = self._hunter.registry.log(batch.log)
        conversations = self.outcome.conversations
        kept = []
        for row in range(len(batch)):
            record = batch.record(row)
            uids = uids_of(log, record)
            name = next(iter(files_of(log, record)), None)
            if not uids and name is not None:
                if (log.name, name) in met:
                    continue
                met.add((log.name, name))
            for uid in uids:
                if uid not in conversations.by_key:
                    conversations.add(uid, ())
            if any(conversations.by_key.get(uid) for uid in uids):
                # Why is told by intel.log, and better: with the value that was seen.
                record = {field: value for field, value in record.items() if field not in _MARKS}
            kept.append(record)
        return DictBatch(batch.log, kept)

    def _write(self, spool: Spool, lines: list[Any]) -> None:
        for line in lines:
            spool.write(line.log, line.data + b"\n")


def _batches(path: Path, log: str, wanted: Wanted, report: ReadReport) -> Iterator[Batch]:
    """The records of a log that Zeek wrote in JSON; none where there is no such file."""
    if path.exists():
        yield from JsonLog(path, path.stat().st_size, JsonForm(log)).batches(wanted, report)
