"""The passes over a unit: look for sightings, link files to conversations, capture.

Each runs in a worker, on one unit, and leaves its lines in spool files: what it returns stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from threathunting.hunt.columns import held_in, rows_holding
from threathunting.hunt.conversations import Flags, Reason, files_of, links_of, uids_of
from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.forms import Format, InvestigationForm, sighting_line
from threathunting.hunt.matching import Match
from threathunting.hunt.tally import Tally
from threathunting.plugins import Log, Registry
from threathunting.records import Batch, ReadReport, Unit, Wanted

Scope = Literal["conversation", "record"]
Tick = Callable[[int], None]
"""Told how many more bytes on disk are done."""


class Spool:
    """Lines of one unit and pass, a file per log, waiting in a folder to be put in order."""

    def __init__(self, folder: Path, name: str) -> None:
        """Write to ``folder`` under ``name``; files are made when a first line comes."""
        self._folder = folder
        self._name = name
        self._files: dict[str, BinaryIO] = {}
        self.paths: dict[str, Path] = {}
        self.counts: dict[str, int] = {}

    def write(self, log: str, line: bytes) -> None:
        """Add a whole line, with its line end, to a log's file."""
        file = self._files.get(log)
        if file is None:
            path = self._folder / f"{self._name}.{len(self.paths)}"
            file = self._files[log] = path.open("wb", buffering=256 * 1024)
            self.paths[log] = path
            self.counts[log] = 0
        file.write(line)
        self.counts[log] += 1

    def close(self) -> None:
        """Write out what is held. Raises OSError where the disk doesn't take it."""
        for file in self._files.values():
            file.close()


@dataclass
class Looked:
    """What looking at a unit gave."""

    report: ReadReport = field(default_factory=ReadReport)
    tally: Tally = field(default_factory=Tally)
    conversations: Flags = field(default_factory=Flags)
    files: Flags = field(default_factory=Flags)
    """Files that were sighted in a record without uid: their conversations are still to be found."""
    sightings: int = 0
    spooled: dict[str, Path] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)


@dataclass
class Captured:
    """What capturing from a unit gave: files of lines and their number, per log, and files that belong to it."""

    files: Flags = field(default_factory=Flags)
    spooled: dict[str, Path] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    """Per log of files, each line's name of its file, so that the same file isn't written twice."""


SIGHTINGS = "intel"
"""The log name under which sightings are spooled."""


def look(
    unit: Unit, matcher: FastMatcher, registry: Registry, spool: Spool, scope: Scope, form: Format, tick: Tick
) -> Looked:
    """Find the sightings of a unit. With scope ``record``, the records that matched are captured right here."""
    looked = Looked()
    writer = InvestigationForm(form) if scope == "record" else None
    for batch in _read(unit, matcher.wanted(), looked.report, tick):
        log = registry.log(batch.log)
        for row, record, matches in matcher.matches(batch):
            reasons = _reasons(matches)
            for match in matches:
                spool.write(SIGHTINGS, sighting_line(log, record, match))
                looked.tally.count(record, match)
            looked.sightings += len(matches)
            uids = uids_of(log, record)
            for uid in uids:
                looked.conversations.add(uid, reasons)
            for name in () if uids else files_of(log, record):
                looked.files.add(name, reasons)
            if writer is not None:
                spool.write(f"{log.name}-investigation", writer.line(log, record, batch.raw(row), reasons))
    spool.close()
    looked.spooled = spool.paths
    looked.captured = {log: count for log, count in spool.counts.items() if log != SIGHTINGS}
    return looked


def link(unit: Unit, files: Flags, registry: Registry, tick: Tick) -> Flags:
    """The conversations of this unit that name one of ``files`` as theirs."""
    found = Flags()
    wanted: dict[str, tuple[str, ...]] = {"*": ()}
    for name, log in registry.logs.items():
        keys = _link_fields(log)
        wanted[name] = keys
    for batch in _read(unit, wanted, ReadReport(), tick):
        log = registry.log(batch.log)
        keys = _link_fields(log)
        if not keys:
            continue
        for row in _rows_naming(batch, keys, files):
            record = batch.record(row)
            for name in (*links_of(log, record), *files_of(log, record)):
                if name in files.by_key:
                    for uid in uids_of(log, record):
                        found.add(uid, files.by_key[name])
    return found


