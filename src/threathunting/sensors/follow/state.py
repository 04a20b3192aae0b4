"""What a follower gives: chunks of records, and what must be kept of each file to go on after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2s
from pathlib import PurePath
from typing import Literal, NamedTuple

import msgspec

from threathunting.records import Batch, ReadReport
from threathunting.sensors.log_names import from_file_name

Kind = Literal["records", "investigation", "intel"]
"""What a file holds: evidence, or results of hunting (Zeek's or ours): captured records, sightings."""

MARK = "mark"
"""The key of the state that is of no file, but tells when the states were taken."""

Id = tuple[int, int]
"""Device and inode."""


class FileState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a checkpoint holds of a generation of a file. All offsets are bytes of its decompressed content.

    One state is of no file: its key is ``MARK``, and its ``mtime`` tells when the states were taken.
    """

    key: str
    """Made by us, unique to the generation; the same after a restart."""
    path: str = ""
    origin: str = ""
    """Where it was first met."""
    device: int = 0
    inode: int = 0
    mtime: int = 0
    """When it was last written to, in nanoseconds since the epoch."""
    head_size: int = 0
    head_hash: str = ""
    """The file is known again by its first ``head_size`` bytes, ..."""
    tail_hash: str = ""
    """... and by those that come before ``high``."""
    low: int = 0
    """What comes before is done for good."""
    high: int = 0
    """What comes before was processed; from ``low`` on it is read again to rebuild state."""
    header: int = 0
    """Where in a TSV log the header begins that is in force at ``low``."""
    pending: int | None = None
    """In EVE, where the oldest DNS query stands that waited for its answer; None for ``high``."""
    finished: bool = False
    """Rotated away or deleted, and read to its end."""

    @property
    def id(self) -> Id:
        """Device and inode."""
        return (self.device, self.inode)


@dataclass(slots=True)
class Chunk:
    """Whole lines of one file, as batches. ``start`` and ``end`` are bytes of its decompressed content.

    ``again``: they were processed before the restart and are read only to rebuild state. A chunk whose start
    is its end has records that were held back until now (DNS queries of EVE without an answer).
    """

    key: str
    path: str
    kind: Kind
    start: int
    end: int
    batches: list[Batch]
    again: bool
    report: ReadReport = field(default_factory=ReadReport)


class FileStatus(NamedTuple):
    """A file as ``status`` shows it. ``lag`` is bytes that are there and not yet read; of archives it is 0."""

    key: str
    path: str
    kind: Kind
    position: int
    lag: int
    finished: bool


def kind_of(name: str) -> Kind:
    """What a file holds, by its name."""
    if "-investigation" in PurePath(name).name.lower():
        return "investigation"
    return "intel" if from_file_name(name) == "intel" else "records"


def hash_of(data: bytes) -> str:
    """A fingerprint of a part of a file."""
    return blake2s(data, digest_size=12).hexdigest()
