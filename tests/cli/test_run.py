"""``run --check`` as a person types it, and how ``run`` hands over to the service."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from threathunting.cli import run as command
from threathunting.service.config_schema import Config

from .test_hunt import run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "allow.txt").write_text("good.example\n")
    (tmp_path / "feed.txt").write_text("evil.example\n")
    (tmp_path / "secret").write_text("hunter2\n")
    path = tmp_path / "threathunting.toml"
    path.write_text(
        """[service]
name = "sensor-a"
[kafka]
brokers = ["k1:9092", "k2:9092"]
sasl = "PLAIN"
username = "hunter"
password_file = "secret"
[intel]
files = ["feed.txt"]
allow = ["allow.txt"]
[hunt]
modules = ["http", "DNS"]
min_level = "high"
[[follow]]
path = "logs"
ship = false
[consume]
topics = ["zeek"]
[output.files]
folder = "out"
[http]
listen = false
"""
    )
    return path


def test_check_says_what_would_run(config: Path, tmp_path: Path) -> None:
    done = run("run", "-c", config, "--check")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        f"{config} is fine. It would run:",
        "  name      sensor-a, state in /var/lib/threathunting",
        "  kafka     k1:9092, k2:9092 (plain text, PLAIN as hunter)",
        "  intel     topic intelligence, refused to intelligence.rejected; "
        f"files {tmp_path}/feed.txt; allow-lists {tmp_path}/allow.txt",
        "  hunt      2 modules, level high and above, captures whole conversations",
        f"  input     {tmp_path}/logs (hunt, from the beginning)",
        "  input     topics zeek, in group threathunting",
        "  output    topics sightings, investigations, sensors as ecs",
        f"  output    folder {tmp_path}/out as ecs",
        "  http      off",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("check", [["--check"], []])
def test_all_that_is_wrong_is_told(check: list[str], config: Path) -> None:
    text = config.read_text().replace("min_level", "minlevel").replace("zeek", "a b")
    config.write_text(text.replace('files = ["feed.txt"]', 'files = ["no.txt"]'))
    done = run("run", "--config", config, *check)
    assert done.returncode == 2
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert [line.removeprefix(f"error: {config}:").split(" ")[:2] for line in lines] == [
        ["9:", "intel.files:"],
        ["13:", "hunt.minlevel:"],
        ["18:", "consume.topics:"],
    ]
    assert "hunter2" not in done.stderr.decode()


def test_check_reads_the_allow_lists(config: Path, tmp_path: Path) -> None:
    (tmp_path / "allow.txt").write_text("good.example\n0.0.0.0/99\n")
    done = run("run", "-c", config, "--check")
    assert done.returncode == 2
    assert f"{tmp_path}/allow.txt:2: " in done.stderr.decode()
    config.write_text(config.read_text().replace("allow = [", 'warninglists = ["no-such-list"]\nallow = ['))
    (tmp_path / "allow.txt").write_text("")
    assert "no-such-list" in run("run", "-c", config, "--check").stderr.decode()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "error: threathunting.toml can't be read: no such file or directory"
    ]


@pytest.mark.parametrize("status", [0, 1])
def test_the_service_gets_the_configuration_and_gives_the_exit_status(
    status: int, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def main(loaded: Config, path: Path) -> int:
        given.extend((loaded.service.name, path))
        return status

    monkeypatch.setitem(sys.modules, "threathunting.service.live.service", SimpleNamespace(main=main))
    with pytest.raises(typer.Exit) as ended:
        command.run(config, False)
    assert ended.value.exit_code == status
    assert given == ["sensor-a", config]
