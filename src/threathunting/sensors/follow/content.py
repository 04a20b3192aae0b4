"""The bytes of a followed file: of one that grows, or of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import zstandard

from threathunting.records import ReadReport
from threathunting.sensors.follow.state import Id
from threathunting.sensors.lines import compression, unpacked

STEP = 4 * 1024 * 1024
"""Bytes of an archive that are passed over at a time, on the way to where it is to be read on."""

TOLD_UP_TO = 1 << 32
"""Archives tell the size of their content modulo this."""


class Plain:
    """A file by its descriptor: renaming and deleting it doesn't matter."""

    packed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def stat(self) -> tuple[Id, int, int]:
        """(device and inode, size in bytes, time of the last write in nanoseconds)."""
        found = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the file's end."""
        data = os.pread(self._descriptor, size, offset)
        if len(data) == size or not data:
            return data
        parts = [data]
        while data := os.pread(self._descriptor, size - sum(map(len, parts)), offset + sum(map(len, parts))):
            parts.append(data)
        return b"".join(parts)

    def reach(self, offset: int) -> bool:
        """Whether ``offset`` can be read now."""
        return True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class Packed:
    """An archive, whose content is read from its begin to its end once, and again only to go back."""

    packed = True

    def __init__(self, descriptor: int, kind: str, path: str) -> None:
        self._descriptor = descriptor
        self._kind = kind
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "rb")
        self.errors: list[str] = []
        """Sentences on what could not be read on."""
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._report = ReadReport()
        self._chunks: Iterator[bytes] = unpacked(self._file, self._kind, self._path, self._report)
        self._start = 0
        self._data = b""
        self.ended = False

    def stat(self) -> tuple[Id, int, int]:
        """As of ``Plain``; the size is that on disk."""
        found = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns

    def told_size(self) -> int:
        """The size of the content modulo ``TOLD_UP_TO``, as the archive itself tells it; -1 where it doesn't."""
        size = os.fstat(self._descriptor).st_size
        if self._kind == "gzip" and size >= 18:
            return int.from_bytes(os.pread(self._descriptor, 4, size - 4), "little")
        if self._kind == "zstd":
            told = zstandard.frame_content_size(os.pread(self._descriptor, 18, 0))
            return told % TOLD_UP_TO if told >= 0 else -1
        return -1

    @property
    def end(self) -> int | None:
        """Size of the content in bytes; None where it isn't known yet."""
        return self._start + len(self._data) if self.ended else None

    def _more(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            self.ended = True
            self.errors += self._report.errors
            self._report.errors = []
            return False
        self._data += chunk
        return True

    def reach(self, offset: int) -> bool:
        """Go towards ``offset``, at most ``STEP`` bytes; whether it can be read now."""
        if offset < self._start:
            self._begin()
        passed = 0
        while offset > self._start + len(self._data) and passed < STEP and not self.ended:
            passed += len(self._data)
            self._start += len(self._data)
            self._data = b""
            self._more()
        return self.ended or offset <= self._start + len(self._data)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the content's end. What comes before ``offset`` is let go."""
        while not self.reach(offset):
            pass
        if offset > self._start:
            passed = min(offset - self._start, len(self._data))
            self._data = self._data[passed:]
            self._start += passed
        if offset > self._start:
            return b""
        parts = [self._data]
        held = len(self._data)
        self._data = b""
        while held < size and not self.ended:
            if self._more():
                parts.append(self._data)
                held += len(self._data)
                self._data = b""
        self._data = b"".join(parts)
        return self._data[:size]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


Source = Plain | Packed


def opened(path: str) -> Source:
    """Open a file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        kind = compression(os.pread(descriptor, 8, 0))
        return Plain(descriptor) if kind is None else Packed(descriptor, kind, path)
    except BaseException:
        os.close(descriptor)
        raise
