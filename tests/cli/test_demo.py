"""The demo as a person runs it: the real service, the real commands, a broker in the demo's own process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "threathunting", "demo"]
PATIENCE = 240


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "NO_COLOR": "1"}


def processes(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(path.readlink()).startswith(str(folder)):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def story(folder: Path, sensor: str) -> str:
    done = subprocess.run(
        [*COMMAND, "--sensor", sensor],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    assert processes(folder) == []
    return done.stdout


def counted(text: str, name: str) -> tuple[int, int, str]:
    """An indicator's sightings while all was armed and afterwards, and what became of it."""
    match = re.search(rf"^{re.escape(name)} +(\d+) +(\d+) +(\w+) *$", text, re.M)
    assert match, text
    return int(match[1]), int(match[2]), match[3]


def test_the_whole_story(tmp_path: Path) -> None:
    text = story(tmp_path, "recorded")
    commands = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    assert [command.split(" -c ")[0] for command in commands if command.startswith("threathunting")] == [
        "threathunting run",
        "threathunting intel push soar.jsonl",
        "threathunting status",
        "threathunting intel remove updates-cdn.test --source MISP",
        "threathunting intel push --ioc sync.telemetry-node.test --source SOAR --level critical --expire 3s",
        "threathunting status",
    ]
    assert re.findall(r"armed +(\d+) indicators \(", text) == ["34", "32"]
    assert re.search(r"an intel message is refused +.*domain on the allow-list \(mirror\.example\)", text)
    # As many as examples/README.md says.
    assert "of 84 sightings in all. 66 records" in text
    assert re.search(r"critical 198\.51\.100\.23 +MISP, SOAR +\w+::\w+ ", text)
    assert re.search(r"threat\.enrichments: download\.invoiceportal\.test \(SOAR serves the dropper\)", text)
    before, after, fate = counted(text, "updates-cdn.test")
    assert (before > 0, after, fate) == (True, 0, "withdrawn")
    before, after, fate = counted(text, "sync.telemetry-node.test")
    assert (before > 0, after, fate) == (True, 0, "expired")
    assert counted(text, "198.51.100.23") == (14, 14, "armed")
    assert "exit status 0" in text


@pytest.mark.suricata
def test_a_sensor_that_is_here_reads_the_capture(tmp_path: Path) -> None:
    text = story(tmp_path, "suricata")
    assert "Suricata has read traffic.pcap" in text
    assert "of 101 sightings in all" in text
    assert "SSH::IN_HASSH" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to_and_takes_everything_along(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--sensor", "recorded"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("$ kcat"):
                break
        assert processes(tmp_path)
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert errors == "error: interrupted\n"
        assert time.monotonic() - began < 30
        assert list(tmp_path.iterdir()) == []
        assert processes(tmp_path) == []
    finally:
        process.kill()
        process.communicate()


def test_whoever_has_read_enough_ends_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--sensor", "recorded"], stdout=subprocess.PIPE, env=environment(tmp_path)
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 1
    assert list(tmp_path.iterdir()) == []
    assert processes(tmp_path) == []


def test_a_sensor_that_is_not_here_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--sensor", "zeek"],
        capture_output=True,
        text=True,
        env={**environment(tmp_path), "PATH": str(tmp_path), "THREATHUNTING_ZEEK": str(tmp_path / "none")},
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*THREATHUNTING_ZEEK.*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []
