"""The command as a person types it: what it prints, what it leaves behind, and its exit status."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..making import ENDS, read, write_log

COMMAND = [sys.executable, "-m", "threathunting"]


def run(*arguments: str | Path, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment,
        timeout=120,
        **options,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.fixture
def intel(tmp_path: Path) -> Path:
    path = tmp_path / "intel.txt"
    path.write_text("evil[.]example\n192.0.2.66\n")
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    write_log(
        folder / "dns.log",
        [
            {"ts": 1.0, "uid": "C1", **ENDS, "query": "evil.example"},
            {"ts": 2.0, "uid": "C2", **ENDS, "query": "good.example"},
        ],
    )
    write_log(
        folder / "conn.log",
        [
            {"ts": 1.0, "uid": "C1", **ENDS, "conn_state": "SF"},
            {"ts": 2.0, "uid": "C2", **ENDS, "conn_state": "SF"},
        ],
    )
    return folder


def test_the_table_and_the_results(logs: Path, intel: Path, tmp_path: Path) -> None:
    done = run("hunt", logs, "--intel", intel, "--out", tmp_path / "out")
    assert done.returncode == 0
    text = done.stdout.decode()
    header, row = text.splitlines()[:2]
    assert header.split()[:3] == ["indicator", "type", "level"]
    assert row.split()[:3] == ["evil.example", "domain", "low"]
    assert "1 sightings of 1 indicators in 1 conversations; 2 records captured" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "conn-investigation.log", "dns-investigation.log", "intel.log", "summary.json",
    ]  # fmt: skip


def test_json_is_one_object_and_nothing_else(logs: Path, intel: Path) -> None:
    done = run("hunt", logs, "--intel", intel, "--json")
    assert done.returncode == 0
    assert done.stderr == b""
    summary = json.loads(done.stdout)
    assert done.stdout.count(b"\n") == 1
    assert summary["complete"] is True
    assert {name: summary[name] for name in ("records", "sightings", "conversations", "indicators", "rejected_intel", "bad_records")} == {
        "records": 4, "sightings": 1, "conversations": 1, "indicators": 2, "rejected_intel": 0, "bad_records": 0,
    }  # fmt: skip
    assert summary["bytes"] == sum(path.stat().st_size for path in logs.iterdir())
    assert isinstance(summary["seconds"], float)
    assert summary["investigations"] == 2
    assert summary["sighted"][0]["first_seen"] == "1970-01-01T00:00:01Z"


def test_sightings_for_a_pipe(logs: Path, intel: Path) -> None:
    done = run("hunt", logs, "-i", intel, "-o", "-")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["seen.indicator"] == "evil.example"


def test_standard_input(logs: Path, intel: Path, tmp_path: Path) -> None:
    stream = (logs / "dns.log").read_bytes().replace(b'"ts"', b'"_path":"dns","ts"')
    for data in (stream, gzip.compress(stream)):
        done = run("hunt", "-", "--intel", intel, "--out", tmp_path / "out", stdin=data)
        assert done.returncode == 0
        assert [line["uid"] for line in read(tmp_path / "out" / "dns-investigation.log")] == ["C1"]


def test_files_of_all_kinds_in_one_call(logs: Path, intel: Path, tmp_path: Path) -> None:
    tsv = tmp_path / "http.log.gz"
    tsv.write_bytes(
        gzip.compress(
            b"#separator \\x09\n#path\thttp\n#fields\tts\tuid\thost\n#types\ttime\tstring\tstring\n3.0\tC3\tevil.example\n"
        )
    )
    eve = tmp_path / "eve.json"
    eve.write_text(json.dumps({
        "timestamp": "2026-01-01T00:00:00.000000+0000", "flow_id": 77, "event_type": "tls", "src_ip": "10.0.0.1", "src_port": 1,
        "dest_ip": "192.0.2.1", "dest_port": 443, "proto": "TCP", "tls": {"sni": "evil.example", "version": "TLS 1.3"},
    }) + "\n")  # fmt: skip
    done = run("hunt", str(logs / "*.log"), tsv, eve, "--intel", intel, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["sightings"] == 3


def test_an_allow_list(logs: Path, intel: Path, tmp_path: Path) -> None:
    allow = tmp_path / "allow.txt"
    allow.write_text("evil.example\n")
    summary = json.loads(run("hunt", logs, "--intel", intel, "--allow", allow, "--json").stdout)
    assert (summary["sightings"], summary["rejected_intel"], summary["indicators"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["hunt", "{logs}"], "--intel"),
        (["hunt", "{tmp}/nowhere", "--intel", "{intel}"], "nowhere does not exist"),
        (["hunt", "{logs}", "--intel", "{tmp}/nowhere"], "nowhere"),
        (["hunt", "{empty}", "--intel", "{intel}"], "holds no file"),
        (["hunt", "{notes}", "--intel", "{intel}"], "no logs and no captures"),
        (["hunt", "{binary}", "--intel", "{intel}"], "neither a Zeek log"),
        (["hunt", "{logs}", "--intel", "{binary}"], "no intel to hunt with"),
        (["hunt", "{logs}", "--intel", "{intel}", "--modules", "HTTP,TELNETX"], "unknown module TELNETX"),
        (["hunt", "{logs}", "--intel", "{intel}", "--format", "cef"], "--format"),
        (["hunt", "{logs}", "--intel", "{intel}", "--workers", "0"], "--workers"),
        (["hunt", "{logs}", "--intel", "{intel}", "--json", "--out", "-"], "standard output"),
        (["hunt", "{logs}", "--intel", "{intel}", "--intel-format", "x"], "x"),
        (["hunt", "{logs}", "--intel", "{intel}", "--out", "{foreign}"], "which no hunt of ours wrote"),
        (["hunter"], "hunter"),
    ],
)
def test_bad_usage_and_bad_input(
    arguments: list[str], sentence: str, logs: Path, intel: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("notes", "foreign"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes" / "read.me").write_text("no log\n")
    (tmp_path / "foreign" / "intel.log").write_text("{}\n")
    (tmp_path / "conn.log").write_bytes(b"\x7fELF\x00\x01" * 1000)
    names = {"logs": logs, "intel": intel, "tmp": tmp_path, "empty": tmp_path / "empty", "notes": tmp_path / "notes",
             "binary": tmp_path / "conn.log", "foreign": tmp_path / "foreign"}  # fmt: skip
    done = run(*[argument.format(**names) for argument in arguments])
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr.decode()
    assert done.stdout == b""
    assert (tmp_path / "foreign" / "intel.log").read_text() == "{}\n"


def test_one_bad_input_does_not_keep_the_others_from_being_hunted(
    logs: Path, intel: Path, tmp_path: Path
) -> None:
    packed = gzip.compress(
        b"".join(b'{"ts":%d,"uid":"C%d","query":"evil.example"}\n' % (n, n) for n in range(10, 5000))
    )
    (logs / "dns.2.log.gz").write_bytes(packed[: len(packed) // 2])
    done = run("hunt", logs, tmp_path / "nowhere", "--intel", intel, "--out", tmp_path / "out", "--json")
    assert done.returncode == 2
    summary = json.loads(done.stdout)
    assert summary["complete"] is True
    assert len(summary["errors"]) == 2
    assert summary["sightings"] > 100
    assert len(read(tmp_path / "out" / "intel.log")) == summary["sightings"]


def test_bad_records_are_counted_told_and_kept_aside(logs: Path, intel: Path, tmp_path: Path) -> None:
    with (logs / "dns.log").open("ab") as file:
        file.write(
            b'{"ts":3,"uid":"C\n{"ts":3,"uid":"C3","query":["evil.example",5]}\n\x00\x01\x02\n{"ts":3,"query":"evil.ex'
        )
    done = run("hunt", logs, "--intel", intel, "--out", tmp_path / "out")
    assert done.returncode == 0
    notes = done.stderr.decode()
    assert "2 bad records left out" in notes
    assert "1 records hunted without a field" in notes
    assert "1 unfinished last lines" in notes
    rejected = read(tmp_path / "out" / "rejected.log")
    assert [line["path"] for line in rejected] == [str(logs / "dns.log")] * 2
    assert rejected[0]["raw"] == '{"ts":3,"uid":"C'
    assert len(read(tmp_path / "out" / "intel.log")) == 2


def test_empty_files_are_no_error(tmp_path: Path, intel: Path) -> None:
    (tmp_path / "conn.log").write_bytes(b"")
    done = run("hunt", tmp_path / "conn.log", "--intel", intel, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["records"] == 0


def test_results_of_an_earlier_hunt_are_replaced(logs: Path, intel: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert run("hunt", logs, "--intel", intel, "--out", out).returncode == 0
    assert len(read(out / "intel.log")) == 1
    intel.write_text("nobody.example\n")
    assert run("hunt", logs, "--intel", intel, "--out", out).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["summary.json"]


def test_hunting_where_results_of_hunts_lie(logs: Path, intel: Path) -> None:
    for _ in range(2):
        done = run("hunt", logs, "--intel", intel, "--out", logs / "results", "--json")
        assert json.loads(done.stdout)["records"] == 4


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_is_said_and_leaves_whole_lines(workers: str, intel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for part in range(3):
        write_log(
            folder / f"dns.{part}.log",
            [{"ts": n, "uid": f"C{part}-{n}", "query": "evil.example"} for n in range(2000)],
        )
    limit = 400_000

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    out = tmp_path / "out"
    done = run("hunt", folder, "--intel", intel, "--out", out, "--workers", workers, preexec_fn=small_disk)
    assert done.returncode == 1
    assert "error: " in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["complete"] is False
    for path in out.glob("*.log"):
        data = path.read_bytes()
        assert data.endswith(b"\n") or not data
        for line in data.splitlines():
            json.loads(line)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_whole_lines_and_says_so(workers: str, intel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    line = '{"ts":1,"uid":"C%d","query":"evil.example"}\n'
    text = "".join(line % number for number in range(20_000))
    for part in range(40):
        (folder / f"dns.{part}.log").write_text(text)
    out = tmp_path / "out"
    hunt = subprocess.Popen(
        [*COMMAND, "hunt", str(folder), "--intel", str(intel), "--out", str(out), "--workers", workers],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while (
        not ((out / "intel.log").exists() and (out / "intel.log").stat().st_size)
        and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    os.killpg(hunt.pid, signal.SIGINT)
    _, errors = hunt.communicate(timeout=60)
    assert hunt.returncode == 1
    assert b"interrupted" in errors
    assert b"Traceback" not in errors
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["complete"] is False
    written = read(out / "intel.log")
    assert 0 < len(written) == summary["sightings"] < 800_000
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_reader_that_goes_away(intel: Path, tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_text('{"ts":1,"uid":"C1","query":"evil.example"}\n' * 50_000)
    command = " ".join([*COMMAND, "hunt", str(log), "--intel", str(intel), "--out", "-"])
    done = subprocess.run(["sh", "-c", f"{command} | head -n 1"], capture_output=True, timeout=60)
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_an_unreadable_file(
    logs: Path, intel: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """In this process, as root reads everything."""
    from threathunting.cli.app import app

    opened: Callable[..., Any] = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "conn.log":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SystemExit) as ended:
        app(["hunt", str(logs), "--intel", str(intel), "--json"])
    assert ended.value.code == 2
    summary = json.loads(capsysbinary.readouterr().out)
    assert summary["errors"] == [f"{logs / 'conn.log'} can't be read: permission denied"]
    assert summary["sightings"] == 1


def test_plugins_are_listed() -> None:
    done = run("plugins", "--json")
    modules = {plugin["module"]: plugin for plugin in json.loads(done.stdout)}
    assert {"CONN", "DNS", "HTTP", "SSH", "FILE", "SSL", "X509", "SMTP"} <= modules.keys()
    assert "HTTP::IN_HOST_HEADER (domain, addr)" in run("plugins").stdout.decode()


def test_version_and_help() -> None:
    assert run("--version").stdout.strip()
    assert b"captures" in run("hunt", "--help").stdout


@pytest.mark.parametrize("ts", ["1e300", "-1e300", "9" * 400, "true", "[]", '"never"', "null"])
def test_a_time_that_cannot_be_does_not_stop_a_hunt(ts: str, intel: Path, tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_text(f'{{"ts":{ts},"uid":"C1","query":"evil.example"}}\n')
    for form in ("zeek", "ecs"):
        done = run("hunt", log, "--intel", intel, "--out", tmp_path / "out", "--format", form)
        assert done.returncode == 0, done.stderr
        assert len((tmp_path / "out" / "dns-investigation.log").read_bytes().splitlines()) == 1
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["complete"] is True


def test_objects_nested_deeply_do_not_stop_a_hunt(intel: Path, tmp_path: Path) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    log = tmp_path / "dns.log"
    log.write_text(f'{{"ts":1,"uid":"C1","id":{{"orig_h":"10.0.0.1","x":{deep}}},"query":"evil.example"}}\n')
    done = run("hunt", log, "--intel", intel, "--json")
    assert done.returncode in (0, 2), done.stderr
