"""Lines and documents, however long."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.formats import Context, Refusal
from threathunting.intel.formats import _lines as lines_module
from threathunting.intel.formats._lines import MAX_LINE, document, lines, text_lines

CONTEXT = Context("x", 0.0, "feed")


class Counting(io.RawIOBase):
    """A stream of one long line that tells how much of it was asked for at once."""

    def __init__(self, size: int, end: bytes) -> None:
        super().__init__()
        self.left = size
        self.end = end
        self.largest = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self.largest = max(self.largest, len(buffer))
        size = min(self.left, len(buffer))
        self.left -= size
        if size:
            buffer[:size] = b"x" * size
            return size
        buffer[: len(self.end)] = self.end
        size, self.end = len(self.end), b""
        return size


def test_numbers_and_ends() -> None:
    data = b"\xef\xbb\xbfone\r\n\ntwo\nthree"
    assert list(lines(io.BytesIO(data), CONTEXT)) == [(1, b"one\r"), (2, b""), (3, b"two"), (4, b"three")]
    assert list(text_lines(io.BytesIO(data), CONTEXT)) == [(1, "one"), (2, ""), (3, "two"), (4, "three")]
    assert list(lines(io.BytesIO(b"\xef\xbb\xbfone"), CONTEXT)) == [(1, b"one")]
    assert list(lines(io.BytesIO(b""), CONTEXT)) == []


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.integers(1, 20))
def test_any_lines_with_any_chunk(parts: list[bytes], chunk: int) -> None:
    original = lines_module._CHUNK
    lines_module._CHUNK = chunk
    try:
        data = b"".join(part + b"\n" for part in parts)
        found = list(lines(io.BytesIO(data), CONTEXT))
    finally:
        lines_module._CHUNK = original
    if parts:
        parts[0] = parts[0].removeprefix(b"\xef\xbb\xbf")
    assert found == list(enumerate(parts, 1))


@pytest.mark.parametrize("size", [MAX_LINE + 1, MAX_LINE + (1 << 18), 10 << 20])
def test_a_long_line_is_refused_and_the_next_is_read(size: int) -> None:
    data = b"first\n" + b"x" * size + b"\nlast\n"
    found = list(lines(io.BytesIO(data), CONTEXT))
    assert found == [(1, b"first"), Refusal("x", 2, "the line is longer than 1 MiB", ""), (3, b"last")]


def test_a_line_of_the_greatest_length_is_read() -> None:
    data = b"x" * MAX_LINE
    assert list(lines(io.BytesIO(data + b"\nlast"), CONTEXT)) == [(1, data), (2, b"last")]
    assert list(lines(io.BytesIO(data), CONTEXT)) == [(1, data)]


@pytest.mark.parametrize("end", [b"", b"\nlast"])
def test_a_long_line_is_never_held(end: bytes) -> None:
    stream = Counting(100 << 20, end)
    found = list(lines(cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, stream), 1 << 16)), CONTEXT))
    assert found[0] == Refusal("x", 1, "the line is longer than 1 MiB", "")
    assert found[1:] == ([(2, b"last")] if end else [])
    assert stream.largest <= 1 << 18


def test_bad_utf8() -> None:
    assert list(text_lines(io.BytesIO(b"caf\xe9\n"), CONTEXT)) == [(1, "caf\ufffd")]


def test_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_DOCUMENT", 1 << 20)
    data = b"x" * (1 << 20)
    assert document(io.BytesIO(data), CONTEXT) == data
    assert document(io.BytesIO(b"\xef\xbb\xbf{}"), CONTEXT) == b"{}"
    assert document(io.BytesIO(data + b"x"), CONTEXT) == Refusal("x", 0, "is larger than 1 MiB", "")


def test_too_long_lines_pass_through_the_text() -> None:
    refusal = Refusal("x", 1, "the line is longer than 1 MiB", "")
    assert list(text_lines(io.BytesIO(b"x" * (MAX_LINE + 1)), CONTEXT)) == [refusal]
