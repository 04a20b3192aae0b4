"""The example gives what its README says, from whatever form it is hunted in."""

from __future__ import annotations

import json
import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from threathunting.intel.load import load
from threathunting.intel.store import Store
from threathunting.sensors.pcap import find_sensor
from threathunting.service import hunting

from ..making import read
from ..quiet import Quiet

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALLOW = str(EXAMPLES / "allowlist.txt")


def hunt(path: str, out: Path, allow: bool, sensor: str | None = None, **more: Any) -> hunting.Result:
    request = hunting.Request(
        paths=[str(EXAMPLES / path)],
        intel=[str(EXAMPLES / "intel.jsonl")],
        out=str(out),
        allow=[ALLOW] if allow else [],
        sensor=sensor,
        **more,
    )
    result = hunting.run(request, Quiet(), lambda text: None, BytesIO())
    assert result.complete
    assert result.errors == []
    assert result.outcome.report.bad_records == 0
    return result


def numbers(result: hunting.Result) -> tuple[int, int, int]:
    outcome = result.outcome
    return outcome.sightings, len(outcome.conversations), outcome.investigations


@pytest.mark.parametrize(
    ("path", "allow", "expected"),
    [
        ("zeek", False, (93, 32, 84)),
        ("zeek", True, (84, 26, 66)),
        ("eve.json", False, (110, 32, 94)),
        ("eve.json", True, (101, 26, 76)),
    ],
)
def test_what_the_readme_says(path: str, allow: bool, expected: tuple[int, int, int], tmp_path: Path) -> None:
    result = hunt(path, tmp_path, allow)
    assert numbers(result) == expected
    assert result.intel is not None
    assert result.intel.refused == int(allow)


def test_every_module_has_a_sighting_and_near_misses_have_none(tmp_path: Path) -> None:
    hunt("zeek", tmp_path, False)
    sightings = read(tmp_path / "intel.log")
    assert {"conn", "dns", "http", "ssh", "files", "ssl", "x509", "smtp", "ftp"} <= {
        line["log"] for line in sightings
    }
    levels = {
        line["level"] for line in sightings if any(i["indicator"] == "198.51.100.23" for i in line["intel"])
    }
    assert levels == {"critical"}
    seen = {line["seen.indicator"] for line in sightings}
    for innocent in (
        "notupdates-cdn.test",
        "invoiceportal.example",
        "quiet.never-seen.test",
        "203.0.113.250",
    ):
        assert innocent not in seen


def test_nothing_that_did_not_match_is_captured(tmp_path: Path) -> None:
    hunt("zeek", tmp_path, False)
    flagged = {line["uid"] for line in read(tmp_path / "intel.log") if "uid" in line}
    for path in tmp_path.glob("*-investigation.log"):
        for record in read(path):
            assert record["threathunting"] is True
            assert record["intel"]
            assert "uid" not in record or record["uid"] in flagged


@pytest.mark.parametrize(
    "name", ["intel.dat", "intel.txt", "intel.csv", "intel.stix.json", "intel.misp.json"]
)
def test_the_intel_in_other_forms(name: str) -> None:
    """Each holds the same indicators, as far as its form can say them."""
    ours, theirs = Store(), Store()
    assert load([EXAMPLES / "intel.jsonl"], ours).refused == 0
    assert load([EXAMPLES / name], theirs).refused == 0
    wanted = {indicator for indicator, _ in ours.items()}
    found = {indicator for indicator, _ in theirs.items()}
    assert found <= wanted
    assert len(found) > len(wanted) / 2


def test_the_capture_by_suricata_gives_the_same_as_its_events(tmp_path: Path) -> None:
    try:
        find_sensor("suricata")
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    of_capture = hunt("traffic.pcap", tmp_path / "pcap", False, "suricata")
    assert numbers(of_capture) == (110, 32, 94)
    of_events = hunt("eve.json", tmp_path / "eve", False)
    assert {i.value for i in of_capture.outcome.tally.by_indicator} == {
        i.value for i in of_events.outcome.tally.by_indicator
    }
    again = hunt("traffic.pcap", tmp_path / "again", False, "suricata")
    assert numbers(again) == numbers(of_capture)
    assert (tmp_path / "again" / "intel.log").read_bytes() == (tmp_path / "pcap" / "intel.log").read_bytes()


@pytest.mark.zeek
def test_the_capture_by_zeek_gives_the_same_as_its_logs(tmp_path: Path) -> None:
    try:
        find_sensor("zeek")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    of_capture = hunt("traffic.pcap", tmp_path / "pcap", False, "zeek")
    of_logs = hunt("zeek", tmp_path / "logs", False)
    # Our own settings make Zeek log certificates as files, too: a few sightings more.
    found = {
        (line["uid"], line["seen.where"], line["seen.indicator"])
        for line in read(tmp_path / "pcap" / "intel.log")
        if "uid" in line
    }
    known = {
        (line["uid"], line["seen.where"], line["seen.indicator"])
        for line in read(tmp_path / "logs" / "intel.log")
        if "uid" in line
    }
    assert {key[1:] for key in known} <= {key[1:] for key in found}
    assert len(of_capture.outcome.conversations) == len(of_logs.outcome.conversations)


def test_ecs_output_of_the_example_has_ecs_names(tmp_path: Path) -> None:
    hunt("zeek", tmp_path, False, format="ecs")
    events = [event for path in tmp_path.glob("*-investigation.log") for event in read(path)]
    assert len(events) == 84
    for event in events:
        assert event["ecs.version"] == "9.4.0"
        assert event["threat.enrichments"]
        assert re.fullmatch(r"[0-9a-f]{32}", event["event.id"])
        json.dumps(event)


def test_no_path_of_a_machine_stands_in_the_example() -> None:
    for path in sorted(EXAMPLES.rglob("*")):
        if path.is_file() and ".egg-info" not in str(path) and "__pycache__" not in str(path):
            assert not re.search(rb"/work/|/root/|/home/", path.read_bytes()), path
