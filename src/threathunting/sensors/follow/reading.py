"""From the bytes of a followed file to batches, with what must be remembered between its blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from threathunting.records import Batch, ReadReport, Wanted
from threathunting.sensors.eve import EveReader
from threathunting.sensors.follow.content import Source
from threathunting.sensors.forms import EveForm
from threathunting.sensors.zeek_json import JsonForm
from threathunting.sensors.zeek_tsv import Header, TsvForm, TsvReader, header_of

HEADER_BYTES = 65536

Form = TsvForm | JsonForm | EveForm


class Reader(ABC):
    """Reads a file's blocks in order, and remembers between them what its form needs: here, nothing."""

    @abstractmethod
    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport, now: float
    ) -> list[Batch]:
        """The batches of a block that begins at ``offset``, read at ``now`` of a steady clock."""

    def rebuilt(self) -> list[Batch]:
        """What comes out when all that was processed before a restart has been read again."""
        return []

    def late(self, now: float) -> list[Batch]:
        """What has been held back for too long."""
        return []

    def rest(self) -> list[Batch]:
        """What is held back, at the file's end."""
        return []

    def pending(self) -> int | None:
        """Where the oldest event stands that is held back."""
        return None

    def low(self, low: int | None, position: int) -> int:
        """Where the file must be read again from, to have what is held here, and what was given from ``low`` on."""
        return position if low is None else low

    def header(self, low: int) -> int:
        """Where the header begins that is in force at ``low``. It is never asked for less later."""
        return 0


class JsonReader(Reader):
    """Lines of JSON need nothing but themselves."""

    def __init__(self, form: JsonForm) -> None:
        self._form = form

    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport, now: float
    ) -> list[Batch]:
        """See ``Reader``."""
        return list(self._form.read(block, offset, path, wanted, report))


class TabReader(Reader):
    """TSV needs the header in force, which may change within a file."""

    def __init__(self, form: TsvForm, header_at: int, header: Header, position: int) -> None:
        """Begin at ``position`` with ``header``, which stands at ``header_at``."""
        self._tsv = TsvReader(header, form.log)
        self._headers = deque([header_at])
        self._run = header_at if position == header_at else None
        """Where the lines with ``#`` began that the last block ended with."""

    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport, now: float
    ) -> list[Batch]:
        """See ``Reader``."""
        before = self._tsv.header
        batches = list(self._tsv.read(block, offset, path, report))
        if self._tsv.header is not before:
            begin = _last_header(block)
            at = self._run if begin == 0 and self._run is not None else offset + begin
            if at > self._headers[-1]:
                self._headers.append(at)
        if block.startswith(b"#") or b"\n#" in block:
            run = _last_run(block)
            if run != 0 or self._run is None:
                self._run = None if run is None else offset + run
        else:
            self._run = None
        return batches

    def header(self, low: int) -> int:
        """See ``Reader``."""
        while len(self._headers) > 1 and self._headers[1] <= low:
            self._headers.popleft()
        return self._headers[0]


def _last_header(block: bytes) -> int:
    """Where the last header of a block begins: the lines with ``#`` around its last ``#fields``."""
    fields = max(block.rfind(b"\n#fields"), block.rfind(b"\n#types")) + 1
    return _run_before(block, fields)


def _last_run(block: bytes) -> int | None:
    """Where the lines with ``#`` begin that a block ends with; None where its last line is another."""
    last = block.rfind(b"\n", 0, len(block) - 1) + 1
    return _run_before(block, last) if block.startswith(b"#", last) else None


def _run_before(block: bytes, at: int) -> int:
    while at > 0:
        previous = block.rfind(b"\n", 0, at - 1) + 1
        if not block.startswith(b"#", previous):
            break
        at = previous
    return at


class EventReader(Reader):
    """EVE: DNS queries wait for their answers.

    A record may so be given later than its event stands in the file, and after a restart the file must be read
    from there. ``given_up`` is where the oldest query waited when the state was saved: those before it were
    given on without an answer.
    """

    def __init__(self, given_up: int) -> None:
        self._eve = EveReader()
        self._dns = self._eve.converter.dns
        self._given_up = given_up
        self._reach: deque[tuple[int, int]] = deque()
        """Of blocks that gave records of earlier events: the block's begin, and how far back these go."""
        self._end = 0

    def pending(self) -> int | None:
        """See ``Reader``."""
        return self._dns.low()

    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport, now: float
    ) -> list[Batch]:
        """See ``Reader``."""
        self._dns.now = now
        batches = [*self._eve.read(block, offset, path, wanted, report), *self._eve.rest()]
        self._note(offset)
        self._end = offset + len(block)
        return batches

    def _note(self, start: int) -> None:
        reach, self._dns.reach = self._dns.reach, None
        if reach is not None and reach < start:
            self._reach.append((start, reach))

    def _given(self, batches: Iterator[Batch]) -> list[Batch]:
        given = list(batches)
        self._note(self._end)
        return given

    def rebuilt(self) -> list[Batch]:
        """See ``Reader``."""
        return self._given(self._eve.rest(self._dns.before(self._given_up)))

    def late(self, now: float) -> list[Batch]:
        """See ``Reader``."""
        return self._given(self._eve.rest(self._dns.expire(now)))

    def rest(self) -> list[Batch]:
        """See ``Reader``."""
        return self._given(self._eve.rest(self._dns.flush()))

    def low(self, low: int | None, position: int) -> int:
        """See ``Reader``."""
        if low is None:
            low = position
            self._reach.clear()
        while self._reach and self._reach[0][0] < low:
            self._reach.popleft()
        pending = self._dns.low()
        return min((low if pending is None else min(low, pending), *(reach for _, reach in self._reach)))


def reader_of(form: Form, source: Source, position: int, header_at: int, given_up: int) -> Reader:
    """A reader that begins at ``position``. A header in force there is read from ``header_at``."""
    match form:
        case TsvForm(header):
            if header_at:
                header = header_of(source.read(header_at, HEADER_BYTES)) or header
            return TabReader(form, header_at, header, position)
        case JsonForm():
            return JsonReader(form)
        case EveForm():
            return EventReader(given_up)
