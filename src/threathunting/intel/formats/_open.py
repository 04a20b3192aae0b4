"""Opening an intel file: plain, gzip or zstd told by magic, UTF-16 turned to UTF-8, its head at hand."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import BinaryIO

import zstandard

HEAD = 1 << 16
"""Bytes that a format is told from."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_FEED = 1 << 12
"""Compressed bytes handed to zstd at once: one call gives all that these decompress to, up to 128 MiB."""

_CHUNK = 1 << 16


class CompressedDataError(ValueError):
    """A compressed file that can't be unpacked, or not to its end."""


def opened(raw: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first 64 KiB of the text in ``raw``, and a stream of all of it (that head included).

    Both reading here and reading the stream may raise CompressedDataError, and OSError as ``raw`` does.
    """
    start = _read(raw, len(_ZSTD))
    stream: io.RawIOBase = Joined(start, raw)
    if start.startswith(_GZIP):
        stream = _Gunzipped(io.BufferedReader(stream))
    elif start.startswith(_ZSTD):
        stream = _Unzstd(stream)
    text: BinaryIO = io.BufferedReader(stream, _CHUNK)
    head = _read(text, HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = io.BufferedReader(_FromUtf16(Joined(head, text)), _CHUNK)
        head = _read(text, HEAD)
    return head, io.BufferedReader(Joined(head, text), _CHUNK)


def _read(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Reader(io.RawIOBase):
    """A raw stream made of what ``_more`` gives, which is empty at the end."""

    def __init__(self) -> None:
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._left if len(self._left) else memoryview(self._more(len(buffer)))
        taken = data[: len(buffer)]
        self._left = data[len(taken) :]  # a view: what a bomb gives at once is never copied again and again
        buffer[: len(taken)] = taken
        return len(taken)

    def _more(self, size: int) -> bytes:
        raise NotImplementedError


class Joined(_Reader):
    """What was read ahead, then the rest of the stream; so a format can look before it reads."""

    def __init__(self, ahead: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._left = memoryview(ahead)
        self._rest = rest

    def _more(self, size: int) -> bytes:
        return self._rest.read(size)


class _Gunzipped(_Reader):
    """Gzip, with one kind of error for its four."""

    def __init__(self, packed: io.BufferedReader) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=packed)

    def _more(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except EOFError:
            raise CompressedDataError("the gzip data ends early") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CompressedDataError(f"the gzip data is damaged ({error})") from None


class _Unzstd(_Reader):
    """Zstandard, one frame or several. (The library's own stream reader takes a cut file for a whole one.)"""

    def __init__(self, packed: io.RawIOBase) -> None:
        super().__init__()
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fed = False
        self._waiting = b""

    def _more(self, size: int) -> bytes:
        while data := self._waiting or self._packed.read(_ZSTD_FEED):
            try:
                out = self._frame.decompress(data)
            except zstandard.ZstdError as error:
                raise CompressedDataError(f"the zstd data is damaged ({error})") from None
            self._fed = not self._frame.eof
            self._waiting = b""
            if self._frame.eof:
                self._waiting = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            if out:
                return out
        if self._fed:
            raise CompressedDataError("the zstd data ends early")
        return b""


class _FromUtf16(_Reader):
    """UTF-16 with a byte order mark, as PowerShell writes it, to UTF-8."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._ended = False

    def _more(self, size: int) -> bytes:
        while not self._ended:
            data = self._stream.read(size) or b""
            self._ended = not data
            # A lone surrogate decodes to U+FFFD, so that encoding can't fail.
            if text := self._decoder.decode(data, final=self._ended).encode():
                return text
        return b""
