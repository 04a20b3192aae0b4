"""Capture files: recognised, walked through, unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from threathunting.sensors.pcap.capture import Check, beginning, check, looks_like_pcap, unpacked

SIZES = [60, 0, 1514, 77]
PCAP_KINDS = {
    "us-little": ("<", b"\xd4\xc3\xb2\xa1", 16),
    "us-big": (">", b"\xa1\xb2\xc3\xd4", 16),
    "ns-little": ("<", b"\x4d\x3c\xb2\xa1", 16),
    "ns-big": (">", b"\xa1\xb2\x3c\x4d", 16),
    "modified-little": ("<", b"\x34\xcd\xb2\xa1", 24),
    "modified-big": (">", b"\xa1\xb2\xcd\x34", 24),
}


def pcap(kind: str = "us-little", sizes: list[int] = SIZES) -> bytes:
    order, magic, header = PCAP_KINDS[kind]
    content = magic + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, 1)
    for size in sizes:
        content += struct.pack(order + "IIII", 1, 2, size, size) + b"\0" * (header - 16) + b"x" * size
    return content


def block(order: str, kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng(orders: str = "<", sizes: list[int] = SIZES) -> bytes:
    content = b""
    for order in orders:
        content += block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        content += block(order, 1, struct.pack(order + "HHI", 1, 0, 65535))
        for size in sizes:
            content += block(order, 6, struct.pack(order + "IIIII", 0, 0, 0, size, size) + b"x" * size)
    return content


def checked(tmp_path: Path, content: bytes) -> Check:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    return check(path)


@pytest.mark.parametrize("kind", PCAP_KINDS)
def test_pcaps_of_all_kinds(tmp_path: Path, kind: str) -> None:
    content = pcap(kind)
    assert looks_like_pcap(content[:4])
    assert checked(tmp_path, content) == Check(4, None, len(content))
    assert checked(tmp_path, pcap(kind, [])) == Check(0, None, 24)


@pytest.mark.parametrize("orders", ["<", ">", "<>", "><"])
def test_pcapngs_of_both_byte_orders(tmp_path: Path, orders: str) -> None:
    content = pcapng(orders)
    assert looks_like_pcap(content[:12])
    assert checked(tmp_path, content) == Check(4 * len(orders), None, len(content))


@pytest.mark.parametrize(
    "content", [b"", b"\xd4\xc3", b"\x0a\x0d\x0d\x0a", b"{}\n", b"\x0a\x0d\x0d\x0a12345678"]
)
def test_what_is_no_capture(tmp_path: Path, content: bytes) -> None:
    assert not looks_like_pcap(content)
    assert checked(tmp_path, content) == Check(0, "is not a capture", 0)


def test_damage(tmp_path: Path) -> None:
    content = bytearray(pcap())
    content[24 + 16 + 60 + 8 : 24 + 16 + 60 + 12] = b"\xff\xff\xff\x7f"
    assert checked(tmp_path, bytes(content)) == Check(1, "is damaged after 1 packet", 24 + 16 + 60)
    content = bytearray(pcapng())
    content[4:8] = b"\x07\0\0\0"
    assert checked(tmp_path, bytes(content)) == Check(0, "is damaged after 0 packets", 0)
    assert checked(tmp_path, b"\xd4\xc3\xb2\xa1" + b"\7" * 60).problem == (
        "has the first bytes of a capture, but not its version (2)"
    )


@given(st.sampled_from([pcap(), pcap("modified-big"), pcapng("<>")]), st.data())
def test_a_cut_anywhere_is_told_and_what_is_before_it_is_whole(content: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(12, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.pcap"
        path.write_bytes(content[:cut])
        found = check(path)
        assert found.end <= cut
        assert (found.problem is None) == (found.end == cut)
        if found.packets:
            copy = beginning(path, found.end, Path(folder))
            assert check(copy) == Check(found.packets, None, found.end)
            assert content.startswith(copy.read_bytes())
        if found.problem is not None:
            assert "cut short" in found.problem


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header(data: bytes) -> None:
    for start in (pcap(sizes=[]), pcapng(sizes=[])):
        with tempfile.TemporaryDirectory() as folder:
            assert checked(Path(folder), start + data).end <= len(start) + len(data)


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.compress, bz2.compress, lzma.compress], ids=["gz", "zst", "bz2", "xz"]
)
def test_archives(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    packed = tmp_path / "x.pcap.packed"
    packed.write_bytes(pack(pcap()))
    folder = tmp_path / "work"
    folder.mkdir()
    plain, problem = unpacked(packed, folder)
    assert (plain.parent, problem) == (folder, None)
    assert plain.read_bytes() == pcap()
    packed.write_bytes(packed.read_bytes()[:-9])
    plain, problem = unpacked(packed, folder)
    assert problem is None or "damaged or cut short" in problem
    assert pcap().startswith(plain.read_bytes())


def test_a_plain_capture_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap())
    assert unpacked(path, tmp_path) == (path, None)


def test_what_unpacks_to_far_too_much_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threathunting.sensors.pcap.capture.BOMB_BYTES", 1 << 20)
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(b"\0" * (20 << 20)))
    plain, problem = unpacked(path, tmp_path)
    assert problem is not None
    assert "times its size" in problem
    assert plain.stat().st_size < 20 << 20
