"""Blocks of whole lines, from plain files, parts of files, archives and what is damaged."""

from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from threathunting.records import ReadReport
from threathunting.sensors import lines
from threathunting.sensors.lines import WHOLE, Span, blocks, head


def read(path: Path, span: Span = WHOLE) -> tuple[bytes, ReadReport]:
    report = ReadReport()
    data = b""
    for offset, block in blocks(path, span, report):
        assert path.suffix or offset >= span.start
        data += block
    return data, report


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 16)


@given(
    content=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=20),
    ended=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
def test_spans_together_give_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], ended: bool, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("spans") / "log"
    content = [b"#", *content]  # not to be taken for an archive
    data = b"\n".join(content) + (b"\n" if ended else b"")
    path.write_bytes(data)
    marks = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    spans = [Span(a, b, len(data)) for a, b in itertools.pairwise(marks)]
    together = b""
    for span in spans:
        for offset, block in blocks(path, span, ReadReport()):
            assert data[offset : offset + len(block)] == block
            together += block
    assert together == data
    assert read(path)[0] == data


def test_nothing_beyond_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"one\ntwo\nthr")
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"ee\nfour\n")
    assert read(path, Span(0, size, size))[0] == b"one\ntwo\nthr"


@pytest.mark.parametrize("kind", ["gz", "two gz", "zst", "two zst"])
def test_archives(tmp_path: Path, kind: str) -> None:
    content = b"".join(b"line %d\n" % number for number in range(5000))
    half = len(content) // 2
    pack = gzip.compress if "gz" in kind else zstandard.ZstdCompressor().compress
    path = tmp_path / "log.archive"
    path.write_bytes(pack(content[:half]) + pack(content[half:]) if "two" in kind else pack(content))
    data, report = read(path)
    assert data == content
    assert report.errors == []
    assert report.consumed == path.stat().st_size
    assert head(path, 100) == content[:100]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_truncated_archive_is_told_and_read_as_far_as_it_goes(tmp_path: Path, pack: object) -> None:
    noise = random.Random(1)
    content = b"".join(b"%d\n" % noise.getrandbits(64) for _ in range(50_000))
    packed = pack(content)  # type: ignore[operator]
    path = tmp_path / "cut.archive"
    path.write_bytes(packed[: len(packed) // 2])
    data, report = read(path)
    assert len(data) > 1000
    assert content.startswith(data)
    assert len(report.errors) == 1
    assert "cut short" in report.errors[0]
    assert str(path) in report.errors[0]


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(b"line %d\n" % n for n in range(50_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 20] = b"\xff" * 20
    path = tmp_path / "bad.archive"
    path.write_bytes(packed)
    _, report = read(path)
    assert len(report.errors) == 1
    assert "damaged" in report.errors[0] or "cut short" in report.errors[0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_decompression_bomb_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    monkeypatch.setattr(lines, "BLOCK", 256 * 1024)
    monkeypatch.setattr(lines, "BOMB_BYTES", 1 << 20)
    path = tmp_path / "bomb.archive"
    path.write_bytes(pack(b"0" * (64 << 20)))  # type: ignore[operator]
    _, report = read(path)
    assert any("unpacks to more than 700 times its size" in error for error in report.errors)


def test_a_very_long_line_is_counted_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    path = tmp_path / "long"
    path.write_bytes(b"short\n" + b"x" * 1000 + b"\nnext\n")
    data, report = read(path)
    assert data == b"short\nnext\n"
    assert report.bad_records == 1
    assert report.rejected[0].offset == 6
    assert "more than 100 bytes" in report.rejected[0].reason
