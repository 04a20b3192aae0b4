"""Zeek's logs, JSON and TSV: the same records from both, and whatever goes wrong counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.plugins import BUILTIN, Registry
from threathunting.records import ReadReport, Unit
from threathunting.sensors.discover import discover
from threathunting.sensors.log_names import from_file_name, is_result

KNOWN = Registry(BUILTIN).logs.keys()
WANTED = {"conn": ("uid", "id.orig_h"), "dns": ("uid", "query", "answers"), "*": ("uid",)}

TSV = """#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tdns
#open\t2026-01-01-00-00-00
#fields\tts\tuid\tid.orig_h\tid.orig_p\tquery\tanswers\tTTLs\tAA\trcode
#types\ttime\tstring\taddr\tport\tstring\tvector[string]\tvector[interval]\tbool\tcount
"""
ROW = "1700000000.25\tC1\t10.0.0.1\t5353\tevil.example\t192.0.2.1,cdn.example\t300.0,60.0\tT\t0\n"


def records(units: Iterable[Unit]) -> tuple[list[tuple[str, dict[str, Any]]], ReadReport]:
    report = ReadReport()
    found = []
    for unit in units:
        for batch in unit.batches(WANTED, report):
            for row in range(len(batch)):
                record = batch.record(row)
                for name in WANTED.get(batch.log, WANTED["*"]):
                    value = record.get(name)
                    expected: Any = value if isinstance(value, str) else None
                    if isinstance(value, list):
                        expected = [element for element in value if isinstance(element, str)]
                    assert batch.column(name)[row] == expected
                found.append((batch.log, record))
    return found, report


def read(path: Path, content: str | bytes) -> tuple[list[tuple[str, dict[str, Any]]], ReadReport]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    inputs = discover([str(path)], KNOWN)
    assert inputs.errors == []
    return records(inputs.units)


def test_tsv_and_json_give_the_same_record(tmp_path: Path) -> None:
    expected = {
        "ts": 1700000000.25,
        "uid": "C1",
        "id.orig_h": "10.0.0.1",
        "id.orig_p": 5353,
        "query": "evil.example",
        "answers": ["192.0.2.1", "cdn.example"],
        "TTLs": [300.0, 60.0],
        "AA": True,
        "rcode": 0,
    }
    assert read(tmp_path / "dns.log", TSV + ROW)[0] == [("dns", expected)]
    assert read(tmp_path / "dns.json.log", json.dumps(expected) + "\n")[0] == [("dns", expected)]


def test_tsv_unset_empty_and_escapes(tmp_path: Path) -> None:
    rows = (
        "1.0\tC1\t10.0.0.1\t-\tback\\x5cslash\\x09tab\t(empty)\t-\tF\t-\n"
        "2.0\tC2\t10.0.0.1\t1\t\\xffraw\\x00\ta\\x2cb,-,c\t-\t-\t-\n"
    )
    (_, first), (_, second) = read(tmp_path / "dns.log", TSV + rows)[0]
    assert first == {
        "ts": 1.0,
        "uid": "C1",
        "id.orig_h": "10.0.0.1",
        "query": "back\\slash\ttab",
        "answers": [],
        "AA": False,
    }
    # Bytes that a JSON log shows as \xHH stay so: both forms give one value.
    assert second["query"] == "\\xffraw\\x00"
    assert second["answers"] == ["a,b", "c"]


def test_tsv_fields_in_any_order_other_separator_and_a_header_in_the_middle(tmp_path: Path) -> None:
    text = (
        "#separator |\n#unset_field|~\n#path|conn\n#fields|id.orig_h|uid|ts\n#types|addr|string|time\n"
        "10.0.0.1|C1|1.5\n"
        "#separator \\x09\n#path\tconn\n#fields\tuid\tid.orig_h\n#types\tstring\taddr\nC2\t10.0.0.2\n"
    )
    found, report = read(tmp_path / "conn.log", text)
    assert found == [
        ("conn", {"id.orig_h": "10.0.0.1", "uid": "C1", "ts": 1.5}),
        ("conn", {"uid": "C2", "id.orig_h": "10.0.0.2"}),
    ]
    assert report.records == 2


def test_tsv_split_in_units_gives_the_same(tmp_path: Path) -> None:
    other = TSV.replace("uid\tid.orig_h", "id.orig_h\tuid").replace("string\taddr", "addr\tstring")
    swapped = ROW.replace("C1\t10.0.0.1", "10.0.0.1\tC1")
    path = tmp_path / "dns.log"
    path.write_text((TSV + ROW * 50 + other + swapped * 50) * 3)
    whole = records(discover([str(path)], KNOWN).units)[0]
    assert len(whole) == 300
    for size in (100, 777, 5000):
        inputs = discover([str(path)], KNOWN, unit_bytes=size)
        assert len(inputs.units) > 1
        assert records(inputs.units)[0] == whole


def test_a_last_line_without_end(tmp_path: Path) -> None:
    found, report = read(tmp_path / "conn.log", '{"ts":1,"uid":"C1"}\n{"ts":2,"uid":"C2"}')
    assert [record["uid"] for _, record in found] == ["C1", "C2"]
    found, report = read(tmp_path / "conn.log", '{"ts":1,"uid":"C1"}\n{"ts":2,"ui')
    assert [record["uid"] for _, record in found] == ["C1"]
    assert (report.unfinished, report.bad_records) == (1, 0)
    found, report = read(tmp_path / "dns.log", TSV + ROW + "1700000000.25\tC2\t10.0")
    assert (len(found), report.unfinished, report.bad_records) == (1, 1, 0)


@pytest.mark.parametrize(
    ("line", "bad", "repaired"),
    [
        (b'{"ts":1,"uid":"C', 1, 0),
        (b"[1,2]", 1, 0),
        (b'"text"', 1, 0),
        (b"\xff\xfe\x00junk", 1, 0),
        (b'{"uid":' + b"[" * 100_000, 1, 0),
        (b'{"ts":1,"uid":5,"id.orig_h":"10.0.0.9"}', 0, 1),
        (b'{"ts":1,"uid":{"a":[1]},"id.orig_h":["10.0.0.9",4]}', 0, 1),
        (b'{"ts":1,"uid":"C\xff"}', 0, 1),
        (b'\x00\x00{"ts":1,"uid":"C1"}\x00', 0, 1),
        (b"", 0, 0),
        (b"   \r", 0, 0),
    ],
)
def test_bad_json_lines_are_counted_and_the_others_read(
    tmp_path: Path, line: bytes, bad: int, repaired: int
) -> None:
    good = b'{"ts":1,"uid":"good"}'
    found, report = read(tmp_path / "conn.log", b"\n".join((good, line, good)) + b"\n")
    assert [record["uid"] for _, record in found].count("good") == 2
    assert (report.bad_records, report.repaired_records) == (bad, repaired)
    assert report.records == len(found) == 2 + repaired
    if bad:
        assert report.rejected[0].offset == len(good) + 1
        assert line.startswith(report.rejected[0].raw[:100])


@pytest.mark.parametrize(
    "row", ["too\tfew\n", ROW.replace("\t0\n", "\t0\tmore\n"), "no tabs at all\n", "\x00\x00\x00\n"]
)
def test_bad_tsv_lines_are_counted_and_the_others_read(tmp_path: Path, row: str) -> None:
    found, report = read(tmp_path / "dns.log", TSV + ROW + row + ROW)
    assert len(found) == report.records == 2
    assert report.bad_records == (0 if row.startswith("\x00") else 1)


def test_tsv_values_of_the_wrong_type_stay_text(tmp_path: Path) -> None:
    row = "yesterday\tC1\tnot-an-address\thigh\tq\tx\tsoon\tmaybe\tmany\n"
    ((_, record),), _ = read(tmp_path / "dns.log", TSV + row)
    assert record["ts"] == "yesterday"
    assert record["id.orig_p"] == "high"
    assert record["AA"] == "maybe"


def test_tsv_with_bad_utf8(tmp_path: Path) -> None:
    found, report = read(
        tmp_path / "dns.log", (TSV + ROW).encode() + ROW.encode().replace(b"evil", b"ev\xffil") + ROW.encode()
    )
    assert [record["query"] for _, record in found] == ["evil.example", "ev\\xffil.example", "evil.example"]
    assert report.repaired_records == 1


def test_two_objects_on_a_line_and_empty_lines_keep_rows_and_records_together(tmp_path: Path) -> None:
    content = b'{"uid":"C1","ts":1}{"uid":"C2","ts":1}\n\n  \n{"uid":"C3","ts":1}\r\n'
    found, report = read(tmp_path / "conn.log", content)
    assert [record["uid"] for _, record in found] == ["C1", "C2", "C3"]
    assert report.records == 3


def test_streams_of_several_logs(tmp_path: Path) -> None:
    by_path = '{"_path":"conn","uid":"C1"}\n{"_path":"dns","uid":"C1","query":"a.example"}\n{"_path":"own","uid":"C2"}\n'
    assert {log for log, _ in read(tmp_path / "stream.json", by_path)[0]} == {"conn", "dns", "own"}
    by_shape = '{"ts":1,"uid":"C1","conn_state":"SF"}\n{"ts":1,"uid":"C1","query":"a","qtype_name":"A"}\n{"ts":1,"uid":"C9"}\n'
    assert [log for log, _ in read(tmp_path / "evidence.json", by_shape)[0]] == ["conn", "dns", "evidence"]


def test_nested_names_are_made_flat(tmp_path: Path) -> None:
    line = '{"ts":1,"uid":"C1","id":{"orig_h":"10.0.0.1","orig_p":1},"conn_state":"SF"}\n'
    assert read(tmp_path / "conn.log", line)[0] == [
        ("conn", {"ts": 1, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "conn_state": "SF"})
    ]


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    long = '{"ts":1,"uid":"C1","id.orig_h":"10.0.0.1","x":"' + "y" * 10_000_000 + '"}\n'
    found, report = read(tmp_path / "conn.log", long + '{"ts":1,"uid":"C2"}\n')
    assert [record["uid"] for _, record in found] == ["C1", "C2"]
    assert report.bad_records == 0


@given(data=st.binary(max_size=300))
def test_any_bytes_in_a_log_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, start in (("conn.log", b'{"uid":"C0"}\n'), ("dns.log", TSV.encode())):
        (folder / name).write_bytes(start + data + b'\n{"uid":"C1"}\n' + ROW.encode())
    found, report = records(discover([str(folder)], KNOWN).units)
    assert report.records == len(found)
    assert any(record.get("uid") == "C0" for _, record in found)


class TestDiscover:
    def test_folders_globs_results_and_what_is_no_log(self, tmp_path: Path) -> None:
        day = tmp_path / "2026-01-01"
        day.mkdir()
        line = '{"ts":1,"uid":"C1"}\n'
        (day / "conn.10:00:00-11:00:00.log").write_text(line)
        (day / "http-investigation.log").write_text(line)
        (day / "intel.log").write_text(line)
        (day / "stderr.log").write_text("warning: something\n")
        (day / "empty.log").write_text("")
        (day / ".hidden").write_text(line)
        inputs = discover([str(tmp_path)], KNOWN)
        assert [Path(unit.path).name for unit in inputs.units] == ["conn.10:00:00-11:00:00.log"]
        assert [Path(path).name for path in inputs.passed_over] == [
            "http-investigation.log",
            "intel.log",
            "stderr.log",
        ]
        assert inputs.errors == []
        assert len(discover([str(day / "conn*.log")], KNOWN).units) == 1

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [(b"\x7fELF\x00\x01\x02" * 50, "neither a Zeek log"), (b"\x1f\x8bnot gzip", "damaged archive")],
    )
    def test_named_files_that_are_no_logs(self, tmp_path: Path, content: bytes, sentence: str) -> None:
        path = tmp_path / "conn.log"
        path.write_bytes(content)
        (tmp_path / "found.log").write_bytes(content)
        inputs = discover([str(path), str(tmp_path / "nowhere"), str(tmp_path)], KNOWN)
        assert sentence in inputs.errors[0]
        assert "does not exist" in inputs.errors[1]
        assert len(inputs.passed_over) == 1

    def test_a_file_named_twice_is_read_once(self, tmp_path: Path) -> None:
        log = tmp_path / "conn.log"
        log.write_text('{"ts":1,"uid":"C1"}\n')
        (tmp_path / "current.log").symlink_to(log)
        assert len(discover([str(log), str(tmp_path), str(tmp_path / "c*.log")], KNOWN).units) == 1

    def test_a_first_line_longer_than_what_is_looked_at(self, tmp_path: Path) -> None:
        log = tmp_path / "conn.log"
        for size in (10_000, 3_000_000):
            log.write_text('{"ts":1,"uid":"C1","x":"' + "y" * size + '"}\n')
            (unit,) = discover([str(log)], KNOWN).units
            assert unit.logs() == frozenset({"conn"})

    @pytest.mark.parametrize(
        ("name", "log"),
        [
            ("conn.log", "conn"),
            ("conn.10:00:00-11:00:00.log.gz", "conn"),
            ("conn-20260101.log", "conn"),
            ("smb_files.2026-01-01-00-00-00.log.zst", "smb_files"),
            ("json_streaming_x509.1.log", "x509"),
            ("http2.log", "http2"),
            ("http-investigation.log", "http"),
            ("notes.txt", None),
        ],
    )
    def test_names(self, name: str, log: str | None) -> None:
        assert from_file_name(name) == log

    def test_results_are_known_by_name(self) -> None:
        assert is_result(Path("a/http-investigation.log"))
        assert is_result(Path("intel.log"))
        assert not is_result(Path("http.log"))
