"""Capture files themselves: what they look like, whether they are whole, and unpacking them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import zstandard

from threathunting.sensors.lines import BOMB_BYTES, BOMB_RATIO, compression

PCAP_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 16),
    b"\xa1\xb2\xc3\xd4": (">", 16),
    b"\x4d\x3c\xb2\xa1": ("<", 16),
    b"\xa1\xb2\x3c\x4d": (">", 16),
    b"\x34\xcd\xb2\xa1": ("<", 24),
    b"\xa1\xb2\xcd\x34": (">", 24),
}
"""First bytes of a pcap: byte order and size of a packet's header. In turn: microseconds, nanoseconds, and
the "modified" form of Alexey Kuznetsov's patches."""

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

_FILE_HEADER = 24
_PACKET_BLOCKS = frozenset({2, 3, 6})
"""Types of pcapng blocks that hold a packet: the old, the simple and the enhanced one."""

MAX_PACKET = 262144
"""Bytes of a packet beyond which libpcap, and so every sensor, takes a pcap for damaged."""

MAX_BLOCK = 256 * 1024 * 1024
"""Bytes of a block of pcapng beyond which its length can't be true."""

_CHUNK = 1024 * 1024


class Check(NamedTuple):
    """What walking through a capture's headers showed."""

    packets: int
    problem: str | None
    """What is wrong, to be read after the file's name: ``is cut short after 3 packets``."""
    end: int = 0
    """Bytes up to which it is whole."""


def looks_like_pcap(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a capture: pcap or pcapng."""
    if head[:4] in PCAP_MAGIC:
        return True
    return head[:4] == PCAPNG_MAGIC and head[8:12] in _BYTE_ORDER


def check(path: Path) -> Check:
    """Walk through a capture's packet headers: sensors say little about what they couldn't read."""
    with path.open("rb") as file:
        head = file.read(_FILE_HEADER)
        if not looks_like_pcap(head):
            return Check(0, "is not a capture")
        if head[:4] in PCAP_MAGIC and len(head) < _FILE_HEADER:
            return Check(0, "is cut short in its header")
        if head[:4] in PCAP_MAGIC and struct.unpack_from(PCAP_MAGIC[head[:4]][0] + "H", head, 4) != (2,):
            return Check(0, "has the first bytes of a capture, but not its version (2)")
        with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
            if head[:4] == PCAPNG_MAGIC:
                return _walk_pcapng(data)
            return _walk_pcap(data, *PCAP_MAGIC[head[:4]])


def _walk_pcap(data: mmap.mmap, order: str, header: int) -> Check:
    size = len(data)
    at, packets = _FILE_HEADER, 0
    longest = max(MAX_PACKET, struct.unpack_from(order + "I", data, 16)[0])
    length_of = struct.Struct(order + "8xI").unpack_from
    while at + header <= size:
        (length,) = length_of(data, at)
        if length > longest:
            return Check(packets, f"is damaged after {_counted(packets)}", at)
        if at + header + length > size:
            break
        at += header + length
        packets += 1
    return Check(packets, None if at == size else f"is cut short after {_counted(packets)}", at)


def _walk_pcapng(data: mmap.mmap) -> Check:
    size = len(data)
    at, packets, order = 0, 0, "<"
    while at + 12 <= size:
        if data[at : at + 4] == PCAPNG_MAGIC:
            # Each section has its own byte order.
            order = _BYTE_ORDER.get(data[at + 8 : at + 12], order)
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4 or length > MAX_BLOCK:
            return Check(packets, f"is damaged after {_counted(packets)}", at)
        if at + length > size:
            break
        at += length
        packets += kind in _PACKET_BLOCKS
    return Check(packets, None if at == size else f"is cut short after {_counted(packets)}", at)


def _counted(packets: int) -> str:
    return "1 packet" if packets == 1 else f"{packets:,} packets"


def beginning(path: Path, end: int, folder: Path) -> Path:
    """A copy of a capture's first ``end`` bytes in ``folder``: a sensor that meets a cut may keep nothing."""
    copy = folder / "beginning.pcap"
    with path.open("rb") as file, copy.open("wb") as out:
        left = end
        while left and (chunk := file.read(min(left, _CHUNK))):
            out.write(chunk)
            left -= len(chunk)
    return copy


def unpacked(path: Path, folder: Path) -> tuple[Path, str | None]:
    """The capture itself: ``path``, or of an archive what is in it, written into ``folder``.

    Also what is wrong with the archive, to be read after its name. OSError where ``folder`` can't take it.
    """
    with path.open("rb") as file:
        kind = compression(file.read(8))
        if kind is None:
            return path, None
        file.seek(0)
        plain = folder / "unpacked.pcap"
        problem = None
        written = 0
        with plain.open("wb") as out:
            chunks = _decompressed(file, kind)
            while True:
                try:
                    chunk = next(chunks, None)
                except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
                    problem = f"is a {kind} archive that is damaged or cut short ({error})"
                    break
                if chunk is None:
                    break
                out.write(chunk)
                written += len(chunk)
                if written > BOMB_BYTES and written > BOMB_RATIO * max(file.tell(), 1):
                    problem = (
                        f"unpacks to more than {BOMB_RATIO} times its size; left after {written:,} bytes"
                    )
                    break
    return plain, problem


def _decompressed(file: BinaryIO, kind: str) -> Iterator[bytes]:
    with _OPENERS[kind](file) as opened:
        # read1 gives what an archive that is cut short still holds before it raises.
        while chunk := opened.read1(_CHUNK):
            yield chunk


def _zstd(file: BinaryIO) -> Any:
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)


_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "xz": lzma.open,
    "zstd": _zstd,
}
