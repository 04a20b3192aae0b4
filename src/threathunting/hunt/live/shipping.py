"""Investigation logs that Zeek itself wrote, with the intel items joined on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from threathunting.hunt.conversations import Reason, files_of, links_of, uids_of
from threathunting.hunt.forms import Format, InvestigationForm
from threathunting.hunt.live.capture import Bounds, Found, Line
from threathunting.hunt.live.flags import FlagTable, Kind, Raised
from threathunting.hunt.live.hunter import Hunter
from threathunting.hunt.matching import Match, time_of
from threathunting.intel.canonical import canonical
from threathunting.intel.message import indicator_type
from threathunting.intel.types import Indicator, IndicatorType, Item, highest_level
from threathunting.plugins import OTHER, Log, strings
from threathunting.records import Batch, Observable, Record

PATIENCE = 3.0
"""Seconds that a record waits for the line of ``intel.log`` that tells why it was captured: Zeek writes each log
on its own."""

_MARK = "threathunting"
_UNVERIFIED = "threathunting_unverified"
"""Zeek's mark of a record that it captured since nobody answered in time whether what it saw is armed."""

_MARKS = frozenset({_MARK, _UNVERIFIED})
_REASONS = frozenset({"threathunting_indicators", "threathunting_where", "threathunting_level"})


@dataclass
class _Waiting:
    source: str
    start: int
    until: float
    log: Log
    record: Record
    raw: bytes | None
    unverified: bool


