"""EVE files as a unit that a worker reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from threathunting.records import Batch, ReadReport, Record, Rejected, Wanted
from threathunting.sensors.batches import KEPT_BYTES, DictBatch, repaired
from threathunting.sensors.eve.converter import EveConverter, logs_of
from threathunting.sensors.eve.values import Event
from threathunting.sensors.lines import Span, blocks

BATCH_ROWS = 2000
"""Records held back before they are handed on, over all logs, so that the logs keep step with each other."""

_KIND = re.compile(rb'"event_type":"([a-z0-9_]+)"')
_decoder = msgspec.json.Decoder()


def looks_like_eve(line: bytes) -> bool:
    """Whether a log's first line is an EVE event (or the beginning of a very long one)."""
    try:
        event = repaired(line)
    except ValueError:
        return line.lstrip().startswith(b"{") and b'"timestamp":"' in line and _KIND.search(line) is not None
    return isinstance(event.get("event_type"), str) and isinstance(event.get("timestamp"), str)


class EveReader:
    """Reads blocks of lines of an EVE file, one after the other, as what later events need is remembered."""

    def __init__(self, converter: EveConverter | None = None) -> None:
        """Begin with nothing remembered, or with what ``converter`` remembers."""
        self.converter = converter or EveConverter()
        self._rows = _Rows({})

    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport
    ) -> Iterator[Batch]:
        """The records of a block that begins at ``offset`` of ``path``; some of them stay behind for ``rest``.

        Lines of event types that no wanted log needs are passed over undecoded.
        """
        rows = self._rows
        rows.want(wanted)
        dns = self.converter.dns
        at = offset
        for line in _lines(block):
            event = None if rows.unwanted(line) else _event(line, at, path, report)
            if event is not None:
                dns.place = at
                rows.add(self.converter.convert(event))
            at += len(line)
            if rows.count >= BATCH_ROWS:
                yield from rows.batches()
        report.records += rows.passed_over
        rows.passed_over = 0

    def rest(self, given_up: Iterable[tuple[str, Record]] = ()) -> Iterator[Batch]:
        """The records that stayed behind, and these that the converter has given up on."""
        self._rows.add(list(given_up))
        yield from self._rows.batches()


@dataclass(frozen=True)
class EveUnit:
    """A Suricata EVE file, plain or compressed. See ``records.Unit``.

    It is read whole by one worker, as queries and answers may stand far from each other. Of a file that
    grows the first ``size`` bytes are read.
    """

    file: Path
    size: int

    @property
    def path(self) -> str:
        """See ``records.Unit``."""
        return str(self.file)

    def logs(self) -> frozenset[str] | None:
        """None: what an event gives is known when it is read."""
        return None

    def batches(self, wanted: Wanted, report: ReadReport) -> Iterator[Batch]:
        """See ``records.Unit``."""
        reader = EveReader()
        for offset, block in blocks(self.file, Span(limit=self.size), report):
            report.bytes += len(block)
            yield from reader.read(block, offset, self.file, wanted, report)
        yield from reader.rest(reader.converter.flush())


def _event(line: bytes, offset: int, path: Path, report: ReadReport) -> Event | None:
    """A line's event; None, and counted in the report, where it has none."""
    if not line.strip():
        return None
    try:
        event: Any = _decoder.decode(line)
        if not isinstance(event, dict):
            event = repaired(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        if not line.endswith(b"\n"):
            report.unfinished += 1
            return None
        try:
            event = repaired(line)
        except ValueError as error:
            report.reject(Rejected(str(path), offset, str(error), line[:KEPT_BYTES]))
            return None
        report.repaired_records += 1
    if not isinstance(event.get("event_type"), str):
        report.reject(Rejected(str(path), offset, "not an EVE event: no event_type", line[:KEPT_BYTES]))
        return None
    report.records += 1
    found: Event = event
    return found


def _lines(block: bytes) -> Iterator[bytes]:
    """The lines of a block, with their ends. ``splitlines`` would cut at a stray CR, too."""
    at = 0
    while (end := block.find(b"\n", at)) >= 0:
        yield block[at : end + 1]
        at = end + 1
    if at < len(block):
        yield block[at:]


class _Rows:
    """Records on their way into batches, by log."""

    def __init__(self, wanted: Wanted) -> None:
        self.count = 0
        self.passed_over = 0
        """Lines passed over, whose events count as records all the same."""
        self._wanted = wanted
        self._skip: dict[bytes, bool] = {}
        self._logs: dict[str, list[Record]] = {}

    def want(self, wanted: Wanted) -> None:
        """From now on these logs are wanted."""
        if wanted is not self._wanted:
            self._wanted = wanted
            self._skip.clear()

    def unwanted(self, line: bytes) -> bool:
        """Whether a line is whole and of an event type that no wanted log needs."""
        if "*" in self._wanted or not line.endswith(b"}\n"):
            return False
        # Suricata writes the type near the line's begin; elsewhere quotes would be escaped.
        found = _KIND.search(line, 0, 400)
        if found is None:
            return False
        skip = self._skip.get(found[1])
        if skip is None:
            skip = self._skip[found[1]] = self._wanted.keys().isdisjoint(logs_of(found[1].decode()))
        self.passed_over += skip
        return skip

    def add(self, records: list[tuple[str, Record]]) -> None:
        """Take in an event's records."""
        for log, record in records:
            self._logs.setdefault(log, []).append(record)
        self.count += len(records)

    def batches(self) -> Iterator[Batch]:
        """Hand on what is held."""
        held, self._logs, self.count = self._logs, {}, 0
        for log, records in held.items():
            yield DictBatch(log, records)
