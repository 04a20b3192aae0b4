"""Loading files into a store."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from threathunting.intel.allowlist import AllowList
from threathunting.intel.load import LoadReport, load
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item

EVIL = Indicator(IndicatorType.DOMAIN, "evil.com")


@pytest.fixture
def store() -> Store:
    return Store()


def told(store: Store) -> list[tuple[Indicator, Item]]:
    return list(store.items())


def total(report: LoadReport) -> int:
    return sum(report.armed.values()) + report.removed + report.duplicates + report.refused


def test_formats_are_told_and_every_entry_is_counted(tmp_path: Path, store: Store) -> None:
    message = {"ioc": "evil.com", "type": "domain", "meta": {"source": "SOAR"}}
    lines = [
        message,
        message,
        message | {"action": "remove"},
        message | {"action": "remove"},
        message | {"ioc": "a..b"},
        message,
    ]
    (tmp_path / "messages").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "intel.dat").write_text(
        "#fields\tindicator\tindicator_type\tmeta.source\n192.0.2.1\tIntel::ADDR\tCERT\n"
    )
    (tmp_path / "sheet.csv").write_text("ioc;type\nevil.com;domain\n")
    (tmp_path / "list.txt").write_text("evil.com\nnonsense\n")
    pattern = {"type": "indicator", "pattern": "[domain-name:value = 'evil.com']"}
    (tmp_path / "bundle").write_text(json.dumps({"type": "bundle", "objects": [pattern]}))
    event = {"Event": {"Attribute": [{"type": "domain", "value": "evil.com", "to_ids": True}]}}
    (tmp_path / "event").write_text(json.dumps(event))
    (tmp_path / "README").write_text("Some prose. It tells of nothing.\n")
    report = load([tmp_path], store)
    assert [(Path(file.path).name, file.format, file.read, file.refused) for file in report.files] == [
        ("README", None, 1, 1),
        ("bundle", "stix", 1, 0),
        ("event", "misp", 1, 0),
        ("intel.dat", "zeek", 1, 0),
        ("list.txt", "plain", 2, 1),
        ("messages", "messages", 6, 1),
        ("sheet.csv", "csv", 1, 0),
    ]
    assert report.armed == {"domain": 6, "addr": 1}
    assert (report.removed, report.duplicates, report.refused) == (1, 2, 3)
    assert report.read == total(report) == 13
    assert [(Path(refusal.path).name, refusal.line) for refusal in report.refusals] == [
        ("README", 0),
        ("list.txt", 2),
        ("messages", 5),
    ]
    assert sorted(item.source for indicator, item in store.items() if indicator == EVIL) == [
        "MISP", "SOAR", "bundle", "list", "sheet",
    ]  # fmt: skip


def test_what_counts_where_an_entry_tells_nothing(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "my.feed.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"ioc":"evil.com","type":"domain","meta":{"expire":60}}\n'))
    os.utime(path, (5000, 5000))
    load([str(path)], store)
    assert told(store) == [(EVIL, Item("my.feed", expires=5060.0))]
    store = Store()
    load([path], store, source="mine", told_at=100.0, default_expire=7.0)
    assert told(store) == [(EVIL, Item("mine", expires=160.0))]


def test_default_expire(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "list.txt"
    path.write_text("evil.com\nworse.com\n")
    load([path], store, told_at=100.0, default_expire=7.0)
    first, second = told(store)
    assert first[1].expires == 107.0
    assert first[1] is second[1]


def test_all_attributes(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "event.json"
    path.write_text(
        json.dumps({"Event": {"Attribute": [{"type": "domain", "value": "evil.com", "to_ids": False}]}})
    )
    assert load([path], store).refused == 1
    assert load([path], store, all_attributes=True).armed == {"domain": 1}


def test_format_by_name(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "x"
    path.write_text("ioc,type\nevil.com,domain\n")
    report = load([path], store, format="plain")
    assert report.files[0].format == "plain"
    assert report.refused == 2
    with pytest.raises(
        ValueError, match=r"unknown intel format 'xml' \(known: messages, stix, misp, zeek, csv, plain\)"
    ):
        load([path], store, format="xml")


def test_allow_list(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "list.txt"
    path.write_text("evil.com\nwww.good.com\n*.example.com\n192.0.2.0/24\n")
    allow = AllowList()
    for entry in ("good.com", "www.example.com", "192.0.2.1"):
        allow.add(entry)
    report = load([path], store, allow)
    assert [indicator.value for indicator, _ in told(store)] == ["evil.com"]
    assert [(refusal.line, refusal.reason, refusal.text) for refusal in report.refusals] == [
        (2, "domain on the allow-list (good.com)", "www.good.com"),
        (3, "domain on the allow-list (www.example.com)", "example.com"),
        (4, "subnet on the allow-list (192.0.2.1)", "192.0.2.0/24"),
    ]


def test_a_removal_of_what_is_allowed_is_done(tmp_path: Path, store: Store) -> None:
    store.add(EVIL, Item("SOAR"))
    path = tmp_path / "x"
    path.write_text('{"ioc":"evil.com","type":"domain","meta":{"source":"SOAR"},"action":"remove"}')
    allow = AllowList()
    allow.add("evil.com")
    assert load([path], store, allow).removed == 1
    assert len(store) == 0


def test_refusals_kept_are_bounded_and_counted_in_full(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "list.txt"
    path.write_text("evil.com\n" + "nonsense\n" * 1500)
    report = load([path], store)
    assert report.refused == 1500
    assert len(report.refusals) == 1000
    assert report.read == 1501


def test_a_full_store(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("evil.com\nworse.com\nevil.com\n")
    report = load([path], Store(limit=1))
    assert report.armed == {"domain": 1}
    assert report.duplicates == 1
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (2, "the store is full (1 indicators)")
    ]


def packed(kind: str, data: bytes) -> bytes:
    return gzip.compress(data) if kind == "gzip" else zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_files(tmp_path: Path, store: Store, kind: str) -> None:
    path = tmp_path / "list"  # told by its first bytes, not by its name
    data = "".join(f"{n}.evil.com\n" for n in range(50_000)).encode()
    path.write_bytes(packed(kind, data[:300_000]) + packed(kind, data[300_000:]))
    report = load([path], store)
    assert report.refused == 0
    assert len(store) == 50_000


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_what_comes_before_the_damage_is_kept(tmp_path: Path, store: Store, kind: str) -> None:
    data = b"".join(os.urandom(16).hex().encode() + b"\n" for _ in range(50_000))
    whole = packed(kind, data)
    path = tmp_path / "list"
    path.write_bytes(whole[: len(whole) // 2])
    report = load([path], store)
    assert report.refused == 1
    assert report.refusals[0].reason == f"the {kind} data ends early"
    assert 0 < len(store) < 50_000
    path.write_bytes(whole[:4] + b"\xff" * 50)
    report = load([path], store)
    assert report.refused == 1
    assert report.refusals[0].reason.startswith(f"the {kind} data is damaged")


def test_utf16(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "list"
    for encoding in ("utf-16", "utf-16-be"):
        text = "evil.com\r\nbücher.example\r\n" + "192.0.2.1\r\n" * 40_000
        path.write_bytes(
            ("\ufeff" + text).encode(encoding) if encoding == "utf-16-be" else text.encode(encoding)
        )
        store = Store()
        assert load([path], store).refused == 0
        assert store.counts() == {"addr": 1, "domain": 2}


def test_folders(tmp_path: Path, store: Store) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("z.txt", "b/y.txt", ".hidden/x.txt", ".w.txt", "a.txt"):
        (tmp_path / name).write_text("evil.com")
    (tmp_path / "loop").symlink_to(tmp_path)
    report = load([tmp_path], store)
    assert [Path(file.path).relative_to(tmp_path).as_posix() for file in report.files] == [
        "a.txt",
        "b/y.txt",
        "z.txt",
    ]


def test_a_misp_feed_by_its_folder_or_manifest(tmp_path: Path) -> None:
    uuid = "00000000-0000-4000-8000-000000000000"
    event = {"Event": {"Attribute": [{"type": "domain", "value": "evil.com", "to_ids": True}]}}
    (tmp_path / f"{uuid}.json").write_text(json.dumps(event))
    (tmp_path / "hashes.csv").write_text(f"{'a' * 32},{uuid}\n")
    (tmp_path / "manifest.json").write_text(json.dumps({uuid: {"timestamp": "1"}}))
    for path in (tmp_path, tmp_path / "manifest.json"):
        store = Store()
        report = load([path], store)
        assert told(store) == [(EVIL, Item("MISP"))]
        assert [Path(file.path).name for file in report.files] == ["manifest.json"]


def test_a_folder_with_another_manifest_is_a_folder(tmp_path: Path, store: Store) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    (tmp_path / "list.txt").write_text("evil.com")
    report = load([tmp_path], store)
    assert [(Path(file.path).name, file.format) for file in report.files] == [
        ("list.txt", "plain"),
        ("manifest.json", None),
    ]
    assert len(store) == 1


def test_standard_input(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    raw = io.BytesIO(gzip.compress(b"evil.com\n"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=raw))
    report = load(["-"], store)
    assert report.files[0].path == "-"
    assert told(store) == [(EVIL, Item("stdin"))]
    assert not raw.closed


def test_a_pipe(tmp_path: Path, store: Store) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"evil.com\n")
    os.close(writer)
    load([f"/dev/fd/{reader}"], store)
    os.close(reader)
    assert len(store) == 1


def test_what_cannot_be_read(tmp_path: Path, store: Store) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*missing"):
        load([tmp_path / "missing"], store)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04" + bytes(100), "a zip archive; unpack it first"),
        (bytes(range(256)) * 10, "no known intel format (known: messages, stix, misp, zeek, csv, plain)"),
        (b'{"some": "json"}', "no known intel format (known: messages, stix, misp, zeek, csv, plain)"),
    ],
)
def test_files_that_are_no_intel(tmp_path: Path, store: Store, data: bytes, reason: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    report = load([path], store)
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [(0, reason)]
    assert report.files[0].format is None


def test_an_empty_file_and_an_empty_folder(tmp_path: Path, store: Store) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert load([tmp_path / "empty"], store).read == 0
    (tmp_path / "folder").mkdir()
    assert load([tmp_path / "folder"], store).files == []


@pytest.mark.shared
def test_both_files_of_the_fidelity_data_are_the_same_intel(shared: Callable[[str], Path]) -> None:
    folder = shared("fidelity")
    stores = []
    for name in ("intel.dat", "intel.jsonl"):
        store = Store()
        report = load([folder / name], store)
        assert report.refused == 0
        assert report.read == len(store) == 1056
        stores.append(store)
    first, second = (
        sorted((indicator, item.source, item.desc) for indicator, item in store.items()) for store in stores
    )
    assert first == second
