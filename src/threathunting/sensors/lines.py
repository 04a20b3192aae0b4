"""Bytes of a log file, plain or compressed, as blocks of whole lines with their offsets."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from threathunting.records import ReadReport, Rejected

BLOCK = 128 * 1024
"""Bytes read at a time."""

MAX_LINE = 64 * 1024 * 1024
"""Longest line in bytes that is read; the rest of a longer one is passed over and counted as a bad record."""

BOMB_BYTES = 1 << 30
BOMB_RATIO = 700
"""An archive that gives more bytes than the first, and more than the second times its own size, is left."""

_ZSTD_FEED = 4096
"""Compressed bytes handed to zstd at once: one call gives all that these decompress to, up to 128 MiB."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}


def compression(head: bytes) -> str | None:
    """The name of the compression that a file's first bytes show, or None."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def head(path: Path, size: int = 65536) -> bytes:
    """The first ``size`` bytes of a log after decompression; fewer where it is shorter or damaged."""
    with path.open("rb") as file:
        kind = compression(file.read(8))
        file.seek(0)
        if kind is None:
            return file.read(size)
        data = b""
        try:
            for chunk in _decompressed(file, kind, size):
                data += chunk
                if len(data) >= size:
                    break
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError):
            pass
        return data[:size]


@dataclass(frozen=True)
class Span:
    """A part of a file: the lines that begin in ``start`` <= offset < ``end``, none of it read beyond ``limit``.

    All in bytes. ``limit`` is the file's size when the hunt began, so that every pass over a growing file
    reads the same. Archives are always read whole, whatever the span says.
    """

    start: int = 0
    end: int | None = None
    limit: int | None = None


WHOLE = Span()


def blocks(path: Path, span: Span, report: ReadReport) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines: (offset of the first line, bytes that end with a line end).

    Last, and only at the file's end, a block may come that has no line end: an unfinished line, whose reader
    decides whether it is whole. What can't be read on is told in ``report.errors``; only opening the file and
    reading from its disk raises OSError.
    """
    with path.open("rb") as file:
        kind = compression(file.read(8))
        if kind is None:
            start = _line_start(file, span.start)
            file.seek(start)
            yield from _lines(_plain(file, start, span.limit, report), start, span.end, path, report)
        else:
            file.seek(0)
            yield from _lines(unpacked(file, kind, path, report), 0, None, path, report)


def _line_start(file: BinaryIO, start: int) -> int:
    """Offset of the first line that begins at ``start`` or later."""
    if start == 0:
        return 0
    at = start - 1
    file.seek(at)
    while chunk := file.read(BLOCK):
        line_end = chunk.find(b"\n")
        if line_end >= 0:
            return at + line_end + 1
        at += len(chunk)
    return at


def _plain(file: BinaryIO, at: int, limit: int | None, report: ReadReport) -> Iterator[bytes]:
    while chunk := file.read(BLOCK if limit is None else max(min(BLOCK, limit - at), 0)):
        at += len(chunk)
        report.consumed += len(chunk)
        yield chunk


def _decompressed(file: BinaryIO, kind: str, size: int) -> Iterator[bytes]:
    if kind == "zstd":
        yield from _zstd(file)
        return
    opened: io.BufferedIOBase
    if kind == "gzip":
        opened = cast(io.BufferedIOBase, gzip.GzipFile(fileobj=file))
    elif kind == "bzip2":
        opened = bz2.BZ2File(file)
    else:
        opened = lzma.LZMAFile(file)  # noqa: SIM115 (closing it would not close the file)
    while chunk := opened.read1(size) if kind == "gzip" else opened.read(size):
        yield chunk


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    # The library's stream reader takes a truncated file for a whole one; this loop knows whether a frame ended.
    machine = zstandard.ZstdDecompressor()
    frame = machine.decompressobj()
    fed = False
    while data := file.read(_ZSTD_FEED):
        while data:
            out = frame.decompress(data)
            fed = True
            if out:
                yield out
            if not frame.eof:
                break
            data = frame.unused_data
            frame = machine.decompressobj()
            fed = False
    if fed:
        raise EOFError("the last zstd frame is cut short")


def unpacked(file: BinaryIO, kind: str, path: Path, report: ReadReport) -> Iterator[bytes]:
    """The archive's bytes; ends with a sentence in the report where it is damaged or a bomb."""
    given = 0
    waiting: list[bytes] = []
    held = 0
    try:
        for chunk in _decompressed(file, kind, BLOCK):
            given += len(chunk)
            report.consumed = file.tell()
            held += len(chunk)
            waiting.append(chunk)
            if held >= BLOCK:
                yield b"".join(waiting)
                waiting, held = [], 0
            if given > BOMB_BYTES and given > BOMB_RATIO * max(file.tell(), 1):
                report.errors.append(
                    f"{path}: left after {given:,} bytes, it unpacks to more than {BOMB_RATIO} times its size"
                )
                break
    except EOFError:
        report.errors.append(
            f"{path}: the {kind} archive is cut short; read up to byte {given:,} of its content"
        )
    except (OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        report.errors.append(
            f"{path}: the {kind} archive is damaged after byte {given:,} of its content ({error})"
        )
    if waiting:
        yield b"".join(waiting)


def _lines(
    chunks: Iterator[bytes], offset: int, end: int | None, path: Path, report: ReadReport
) -> Iterator[tuple[int, bytes]]:
    """Cut chunks at line ends; ``offset`` is where the first chunk begins, ``end`` bounds where a line may begin."""
    if end is not None and offset >= end:
        return
    parts: list[bytes] = []
    held = 0
    skipped = 0
    for given in chunks:
        chunk = given
        if skipped:
            line_end = chunk.find(b"\n")
            if line_end < 0:
                skipped += len(chunk)
                continue
            offset += skipped + line_end + 1
            chunk, skipped = chunk[line_end + 1 :], 0
        line_end = chunk.rfind(b"\n")
        if line_end < 0:
            parts.append(chunk)
            held += len(chunk)
            if held > MAX_LINE:
                report.reject(
                    Rejected(str(path), offset, f"a line of more than {MAX_LINE:,} bytes", parts[0][:4096])
                )
                parts, skipped, held = [], held, 0
            continue
        parts.append(chunk[: line_end + 1])
        block = b"".join(parts) if len(parts) > 1 else parts[0]
        rest = chunk[line_end + 1 :]
        parts, held = ([rest], len(rest)) if rest else ([], 0)
        if end is not None and offset + len(block) >= end:
            if block := _up_to(block, end - offset):
                yield offset, block
            # What is left in parts begins at the end or later: it is the next span's.
            return
        yield offset, block
        offset += len(block)
    if parts and (end is None or offset < end):
        yield offset, b"".join(parts)


def _up_to(block: bytes, size: int) -> bytes:
    """The lines of a block that begin before ``size``."""
    if size <= 0:
        return b""
    line_end = block.find(b"\n", size - 1)
    return block if line_end < 0 else block[: line_end + 1]