class Shipping:
    """Turns records of ``*-investigation.log`` into lines: what Zeek captured, and why.

    Why is told by Zeek's ``intel.log`` (by uid or fuid), and by what the record itself matches. A record for
    which neither tells anything within ``PATIENCE`` is shipped all the same, without items; unless it was captured
    unverified: then what it names was seen, and may never have been armed.
    """

    def __init__(
        self,
        origin: str,
        flags: FlagTable,
        hunter: Hunter,
        bounds: Bounds,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """``ready``: whether all intel is armed, so that what isn't there is no indicator."""
        self._origin = origin
        self._flags = flags
        self._hunter = hunter
        self._format: Format = bounds.format
        self._form = InvestigationForm(bounds.format)
        self._waiting: deque[_Waiting] = deque()
        self._ready = ready
        self.unexplained = 0
        """Records shipped without items."""
        self.refuted = 0
        """Records not shipped: captured unverified, and nothing armed explains them."""

    def learn(self, batch: Batch) -> Found:
        """Take in records of ``intel.log``; gives the records that waited for them, and flags to be kept."""
        found = Found()
        for row in range(len(batch)):
            record = batch.record(row)
            reasons = tuple(reasons_of_sighting(self._hunter, record))
            at = time_of(record) or time.time()
            for kind, name in ((Kind.CONVERSATION, "uid"), (Kind.FILE, "fuid")):
                for key in strings(record.get(name)) if reasons else ():
                    raised = Raised(kind, key, self._origin, at, reasons)
                    self._flags.tell(raised)
                    found.flags.append(raised)
        found.add(self.tick(time.monotonic()))
        return found

    def ship(self, batch: Batch, source: str, start: int) -> Found:
        """Take in captured records that begin at ``start`` of ``source``."""
        found = Found()
        if not self._hunter.registry.enabled(batch.log):
            return found
        log = self._hunter.registry.log(batch.log)
        matched = {row: matches for row, _, matches in self._hunter.look(batch)}
        now = time.monotonic()
        for row in range(len(batch)):
            record = batch.record(row)
            own = [
                Reason(hit.indicator, match.observable.where, match.observable.value, hit.items)
                for match in matched.get(row, ())
                for hit in match.hits
            ]
            unverified = record.get(_UNVERIFIED) is True
            named = self._seen(record) if unverified else self._named(record)
            reasons = _each_once((*own, *named, *self._known(log, record)))
            raw = batch.raw(row)
            if reasons:
                self._write(found, log, record, raw, reasons)
            else:
                self._waiting.append(_Waiting(source, start, now + PATIENCE, log, record, raw, unverified))
        return found

    def tick(self, now: float) -> Found:
        """The records whose reasons have come, and those that have waited long enough at ``now`` (monotonic)."""
        found = Found()
        left: deque[_Waiting] = deque()
        for one in self._waiting:
            reasons = self._known(one.log, one.record)
            if one.unverified and not reasons and one.until <= now and self._ready():
                # Once more: it may have been armed, or all the intel read, only meanwhile.
                reasons = _each_once(self._seen(one.record))
                if not reasons:
                    self.refuted += 1
                    continue
            if reasons or (one.until <= now and not one.unverified):
                self.unexplained += not reasons
                self._write(found, one.log, one.record, one.raw, reasons)
            else:
                left.append(one)
        self._waiting = left
        return found

    def write_as(self, format: Format) -> None:
        """Write records in this form from now on."""
        if format != self._format:
            self._format = format
            self._form = InvestigationForm(format)

    def low(self, source: str) -> int | None:
        """Where the first record of a source that still waits begins."""
        return min((one.start for one in self._waiting if one.source == source), default=None)

    def _named(self, record: Record) -> list[Reason]:
        """Why, by what our package for Zeek writes into the record: ``domain evil.example``, and where it was seen."""
        wheres = strings(record.get("threathunting_where"))
        found = []
        for number, text in enumerate(strings(record.get("threathunting_indicators"))):
            name, _, value = text.partition(" ")
            sighting = {
                "ts": record.get("ts"),
                "seen.indicator": value,
                "seen.indicator_type": name,
                "seen.where": wheres[number] if number < len(wheres) else "",
            }
            found += reasons_of_sighting(self._hunter, sighting)
        return found

    def _seen(self, record: Record) -> list[Reason]:
        """What is armed of what an unverified record names: values that were seen, each with its type."""
        wheres = strings(record.get("threathunting_where"))
        at = time_of(record) or time.time()
        hunter, found = self._hunter, []
        for number, text in enumerate(strings(record.get("threathunting_indicators"))):
            name, _, value = text.partition(" ")
            try:
                type = indicator_type(name)
                # Zeek writes some IPv6 addresses another way.
                value = canonical(type, value) if type is IndicatorType.ADDR else value
            except ValueError:
                continue
            with hunter.lock:
                hits = hunter.store.lookup_folded(type, value, at)
            where = wheres[number] if number < len(wheres) else ""
            judged = hunter.policy.judge(Match(Observable(type, value, where), tuple(hits)), at)
            found += [
                Reason(hit.indicator, where, value, hit.items) for hit in (judged.hits if judged else ())
            ]
        return found

    def _known(self, log: Log, record: Record) -> tuple[Reason, ...]:
        keys = [(Kind.CONVERSATION, uid) for uid in uids_of(log, record)]
        keys += [(Kind.FILE, name) for name in (*files_of(log, record), *links_of(log, record))]
        flags = [flag for kind, key in keys if (flag := self._flags.of(kind).get(key)) is not None]
        return tuple(dict.fromkeys(reason for flag in flags for reason in flag.reasons))

    def _write(
        self, found: Found, log: Log, record: Record, raw: bytes | None, reasons: tuple[Reason, ...]
    ) -> None:
        key = next(iter((*uids_of(log, record), *files_of(log, record))), "")
        level = highest_level(tuple(item for reason in reasons for item in reason.items))
        # Zeek's own marks, which our line bears in our form: so the record and its id are the same however and
        # when its conversation was flagged.
        own = _MARKS | _REASONS if reasons else _MARKS
        if not own.isdisjoint(record):
            record = {name: value for name, value in record.items() if name not in own}
            raw = None
        data = self._form.line(log, record, raw, reasons)[:-1]
        module = self._hunter.registry.module_of.get(log.name, OTHER)
        found.lines.append(Line(f"{log.name}-investigation", key, level, module, data))


def _each_once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """One reason of each indicator and place: those that come first know best what value was seen."""
    found: dict[tuple[Indicator, str], Reason] = {}
    for reason in reasons:
        found.setdefault((reason.indicator, reason.where), reason)
    return tuple(found.values())


def reasons_of_sighting(hunter: Hunter, record: Record) -> list[Reason]:
    """Why, by a record of ``intel.log`` (Zeek's Intel::Info): the items that are armed, else its sources."""
    value, where = record.get("seen.indicator"), record.get("seen.where")
    if not isinstance(value, str):
        return []
    try:
        type = indicator_type(str(record.get("seen.indicator_type", "")))
        value = canonical(type, value)
    except ValueError:
        return []
    at = time_of(record) or time.time()
    with hunter.lock:
        hits = hunter.store.lookup(type, value, at)
    policy = hunter.policy
    reasons = [
        Reason(hit.indicator, str(where or ""), value, tuple(map(policy.levelled, hit.items))) for hit in hits
    ]
    if not reasons and (sources := strings(record.get("sources"))):
        items = tuple(policy.levelled(Item(source)) for source in sorted(sources))
        reasons = [Reason(Indicator(type, value), str(where or ""), value, items)]
    return reasons
