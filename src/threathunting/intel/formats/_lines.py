"""Lines of an intel file, without ever holding a longer one than we take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from threathunting.intel.formats._api import Context, Refusal

MAX_LINE = 1 << 20
"""Longest line in bytes; longer ones are refused and passed over without being held."""

MAX_DOCUMENT = 1 << 29
"""Largest file in bytes, after decompression, of a format that has no lines (STIX, MISP, a JSON array)."""

KEPT_TEXT = 200
"""Characters of what was refused that a Refusal keeps."""

_CHUNK = 1 << 18
_BOM = b"\xef\xbb\xbf"


def lines(stream: BinaryIO, context: Context) -> Iterator[tuple[int, bytes] | Refusal]:
    """Every line with its number, from 1, and without its line end; a Refusal for one that is too long."""
    number = 0
    rest = b""
    passing_over = False
    while chunk := stream.read(_CHUNK):
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        for part in parts:
            number += 1
            if passing_over or len(part) > MAX_LINE:
                passing_over = False
                yield _too_long(number, context)
            elif number == 1:
                yield number, part.removeprefix(_BOM)
            else:
                yield number, part
        if len(rest) > MAX_LINE:
            passing_over = True
        if passing_over:
            rest = b""
    if passing_over:
        yield _too_long(number + 1, context)
    elif rest:
        yield number + 1, rest.removeprefix(_BOM) if number == 0 else rest


def text_lines(stream: BinaryIO, context: Context) -> Iterator[tuple[int, str] | Refusal]:
    """As ``lines``, as text. Bytes that are not UTF-8 become U+FFFD.

    A description in Latin-1 so costs no indicator; a value that holds U+FFFD is refused where it is told.
    """
    for line in lines(stream, context):
        if isinstance(line, Refusal):
            yield line
        else:
            yield line[0], line[1].removesuffix(b"\r").decode("utf-8", "replace")


def document(stream: BinaryIO, context: Context) -> bytes | Refusal:
    """The whole file, of a format that has no lines; a Refusal where it is larger than ``MAX_DOCUMENT``."""
    parts = []
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MAX_DOCUMENT:
            return Refusal(context.path, 0, f"is larger than {MAX_DOCUMENT >> 20} MiB", "")
        parts.append(chunk)
    return b"".join(parts).removeprefix(_BOM)


def _too_long(number: int, context: Context) -> Refusal:
    return Refusal(context.path, number, f"the line is longer than {MAX_LINE >> 20} MiB", "")
