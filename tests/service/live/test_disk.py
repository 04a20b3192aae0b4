"""A whole service with its intel on disk, from files to files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

RECORD = {
    "ts": 1.0,
    "uid": "C1",
    "id.orig_h": "192.0.2.1",
    "id.orig_p": 53000,
    "id.resp_h": "192.0.2.2",
    "id.resp_p": 53,
    "proto": "udp",
}


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "threathunting", "run", "-c", folder / "threathunting.toml"],
        stderr=(folder / "stderr").open("ab"),
    )


def sighted(folder: Path) -> set[str]:
    path = folder / "out" / "intel.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return {json.loads(line)["seen.indicator"] for line in lines}


def until_sighted(folder: Path, expected: set[str], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while sighted(folder) != expected and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert sighted(folder) == expected, (folder / "stderr").read_text()


def test_intel_on_disk_is_hunted_for_made_anew_after_a_kill_and_gone_after_a_stop(tmp_path: Path) -> None:
    (tmp_path / "threathunting.toml").write_text(
        '[service]\nstate = "state"\n[intel]\nfiles = ["feed.txt"]\nstore = "disk"\n'
        '[[follow]]\npath = "logs"\n[output]\nformat = "zeek"\n[output.files]\nfolder = "out"\n'
        "[http]\nlisten = false\n"
    )
    (tmp_path / "feed.txt").write_text("evil.example\nother.example\n")
    log = tmp_path / "logs" / "dns.log"
    log.parent.mkdir()
    with log.open("w") as file:
        for name in ("good.example", "evil.example"):
            file.write(json.dumps(RECORD | {"_path": "dns", "query": name}) + "\n")
    process = start(tmp_path)
    try:
        until_sighted(tmp_path, {"evil.example"}, process)
        files = tmp_path / "state" / "intel"
        assert list(files.iterdir()) != []
        process.kill()
        process.wait()
        assert list(files.iterdir()) != []
        process = start(tmp_path)
        with log.open("a") as file:
            file.write(json.dumps(RECORD | {"_path": "dns", "uid": "C2", "query": "other.example"}) + "\n")
        until_sighted(tmp_path, {"evil.example", "other.example"}, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert list(files.iterdir()) == []
    finally:
        process.kill()
        process.wait()
