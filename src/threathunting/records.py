"""The nouns that flow: records and their batches, observables, sightings, investigations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from threathunting.intel.types import IndicatorType

Record = dict[str, Any]
"""One log line with Zeek's flat field names (``id.orig_h``); unset fields are absent."""


class Observable(NamedTuple):
    """A value seen in traffic, canonical, with its type and its ``where`` (``HTTP::IN_HOST_HEADER``)."""

    type: IndicatorType
    value: str
    where: str


class Rejected(NamedTuple):
    """Input that could not be used. ``offset`` is the line's first byte in the (decompressed) file."""

    path: str
    offset: int
    reason: str
    raw: bytes


@dataclass
class ReadReport:
    """What reading a unit met. Everything is counted; of what was rejected the first few are kept."""

    records: int = 0
    bytes: int = 0
    """Bytes of the log itself, after decompression."""
    consumed: int = 0
    """Bytes of the file on disk that are done, for progress."""
    bad_records: int = 0
    """Lines that gave no record."""
    repaired_records: int = 0
    """Lines hunted without a field (wrong type) or with replaced characters (bad UTF-8)."""
    unfinished: int = 0
    """Last lines without an end, as in a file that is still growing."""
    errors: list[str] = field(default_factory=list)
    """Sentences on what could not be read on (a truncated archive, a capture cut short)."""
    rejected: list[Rejected] = field(default_factory=list)

    KEEP = 100

    def reject(self, rejected: Rejected) -> None:
        """Count a bad record and keep it aside while there is room."""
        self.bad_records += 1
        if len(self.rejected) < self.KEEP:
            self.rejected.append(rejected)

    def add(self, other: ReadReport) -> None:
        """Sum up another unit's report."""
        self.records += other.records
        self.bytes += other.bytes
        self.consumed += other.consumed
        self.bad_records += other.bad_records
        self.repaired_records += other.repaired_records
        self.unfinished += other.unfinished
        self.errors += other.errors
        self.rejected += other.rejected[: self.KEEP * 10 - len(self.rejected)]


Wanted = Mapping[str, Sequence[str]]
"""Per log name the fields whose columns are wanted; ``"*"`` stands for logs that are not named."""


class Batch(Protocol):
    """Some records of one log, by column: what the fast matcher works on."""

    log: str

    def __len__(self) -> int:
        """Number of records."""

    def column(self, name: str) -> Sequence[Any]:
        """The values of a wanted field, one a record: str, list of str, or None where unset or of another type."""

    def values(self, name: str) -> Iterable[Any]:
        """The same to go through once, without making a sequence of them."""

    def record(self, row: int) -> Record:
        """The whole record of a row."""

    def raw(self, row: int) -> bytes | None:
        """The row's own JSON object, byte for byte without its line end; None where the input wasn't JSON."""

    def slim(self) -> Batch:
        """The same rows in little memory, to be held for a while: ``record`` and ``raw`` only, no columns."""


class Unit(Protocol):
    """A part of a source that one worker reads alone. Can be pickled; can be read more than once."""

    @property
    def size(self) -> int:
        """Bytes on disk, for progress."""

    @property
    def path(self) -> str:
        """The file it is of, as shown to people."""

    def logs(self) -> frozenset[str] | None:
        """The logs it can hold, or None where only reading tells."""

    def batches(self, wanted: Wanted, report: ReadReport) -> Iterator[Batch]:
        """Read it from the start. Bad input goes to the report; only OSError is raised."""
