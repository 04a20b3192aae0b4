"""Capturing whole conversations from one stream of records as they come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from threathunting.hunt.columns import held_in, rows_holding
from threathunting.hunt.conversations import Reason, files_of, links_of, uids_of
from threathunting.hunt.forms import Format, InvestigationForm, sighting_line
from threathunting.hunt.live.flags import Flag, FlagTable, Kind, Raised
from threathunting.hunt.live.hunter import Hunter
from threathunting.hunt.live.window import Held, Window
from threathunting.hunt.matching import Match, time_of
from threathunting.hunt.passes import SIGHTINGS, Scope
from threathunting.intel.types import highest_level
from threathunting.plugins import OTHER, Log
from threathunting.records import Batch, Record

EARLIEST = 946_684_800.0
"""The year 2000: an earlier time is that of a sensor whose clock isn't set yet, and doesn't move the stream's."""

AHEAD = 300.0
"""Seconds that a record's time may be ahead of ours; what is further ahead doesn't move the stream's time."""


@dataclass(frozen=True)
class Bounds:
    """How much of the past is held: seconds of the stream's time, and bytes."""

    seconds: float = 60.0
    bytes: int = 256_000_000
    scope: Scope = "conversation"
    format: Format = "ecs"


class Line(NamedTuple):
    """A result: JSON without line end, the log it is a line of, and the key that keeps a conversation together."""

    log: str
    key: str
    level: str
    module: str
    data: bytes


@dataclass
class Found:
    """What came of some records: lines in order, and flags for others to be told."""

    lines: list[Line] = field(default_factory=list)
    flags: list[Raised] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Put another's behind."""
        self.lines += other.lines
        self.flags += other.flags


