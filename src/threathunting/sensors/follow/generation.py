"""One generation of a followed file: its content from its beginning until it is rotated away, truncated or deleted."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from pathlib import Path, PurePath
from typing import NamedTuple

from threathunting.records import Batch, ReadReport, Wanted
from threathunting.sensors.follow.blocks import CHUNK, Blocks, last_line
from threathunting.sensors.follow.content import Packed, Source
from threathunting.sensors.follow.fingerprint import Fingerprint
from threathunting.sensors.follow.reading import EventReader, Reader, reader_of
from threathunting.sensors.follow.state import Chunk, FileState, FileStatus, Id, kind_of
from threathunting.sensors.forms import form_of
from threathunting.sensors.log_names import from_file_name

SETTLE = 5.0
"""Seconds without growth after which a file that isn't written to any more is taken for whole."""

_START = 8192
_LONG_START = 1 << 20


class Twin(NamedTuple):
    """A file when it had a content that is known from another one."""

    size: int
    mtime: int
    told: int | None
    """Of an archive, the size of its content, see ``Packed.told_size``."""


class Generation:
    """Where reading a content stands, whichever file it is in at the moment."""

    def __init__(self, path: str, id: Id, mtime: int, state: FileState | None = None) -> None:
        """A content met at ``path``, or the one of a saved state. It has to be attached to a file."""
        saved = state or FileState(f"{id[1]}-{secrets.token_hex(8)}", path, path)
        self.key = saved.key
        self.path = path
        self.origin = saved.origin
        """Where it was first met: that name tells its log."""
        self.kind = kind_of(self.origin)
        self.log = from_file_name(self.origin)
        self.id = id
        self.inode = id[1]
        """Of the file that it was first in, for people."""
        self.mtime = mtime
        self.size = 0
        self.source: Source | None = None
        self.reader: Reader | None = None

        self.position = saved.low
        """What comes before was read."""
        self.floor = saved.high
        """What comes before was processed before the restart."""
        self.begin: int | None = None
        """The file's size when it was met, where what was in it then isn't to be read."""
        self.began = saved.high > 0
        """Whether there was a record: before that there is nothing to know the content by."""
        self.finished = saved.finished
        self.only_known = False
        """Whether its file is of use only if it has a content that is known."""

        self.twins: dict[Id, Twin] = {}
        """Other files with the same content."""
        self.listed = True
        """Whether its file is where it can be found again."""
        self.retired_at: float | None = None
        """Since when it isn't the file any more that its log's writer writes to, by the clock."""
        self.grown_at = 0.0
        self.truncated_at: float | None = None

        self._saved = saved
        self._fingerprint = Fingerprint(saved.head_size, saved.head_hash, saved.tail_hash)
        self._blocks = Blocks()
        self._read_size = -1
        """The size when what is left was found to be no whole line."""
        self._packed = False
        self._state: FileState | None = None

    # Files and contents

    def attach(self, source: Source, path: str) -> bool:
        """Go on with this file, if it has the content; else False, and it is left as it was. Raises OSError."""
        id, size, mtime = source.stat()
        if not self._fingerprint.fits(source, size, self._at):
            return False
        if self.source is not None and self.source is not source:
            self.source.close()
        self.source, self.path, self.id = source, path, id
        self.size, self.mtime = size, mtime
        self._packed = source.packed
        self._read_size = -1
        self.truncated_at = None
        self._fingerprint.learn(source, self.position)
        return True

    @property
    def _at(self) -> int:
        """Where reading stands, or stood before the restart."""
        return max(self.position, self.floor)

    @property
    def is_archive(self) -> bool:
        """Whether a file that was opened as a plain one turned out to be compressed."""
        return not self._packed and self._fingerprint.is_packed

    def has_record(self) -> bool:
        """Whether the beginning tells this content from others: a whole line of it is no comment."""
        return self._fingerprint.has_record()

    def same_content(self, other: Generation) -> bool:
        """Whether the file of ``other``, of which nothing has been read, has this content. Raises OSError."""
        told = self.began or (self.reader is not None and self.has_record())
        if not told or self.kind != other.kind:
            return False
        if self.log is not None and other.log is not None and self.log != other.log:
            return False
        return self._fingerprint.same(other._fingerprint, other.source, other.size, self._at)

    def look(self, now: float) -> bool:
        """See whether the file has changed; False where it isn't this content any more. Raises OSError."""
        source = self.source
        assert source is not None
        _, size, mtime = source.stat()
        if size == self.size and mtime == self.mtime:
            return True
        if not source.packed and (
            size < self.position or not self._fingerprint.unchanged(source, self.position)
        ):
            return False
        if size != self.size:
            self.grown_at = now
        self.size, self.mtime = size, mtime
        self._fingerprint.learn(source, self.position)
        return True

    def move(self, path: str, id: Id, size: int, mtime: int) -> None:
        """It is in this file now, of which nothing needs to be read."""
        self.path, self.id, self.size, self.mtime = path, id, size, mtime
        self._state = None
        self.twins.pop(id, None)

    def give_up(self) -> None:
        """Its file won't be found: nothing more comes of it."""
        self.truncated_at = None
        self.finished = True
        self.position = self._at

    def close(self) -> None:
        """Let go of the file, but not of the content."""
        self._note_tail()
        if self.source is not None:
            self.source.close()
            self.source = None
        self._fingerprint.let_go()

    def _note_tail(self) -> None:
        # What is read again was noted before the restart, further on.
        if self.position >= self.floor:
            self._fingerprint.note(self.position)

    # Reading

    def classify(self, known: Collection[str]) -> bool:
        """Find out how to read it; False where it is no log. Raises OSError."""
        assert self.source is not None
        start = self.source.read(0, _START)
        if b"\n" not in start and len(start) == _START:
            start = self.source.read(0, _LONG_START)
        form = form_of(PurePath(self.origin), start, known)
        if form is None:
            return False
        if self.begin is not None:
            self._pass_over(self.begin)
            self.begin = None
        header = self._saved.header if self.position else 0
        given_up = self.floor if self._saved.pending is None else self._saved.pending
        self.reader = reader_of(form, self.source, self.position, header, given_up)
        return True

    def _pass_over(self, size: int) -> None:
        """Begin with the line that stood last when the file had ``size`` bytes, if that had no end yet."""
        assert self.source is not None
        if self.source.packed:
            self.finished = True
            return
        self.position = last_line(self.source, size)
        self.began = self.position > 0
        self._fingerprint.stand(self.source, self.position)

    @property
    def rebuilding(self) -> bool:
        """Whether it is still read up to where it was before a restart."""
        return self.position < self.floor and self.source is not None and self.reader is not None

    @property
    def ready(self) -> bool:
        """Whether there may be something to read."""
        if self.source is None or self.reader is None:
            return False
        if isinstance(self.source, Packed):
            return not self.finished and (self.source.end is None or self.source.end > self.position)
        return self.position < self.size != self._read_size

    @property
    def stalled(self) -> bool:
        """Whether what is left was found to be no whole line."""
        return self._read_size == self.size

    @property
    def unread(self) -> int:
        """Bytes that were there and are not read; 0 of archives."""
        return 0 if self._packed else max(self.size - self.position, 0)

    def read(self, wanted: Wanted, now: float, last: bool = False) -> tuple[Chunk | None, int]:
        """The next lines, and the bytes that it took to get them. Raises OSError.

        ``last``: there will be no more, so that a last line without an end is read, too.
        """
        source, reader = self.source, self.reader
        assert source is not None and reader is not None
        if not source.reach(self.position):
            return None, CHUNK
        again = self.position < self.floor
        stop = self.floor if again else None
        to_end = again or last or isinstance(source, Packed)
        block, used = self._blocks.cut(source, self.position, stop, to_end)
        if block is None:
            self._read_size = self.size
            return None, used
        report = ReadReport(bytes=used)
        start = self.position
        data, offset = self._blocks.readable(block, start, self.path, report)
        batches = reader.read(data, offset, Path(self.path), wanted, report, now) if data else []
        self.position += used
        self._fingerprint.passed(block.data)
        if report.records or report.bad_records:
            self.began = True
        if again and self.position >= self.floor:
            batches += reader.rebuilt()
        return self._chunk(start, batches, again, report), used

    def late(self, now: float) -> Chunk | None:
        """Records that have been held back for too long."""
        if not isinstance(self.reader, EventReader) or self.rebuilding:
            return None
        batches = self.reader.late(now)
        return self._chunk(self.position, batches, False, ReadReport()) if batches else None

    def finish(self) -> Chunk | None:
        """It is read to its end; the records that were held back."""
        batches = [] if self.reader is None else self.reader.rest()
        self.finished = True
        return self._chunk(self.position, batches, False, ReadReport()) if batches else None

    def _chunk(self, start: int, batches: list[Batch], again: bool, report: ReadReport) -> Chunk:
        return Chunk(self.key, self.path, self.kind, start, self.position, batches, again, report)

    # What is told of it

    def state(self, low: int | None) -> FileState:
        """What is to be saved, as the records from ``low`` on are still held; None: none are."""
        high = self._at
        if not self.began:
            high = least = 0
        elif self.reader is None:
            least = min(self.position if low is None else low, high)
        else:
            least = min(self.reader.low(low, self.position), high)
        pending: int | None = None
        if self.position < self.floor:
            pending = self._saved.pending
        elif isinstance(self.reader, EventReader):
            pending = self.reader.pending()
        self._note_tail()
        known_by = self._fingerprint
        header = self._saved.header if self.reader is None else self.reader.header(least)
        state = FileState(
            self.key, self.path, self.origin, *self.id, self.mtime,
            known_by.head_size, known_by.head_hash, known_by.tail_hash, least, high, header, pending, self.finished,
        )  # fmt: skip
        # The same object as long as nothing has changed, so that what is unchanged need not be saved again.
        if state != self._state:
            self._state = state
        assert self._state is not None
        return self._state

    def last_state(self) -> FileState:
        """The state of one that is finished, and whose records are all let go."""
        return self._state or self.state(None)

    def status(self) -> FileStatus:
        """What is shown of it."""
        return FileStatus(self.key, self.path, self.kind, self.position, self.unread, self.finished)
