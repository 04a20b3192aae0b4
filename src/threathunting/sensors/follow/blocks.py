"""Cuts what is to be read of a content into blocks of whole lines."""

from __future__ import annotations

from typing import NamedTuple

from threathunting.records import ReadReport, Rejected
from threathunting.sensors.batches import KEPT_BYTES
from threathunting.sensors.follow.content import Source
from threathunting.sensors.lines import MAX_LINE

CHUNK = 256 * 1024
"""Bytes read at once; more only where a line is longer."""


class Block(NamedTuple):
    """Bytes that are read in one go."""

    data: bytes
    cut_short: bool
    """Whether it is the begin of a line that is too long to be read."""


class Blocks:
    """Cuts blocks, one after the other, and remembers where a line that is too long hasn't ended yet."""

    def __init__(self) -> None:
        self._skipping = False

    def cut(self, source: Source, position: int, stop: int | None, to_end: bool) -> tuple[Block | None, int]:
        """The block at ``position``, and the bytes that it took to get it. Raises OSError.

        It ends before ``stop`` at the latest. None: no whole line is there; unless ``to_end`` is set, by which
        a last line without an end is a block, too.
        """
        want = CHUNK
        while True:
            size = want if stop is None else min(want, stop - position)
            data = source.read(position, size)
            cut = data.rfind(b"\n") + 1
            if cut:
                break
            if len(data) == want and want < MAX_LINE:
                want *= 4
                continue
            if len(data) == want or self._skipping or (data and to_end):
                cut = len(data)
                break
            return None, len(data)
        block = data[:cut]
        return Block(block, cut == want and not block.endswith(b"\n")), cut

    def readable(self, block: Block, offset: int, path: str, report: ReadReport) -> tuple[bytes, int]:
        """What is to be read of the block at ``offset``, and where that begins: all but lines that are too long.

        One of these is put into the report when it is met, as of the file at ``path``.
        """
        data = block.data
        if self._skipping:
            line_end = data.find(b"\n") + 1
            self._skipping = not line_end
            return (data[line_end:], offset + line_end) if line_end else (b"", offset + len(data))
        if block.cut_short:
            reason = f"a line of more than {MAX_LINE:,} bytes"
            report.reject(Rejected(path, offset, reason, data[:KEPT_BYTES]))
            self._skipping = True
            return b"", offset
        return data, offset


def last_line(source: Source, size: int) -> int:
    """Where the line begins that the first ``size`` bytes end with; ``size`` where it has an end. Raises OSError."""
    at = size
    while at > 0:
        begin = max(at - CHUNK, 0)
        line_end = source.read(begin, at - begin).rfind(b"\n")
        if line_end >= 0:
            return begin + line_end + 1
        at = begin
    return 0