class Capture:
    """One stream (a partition; the files of a host): its window, and what of it is captured.

    Records of a flagged conversation are captured as they come; those that came before the flag are found in
    the window. Each is captured once. What follows a flag may come in several streams: ``flags`` is shared,
    and this stream acts on its own flags at once and on others' when it is told of them (``told``), in the one
    order in which all are told. So after a restart the same records are known as captured: those of flags that
    this stream raised, and of others' before the place ``upto`` that was kept with its position.
    """

    def __init__(self, origin: str, flags: FlagTable, hunter: Hunter, bounds: Bounds, upto: int = 0) -> None:
        self.origin = origin
        self.upto = upto
        self.window = Window(bounds.seconds, bounds.bytes)
        self.time = 0.0
        """The stream's own time: the latest ``ts``, in seconds since the epoch."""
        self._flags = flags
        self._hunter = hunter
        self._scope = bounds.scope
        self._format: Format = bounds.format
        self._form = InvestigationForm(bounds.format)
        self._work: dict[Kind, dict[str, None]] = {}
        self._found = Found()

    def take(self, batch: Batch, source: str, start: int, size: int, again: bool = False) -> Found:
        """Hunt in a batch of about ``size`` bytes that begins at ``start`` of ``source``.

        ``again``: it was hunted in before a restart; it only fills the window, and gives nothing.
        """
        hunter = self._hunter
        if not len(batch) or not hunter.registry.enabled(batch.log):
            return Found()
        log = hunter.registry.log(batch.log)
        sighted = [] if again else hunter.look(batch)
        if self._scope == "record":
            for row, record, matches in sighted:
                self._sight(log, record, matches)
                self._write(log, record, batch.raw(row), _reasons(matches))
            return self._taken()
        self._pass_time(batch)
        held = self.window.hold(log, batch, source, start, size, self.time)
        for row, record, matches in sighted:
            self._sight(log, record, matches)
            self._flag_sighted(held, row, record, _reasons(matches))
        # First what came before, so that results are in the stream's order.
        self._search()
        self._follow(held, again)
        self._search()
        return Found() if again else self._taken()

    def told(self, place: int, keys: Iterable[tuple[Kind, str]]) -> Found:
        """Act on flags of other streams, all of them that stand before ``place``."""
        self.upto = max(self.upto, place)
        for kind, key in keys:
            self._work.setdefault(kind, {})[key] = None
        self._search()
        return self._taken()

    def catch_up(self, place: int) -> Found:
        """After a restart: act on what has been told since this stream's position was kept."""
        new = [
            (kind, key)
            for kind, key, flag in self._flags.all()
            if not flag.known(self.origin, self.upto) and flag.known(self.origin, place)
        ]
        return self.told(place, new)

    def write_as(self, format: Format) -> None:
        """Write captured records in this form from now on."""
        if format != self._format:
            self._format = format
            self._form = InvestigationForm(format)

    def low(self, source: str) -> int | None:
        """Where reading of a source must begin after a restart, or None for where it stands now."""
        return self.window.low(source)

    def _taken(self) -> Found:
        found, self._found = self._found, Found()
        return found

    def _pass_time(self, batch: Batch) -> None:
        at = max(time_of(batch.record(len(batch) - 1)), time_of(batch.record(0)))
        now = time.time()
        if EARLIEST <= at <= now + AHEAD:
            self.time = max(self.time, at)
        elif not self.time:
            self.time = now

    # Sightings

    def _sight(self, log: Log, record: Record, matches: Sequence[Match]) -> None:
        key = next(iter((*uids_of(log, record), *files_of(log, record))), "")
        for match in matches:
            level = highest_level(tuple(item for hit in match.hits for item in hit.items))
            line = sighting_line(log, record, match)[:-1]
            self._found.lines.append(Line(SIGHTINGS, key, level, self._module(log), line))

    def _flag_sighted(self, held: Held, row: int, record: Record, reasons: tuple[Reason, ...]) -> None:
        log = held.log
        uids = uids_of(log, record)
        for uid in uids:
            self._raise(Kind.CONVERSATION, uid, reasons)
        if not uids:
            names = files_of(log, record)
            spent = self._flags.of(Kind.SPENT)
            # A certificate is sighted whenever it is shown, and captured once.
            fresh = not names or any(_spent(log, name) not in spent for name in names)
            for name in names:
                self._raise(Kind.FILE, name, reasons)
                self._raise(Kind.BELONGS, name, reasons)
                self._raise(Kind.SPENT, _spent(log, name), ())
            if fresh:
                self._capture(held, row, reasons, False)

    # Flags

    def _raise(self, kind: Kind, key: str, reasons: tuple[Reason, ...]) -> None:
        flag = self._known(kind, key)
        if flag is not None and all(reason in flag.reasons for reason in reasons):
            self._touch(kind, key, flag)
            return
        self._tell(Raised(kind, key, self.origin, self.time, reasons))
        if flag is None:
            self._work.setdefault(kind, {})[key] = None

    def _touch(self, kind: Kind, key: str, flag: Flag) -> None:
        if self._flags.touch(kind, key, self.time):
            self._tell(Raised(kind, key, self.origin, self.time, flag.reasons))

    def _tell(self, raised: Raised) -> None:
        self._flags.tell(raised)
        self._found.flags.append(raised)

    def _known(self, kind: Kind, key: str) -> Flag | None:
        flag = self._flags.of(kind).get(key)
        return flag if flag is not None and flag.known(self.origin, self.upto) else None

    def _follow(self, held: Held, again: bool) -> None:
        """Capture what flags say of records that have just come."""
        log, batch = held.log, held.batch
        columns = held.columns
        if log.uids:
            sighted = self._flags.of(Kind.FILE)
            if sighted and not again:
                naming = tuple(dict.fromkeys((*log.links, *log.files)))
                for row in _rows(columns, naming, sighted):
                    self._link(held, row, sighted)
            conversations = self._flags.of(Kind.CONVERSATION)
            for row in _rows(columns, log.uids, conversations):
                self._capture_by_uid(held, row, again)
        elif log.files and not again:
            belonging = self._flags.of(Kind.BELONGS)
            for row in _rows(columns, log.files, belonging):
                self._capture_file(held, row, files_of(log, batch.record(row)))

    def _link(self, held: Held, row: int, files: Iterable[str]) -> None:
        """A record with uid that names sighted files: these flag its conversation."""
        log, record = held.log, held.batch.record(row)
        for name in (*links_of(log, record), *files_of(log, record)):
            if name in files and (flag := self._known(Kind.FILE, name)) is not None:
                for uid in uids_of(log, record):
                    self._raise(Kind.CONVERSATION, uid, flag.reasons)

    def _search(self) -> None:
        """Find in the window what newly known flags are about, until nothing more comes of it."""
        while self._work:
            work, self._work = self._work, {}
            wanted = set().union(*work.values())
            conversations = work.get(Kind.CONVERSATION, {})
            files = work.get(Kind.FILE, {})
            belonging = work.get(Kind.BELONGS, {})
            last: dict[str, tuple[Held, int]] = {}
            for held in list(self.window):
                if held.keys.isdisjoint(wanted):
                    continue
                log = held.log
                here = held.keys & wanted
                if log.uids:
                    if named := here & files.keys():
                        for row in sorted(held.rows((*log.links, *log.files), named)):
                            self._link(held, row, named)
                    if uids := here & conversations.keys():
                        for row in sorted(held.rows(log.uids, uids)):
                            self._capture_by_uid(held, row, False)
                elif names := here & belonging.keys():
                    for name in names:
                        for row in held.rows(log.files, (name,)):
                            # The nearest one: certificates come just before what names them.
                            last[_spent(log, name)] = (held, row)
            for found, row in last.values():
                self._capture_file(found, row, files_of(found.log, found.batch.record(row)))

    # Capture

    def _capture_by_uid(self, held: Held, row: int, again: bool) -> None:
        if row in held.done:
            return
        values = [held.columns[name][row] for name in held.log.uids]
        uids = [uid for value in values for uid in (value if isinstance(value, list) else [value]) if uid]
        flags = [flag for uid in uids if (flag := self._known(Kind.CONVERSATION, uid)) is not None]
        if not flags:
            return
        if not again:
            for uid in uids:
                if (flag := self._known(Kind.CONVERSATION, uid)) is not None:
                    self._touch(Kind.CONVERSATION, uid, flag)
        reasons = flags[0].reasons
        if len(flags) > 1:
            reasons = tuple(dict.fromkeys(reason for flag in flags for reason in flag.reasons))
        self._capture(held, row, reasons, again)

    def _capture_file(self, held: Held, row: int, names: Sequence[str]) -> None:
        if row in held.done:
            return
        spent = self._flags.of(Kind.SPENT)
        for name in names:
            flag = self._known(Kind.BELONGS, name)
            if flag is not None and _spent(held.log, name) not in spent:
                self._raise(Kind.SPENT, _spent(held.log, name), ())
                self._capture(held, row, flag.reasons, False)
                return

    def _capture(self, held: Held, row: int, reasons: tuple[Reason, ...], again: bool) -> None:
        if row in held.done or not self._hunter.registry.enabled(held.log.name):
            return
        held.done.add(row)
        if again:
            return
        log, record = held.log, held.batch.record(row)
        self._write(log, record, held.batch.raw(row), reasons)
        for name in dict.fromkeys((*links_of(log, record), *files_of(log, record))):
            self._raise(Kind.BELONGS, name, reasons)

    def _write(self, log: Log, record: Record, raw: bytes | None, reasons: tuple[Reason, ...]) -> None:
        key = next(iter((*uids_of(log, record), *files_of(log, record))), "")
        level = highest_level(tuple(item for reason in reasons for item in reason.items))
        data = self._form.line(log, record, raw, reasons)[:-1]
        self._found.lines.append(Line(f"{log.name}-investigation", key, level, self._module(log), data))

    def _module(self, log: Log) -> str:
        return self._hunter.registry.module_of.get(log.name, OTHER)


def _spent(log: Log, name: str) -> str:
    return f"{log.name}|{name}"


def _reasons(matches: Sequence[Match]) -> tuple[Reason, ...]:
    return tuple(
        Reason(hit.indicator, match.observable.where, match.observable.value, hit.items)
        for match in matches
        for hit in match.hits
    )


def _rows(columns: dict[str, Sequence[object]], fields: Iterable[str], flagged: dict[str, Flag]) -> list[int]:
    """The rows of which one of ``fields`` holds a flagged key, in order."""
    if not flagged:
        return []
    rows: set[int] = set()
    for name in fields:
        column = columns[name]
        held = held_in(column, flagged)
        if held is None or held:
            rows.update(rows_holding(column, flagged if held is None else held))
    return sorted(rows)
