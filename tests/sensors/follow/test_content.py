"""The bytes of files and of archives, from any place on."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from threathunting.sensors.follow import content
from threathunting.sensors.follow.content import Packed, opened

DATA = b"".join(b"line %d of some length\n" % number for number in range(40_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content")
    for name, pack in PACKERS.items():
        (folder / name).write_bytes(pack(DATA))
    return folder


@given(
    kind=st.sampled_from(list(PACKERS)),
    reads=st.lists(
        st.tuples(st.integers(0, len(DATA) + 10), st.sampled_from([1, 100, 300_000, 2_000_000])), max_size=4
    ),
)
def test_what_is_read_is_what_is_there(folder: Path, kind: str, reads: list[tuple[int, int]]) -> None:
    source = opened(str(folder / kind))
    for offset, size in reads:
        assert source.read(offset, size) == DATA[offset : offset + size]
    source.close()


@pytest.mark.parametrize("kind", list(PACKERS))
def test_on_the_way_to_a_place_only_so_much_is_done_at_once(folder: Path, kind: str) -> None:
    with patch.object(content, "STEP", 200_000):
        source = opened(str(folder / kind))
        steps = 1
        while not source.reach(len(DATA) - 10):
            steps += 1
        assert (steps > 2) is (kind != "plain")
    assert source.read(len(DATA) - 10, 100) == DATA[-10:]
    if isinstance(source, Packed):
        assert (source.ended, source.end, source.errors) == (True, len(DATA), [])
    source.close()


def test_a_damaged_archive_ends_with_a_sentence(folder: Path) -> None:
    path = folder / "cut"
    path.write_bytes(gzip.compress(DATA)[:20_000])
    source = opened(str(path))
    assert isinstance(source, Packed)
    data = source.read(0, len(DATA))
    assert DATA.startswith(data)
    assert len(data) > 10_000
    [error] = source.errors
    assert "is cut short" in error
    source.close()


def test_a_missing_file_is_an_oserror(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(str(folder / "nothing"))