def capture(
    unit: Unit, conversations: Flags, registry: Registry, spool: Spool, form: Format, tick: Tick
) -> Captured:
    """Capture the unit's records of flagged conversations, and learn which files these have.

    Records that only a file's name ties to a conversation are left to ``capture_files``.
    """
    captured = Captured()
    writer = InvestigationForm(form)
    wanted: dict[str, tuple[str, ...]] = {name: log.uids for name, log in registry.logs.items()}
    wanted["*"] = registry.log("").uids
    for batch in _read(unit, wanted, ReadReport(), tick):
        if not registry.enabled(batch.log):
            continue
        log = registry.log(batch.log)
        for row in _rows_naming(batch, log.uids, conversations):
            record = batch.record(row)
            reasons = _of(conversations, uids_of(log, record))
            spool.write(f"{log.name}-investigation", writer.line(log, record, batch.raw(row), reasons))
            for name in (*links_of(log, record), *files_of(log, record)):
                captured.files.add(name, reasons)
    spool.close()
    captured.spooled, captured.captured = spool.paths, spool.counts
    return captured


def capture_files(
    unit: Unit, files: Flags, registry: Registry, spool: Spool, form: Format, tick: Tick
) -> Captured:
    """Capture the unit's records that have no uid but are a file of a captured conversation (x509, pe, ocsp)."""
    captured = Captured()
    writer = InvestigationForm(form)
    wanted: dict[str, tuple[str, ...]] = {
        name: tuple(dict.fromkeys((*log.files, *log.uids))) for name, log in registry.logs.items()
    }
    wanted["*"] = ()
    for batch in _read(unit, wanted, ReadReport(), tick):
        log = registry.log(batch.log)
        if not log.files or not registry.enabled(batch.log):
            continue
        for row in _rows_naming(batch, log.files, files):
            record = batch.record(row)
            if uids_of(log, record):
                continue
            names = [name for name in files_of(log, record) if name in files.by_key]
            path = f"{log.name}-investigation"
            spool.write(path, writer.line(log, record, batch.raw(row), _of(files, tuple(names))))
            captured.names.setdefault(path, []).append(names[0])
    spool.close()
    captured.spooled, captured.captured = spool.paths, spool.counts
    return captured


def _read(unit: Unit, wanted: Wanted, report: ReadReport, tick: Tick) -> Iterator[Batch]:
    done = 0
    try:
        for batch in unit.batches(wanted, report):
            yield batch
            tick(report.consumed - done)
            done = report.consumed
    except OSError as error:
        report.errors.append(f"{unit.path} can't be read on: {(error.strerror or str(error)).lower()}")
    tick(max(unit.size, done) - done)


def _reasons(matches: list[Match]) -> list[Reason]:
    return [
        Reason(hit.indicator, match.observable.where, match.observable.value, hit.items)
        for match in matches
        for hit in match.hits
    ]


def _of(flags: Flags, keys: tuple[str, ...]) -> tuple[Reason, ...]:
    if len(keys) == 1:
        return flags.by_key[keys[0]]
    return tuple(dict.fromkeys(reason for key in keys for reason in flags.by_key.get(key, ())))


def _link_fields(log: Log) -> tuple[str, ...]:
    """The fields of records with uid by which a file's conversation is found."""
    return tuple(dict.fromkeys((*log.links, *log.files))) if log.uids else ()


def _rows_naming(batch: Batch, fields: tuple[str, ...], flags: Flags) -> list[int]:
    """The rows of which one of ``fields`` holds a flagged key."""
    flagged = flags.by_key
    rows: set[int] = set()
    for name in fields:
        held = held_in(batch.values(name), flagged)
        if held is None or held:
            rows.update(rows_holding(batch.column(name), flagged if held is None else held))
    return sorted(rows)
