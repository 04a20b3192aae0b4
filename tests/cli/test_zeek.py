"""``threathunting zeek`` and ``hunt --in-sensor`` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from threathunting.sensors.pcap import find_sensor
from threathunting.service.demo.files import example
from threathunting.service.zeek_package import package, version_of

from ..service.test_zeek_check import Telling
from ..service.test_zeek_package import fake_zeek, older
from ..zeek.peer import Peer

OURS = version_of(package())


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "threathunting", *map(str, arguments)]
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"} | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def without_zeek(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(*arguments, PATH="/nowhere", THREATHUNTING_ZEEK="")


def test_the_line_to_add_is_the_last_that_is_printed(tmp_path: Path) -> None:
    fake_zeek(tmp_path)
    site = tmp_path / "share/zeek/site"
    (site / "local.zeek").write_text("")
    done = run("zeek", "install", "--zeek", tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"ThreatHunting {OURS} is in {site}/threathunting.",
        f"Add this line to {site}/local.zeek, and restart Zeek:",
        "@load threathunting",
    ]
    (site / "local.zeek").write_text("@load threathunting\n")
    older(site / "threathunting", "0.0.9")
    done = run("zeek", "install", "--zeek", tmp_path)
    assert done.stdout.splitlines() == [
        f"ThreatHunting {OURS} is in {site}/threathunting, in place of 0.0.9.",
        f"{site}/local.zeek loads it already; restart Zeek.",
    ]


def test_into_a_folder_it_is_installed_without_a_zeek(tmp_path: Path) -> None:
    done = without_zeek("zeek", "install", "--to", tmp_path / "new", "--json")
    assert json.loads(done.stdout) == {
        "folder": str(tmp_path / "new/threathunting"),
        "version": OURS,
        "replaced": None,
        "load": "@load threathunting",
        "loaded": False,
    }


def test_what_isnt_ours_is_bad_input_and_no_zeek_a_failure(tmp_path: Path) -> None:
    (tmp_path / "threathunting").mkdir()
    done = run("zeek", "install", "--to", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path}/threathunting is there and is not our package")
    for command in ("install", "check"):
        done = without_zeek("zeek", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: Zeek is not here")


def test_a_check_says_what_is_wrong_and_ends_with_1(tmp_path: Path) -> None:
    fake_zeek(tmp_path)
    done = run("zeek", "check", "--zeek", tmp_path)
    assert done.returncode == 1
    assert f"zeek      8.2.2, {tmp_path}/bin/zeek" in done.stdout
    assert "wrong     Zeek has no WebSocket server" in done.stdout
    told = run("zeek", "check", "--zeek", tmp_path, "--json")
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert (found["well"], found["websocket"], found["package"]) == (False, False, OURS)
    assert len(found["problems"]) == done.stdout.count("wrong  ")


def test_running_zeeks_are_asked_where_none_is_installed(tmp_path: Path) -> None:
    config = tmp_path / "threathunting.toml"
    with Peer() as peer:
        peer.nodes = {"edge-1": Telling("edge-1", armed=12345, expected_nodes=["edge-1"])}
        config.write_text(
            f'[service]\nstate = "{tmp_path}"\n[[zeek]]\nname = "edge"\nurl = "{peer.url}"\n'
            f'[intel]\nfiles = "{example("intel.jsonl")}"\n[output.files]\nfolder = "{tmp_path}"\n'
        )
        done = without_zeek("zeek", "check", "-c", config)
    assert done.stdout.splitlines() == [
        f"link      edge ({peer.url}): Zeek 8.2.2",
        f"  edge-1: worker, package {OURS}, 12,345 indicators armed",
        "all is well",
    ], done.stderr
    assert done.returncode == 0
    done = without_zeek("zeek", "check", "-c", config)
    assert done.returncode == 1
    assert "connection refused" in done.stdout
    config.write_text("[zeek]\n")
    assert without_zeek("zeek", "check", "-c", config).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--in-sensor", "--workers", "2"), "--workers splits logs"),
        (("--body-bytes", "10"), "--body-bytes is for --in-sensor"),
        (("--in-sensor", "--scope", "record"), "leave out --scope record"),
    ],
)
def test_options_that_dont_go_together(arguments: tuple[str, ...], told: str) -> None:
    done = run("hunt", example("traffic.pcap"), "--intel", example("intel.jsonl"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_hunting_in_the_sensor_without_a_zeek_is_one_sentence() -> None:
    done = without_zeek("hunt", example("traffic.pcap"), "--intel", example("intel.jsonl"), "--in-sensor")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: --in-sensor needs Zeek: Zeek is not here: "
        "install it and have it on PATH, or set THREATHUNTING_ZEEK to it"
    ]


@pytest.mark.zeek
def test_hunting_in_the_sensor(tmp_path: Path) -> None:
    try:
        zeek = str(find_sensor("zeek").program)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    capture = example("traffic.pcap")
    arguments = ("hunt", capture, "--intel", example("intel.jsonl"), "--in-sensor", "-o", tmp_path / "out")
    done = run(*arguments, THREATHUNTING_ZEEK=zeek)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[:3] == ["indicator", "type", "level"]
    assert f"Results are in {tmp_path}/out" in done.stdout
    told = json.loads(run(*arguments, "--json", THREATHUNTING_ZEEK=zeek).stdout)
    assert told["sightings"] == len((tmp_path / "out/intel.log").read_text().splitlines()) > 0
    missing = run(*arguments, tmp_path / "nowhere.pcap", THREATHUNTING_ZEEK=zeek)
    assert missing.returncode == 2
    assert "nowhere.pcap does not exist" in missing.stderr
