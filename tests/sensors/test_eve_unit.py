"""EVE files as units: what is read, skipped, counted and refused."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.sensors import eve_events as eve
from threathunting.records import ReadReport, Wanted
from threathunting.sensors.eve import EveUnit, looks_like_eve
from threathunting.sensors.eve.unit import BATCH_ROWS

ALL: Wanted = {"*": ()}


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def read(
    path: Path, wanted: Wanted = ALL, size: int | None = None
) -> tuple[list[tuple[str, dict[str, Any]]], ReadReport]:
    report = ReadReport()
    unit = EveUnit(path, path.stat().st_size if size is None else size)
    records = []
    for batch in unit.batches(wanted, report):
        assert len(batch) > 0
        for row in range(len(batch)):
            records.append((batch.log, batch.record(row)))
            assert batch.raw(row) is None
    return records, report


def test_a_log_with_all_events(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b"".join(map(line, [*eve.ALL, eve.STATS])))
    records, report = read(path)
    assert {"conn", "dns", "http", "files", "ssl", "x509", "smtp"} <= {log for log, _ in records}
    assert report.records == len(eve.ALL) + 1
    assert report.bytes == path.stat().st_size
    assert (report.bad_records, report.errors) == (0, [])


def test_columns_hold_texts_and_lists_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(line(eve.QUERY_V2) + line(eve.ANSWER_V2))
    [batch] = EveUnit(path, path.stat().st_size).batches(ALL, ReadReport())
    assert batch.log == "dns"
    assert batch.column("query") == ["lure.example"]
    assert batch.column("answers") == [["cdn.lure.example", "192.0.2.7", "2001:db8::7"]]
    assert batch.column("id.resp_p") == [None]
    assert batch.column("nothing") == [None]


def test_compressed_logs(tmp_path: Path) -> None:
    content = line(eve.SSH) * 3
    for name, packed in (
        ("eve.json.gz", gzip.compress(content)),
        ("eve.json.zst", zstandard.compress(content)),
    ):
        (tmp_path / name).write_bytes(packed)
        records, report = read(tmp_path / name)
        assert [log for log, _ in records] == ["ssh"] * 3
        assert report.bytes == len(content)


def test_bad_lines_are_counted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    bad = [b"{oops}\n", b"[1]\n", b'"text"\n', b'{"no":"type"}\n', b'{"event_type":7}\n', b"{" * 5000 + b"\n"]
    good = line(eve.SSH)
    path.write_bytes(good + b"".join(bad) + b"\n  \n" + good)
    records, report = read(path)
    assert [log for log, _ in records] == ["ssh", "ssh"]
    assert (report.records, report.bad_records) == (2, len(bad))
    assert [rejected.raw for rejected in report.rejected] == [one[:4096] for one in bad]
    assert report.rejected[0].offset == len(good)
    content = path.read_bytes()
    assert all(content[rejected.offset :].startswith(rejected.raw) for rejected in report.rejected)


def test_bad_utf8_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(line(eve.HTTP).replace(b"curl/8", b"curl\xff"))
    records, report = read(path)
    assert records[0][1]["user_agent"] == "curl\ufffd"
    assert (report.records, report.repaired_records, report.bad_records) == (1, 1, 0)


def test_the_end_of_a_growing_log(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    whole = line(eve.SSH)
    path.write_bytes(whole + whole[:50])
    records, report = read(path)
    assert (len(records), report.records, report.unfinished, report.bad_records) == (1, 1, 1, 0)
    # A whole last line is an event even without its end; and no more is read than there was at first.
    path.write_bytes(whole + whole.rstrip(b"\n"))
    assert len(read(path)[0]) == 2
    path.write_bytes(whole * 5)
    assert len(read(path, size=2 * len(whole))[0]) == 2


def test_unwanted_types_are_passed_over_and_still_counted(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    # Not JSON, to see that it isn't decoded.
    undecoded = b'{"timestamp":"x","event_type":"smb",oops}\n'
    path.write_bytes(line(eve.SSH) + undecoded + line(eve.QUERY_V2) + line(eve.FILE))
    records, report = read(path, {"ssh": ("client",), "files": ("md5",)})
    assert [log for log, _ in records] == ["ssh", "files"]
    assert (report.records, report.bad_records) == (4, 0)
    records, report = read(path, {"ssh": (), "*": ()})
    assert report.bad_records == 1
    # A cut line is looked at, whatever its type; so is one whose type isn't where Suricata writes it.
    path.write_bytes(undecoded.rstrip(b"}\n") + b"\n" + line({"x": "y" * 500, "event_type": "smb"}))
    assert read(path, {"ssh": ()})[1].bad_records == 1


def test_batches_are_bounded_and_the_logs_keep_step(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes((line(eve.SSH) + line(eve.FILE)) * BATCH_ROWS)
    sizes = [
        (batch.log, len(batch)) for batch in EveUnit(path, path.stat().st_size).batches(ALL, ReadReport())
    ]
    assert sizes == [("ssh", BATCH_ROWS // 2), ("files", BATCH_ROWS // 2)] * 2


def test_a_unit_can_be_pickled_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b"".join(map(line, eve.ALL)))
    unit = pickle.loads(pickle.dumps(EveUnit(path, path.stat().st_size)))
    assert unit.path == str(path)
    assert unit.logs() is None
    first, second = [
        [batch.record(row) for batch in unit.batches(ALL, ReadReport()) for row in range(len(batch))]
        for _ in range(2)
    ]
    assert first == second


@pytest.mark.parametrize(
    ("first", "is_eve"),
    [
        (line(eve.SSH), True),
        (line(eve.STATS), True),
        (line(eve.TLS)[:900], True),
        (b'{"ts":1,"uid":"C1","id.orig_h":"10.0.0.1"}\n', False),
        (b'{"event_type":"x"}\n', False),
        (b'{"@timestamp":"x","event":{"type":"y"}}\n', False),
        (b"#separator \\x09\n", False),
        (b"", False),
        (b"[]\n", False),
    ],
)
def test_what_looks_like_eve(first: bytes, is_eve: bool) -> None:
    assert looks_like_eve(first) is is_eve
