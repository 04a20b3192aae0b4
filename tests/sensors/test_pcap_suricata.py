"""A real Suricata over real captures: what Zeek's Intelligence Framework saw in them, EVE shows too.

Where it can't, the reason is listed here, and in docs/suricata.md.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from threathunting.intel.canonical import canonical
from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import Observable, ReadReport
from threathunting.sensors.eve import EveUnit
from threathunting.sensors.pcap import Sensor, find_sensor, run

pytestmark = [pytest.mark.suricata, pytest.mark.shared]

REGISTRY = Registry(BUILTIN)

CAPTURES = (
    "certificate-with-sct",
    "client-certificate",
    "connect-with-smtp",
    "cooper-grill-dvwa",
    "http-post-large",
    "http-vlan-0",
    "mapi",
    "multipart-form-data",
    "rfc3030-bdat-multipart-chunked",
    "smtp-one-side-only",
    "socks",
    "ssl-and-ssh-using-sslh",
    "wikipedia",
)

NOT_SHOWN: dict[str, dict[str, str]] = {
    "connect-with-smtp": {
        "Files::IN_HASH": "the text of a mail is no file to Suricata, only attachments are",
        "HTTP::IN_URL": "a CONNECT request's URL is odd in Zeek: host and target are glued together",
        "SMTP::IN_MESSAGE": "no plugin looks at URLs in mail: Zeek's smtp.log has none",
    },
    "rfc3030-bdat-multipart-chunked": {
        "Files::IN_HASH": "Suricata doesn't parse what comes by BDAT",
        "Files::IN_NAME": "Suricata doesn't parse what comes by BDAT",
        "SMTP::IN_FROM": "Suricata doesn't parse what comes by BDAT",
        "SMTP::IN_TO": "Suricata doesn't parse what comes by BDAT",
        "SMTP::IN_MAIL_FROM": "without a message it is SMTP::IN_ENVELOPE",
        "SMTP::IN_RCPT_TO": "without a message it is SMTP::IN_ENVELOPE",
        "SMTP::IN_RECEIVED_HEADER": "Suricata doesn't parse what comes by BDAT",
    },
    "smtp-one-side-only": {
        "SMTP::IN_FROM": "without the server's replies Suricata reads no message",
        "SMTP::IN_TO": "without the server's replies Suricata reads no message",
        "SMTP::IN_MAIL_FROM": "without a message it is SMTP::IN_ENVELOPE",
        "SMTP::IN_RCPT_TO": "without a message it is SMTP::IN_ENVELOPE",
        "SMTP::IN_RECEIVED_HEADER": "without the server's replies Suricata reads no message",
    },
    "socks": {
        "Files::IN_HASH": "Suricata doesn't parse SOCKS",
        "HTTP::IN_HOST_HEADER": "Suricata doesn't parse SOCKS",
        "HTTP::IN_REFERRER_HEADER": "Suricata doesn't parse SOCKS",
        "HTTP::IN_URL": "Suricata doesn't parse SOCKS",
        "HTTP::IN_USER_AGENT_HEADER": "Suricata doesn't parse SOCKS",
    },
    "ssl-and-ssh-using-sslh": {"SSH::IN_SERVER_HOST_KEY": "EVE has no host keys"},
    "wikipedia": {"DNS::IN_REQUEST": "Suricata parses neither LLMNR nor NetBIOS names, and 7 no mDNS"},
}
"""By capture and place what EVE can't show, and why."""


@pytest.fixture(scope="module")
def sensor() -> Sensor:
    try:
        return find_sensor("suricata")
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


Read = Callable[[Path], Iterator[Observable]]


@pytest.fixture
def observables(sensor: Sensor, tmp_path: Path) -> Read:
    """Everything that can be matched in a capture, by way of Suricata."""

    def read(capture: Path) -> Iterator[Observable]:
        result = run(capture, tmp_path, sensor, timeout=120)
        assert result.warnings == []
        report = ReadReport()
        for log in result.logs:
            for batch in EveUnit(log, log.stat().st_size).batches({"*": ()}, report):
                for row in range(len(batch)):
                    yield from REGISTRY.log(batch.log).observables(batch.record(row))
        assert (report.bad_records, report.errors) == (0, [])

    return read


def seen_by_zeek(path: Path) -> set[Observable]:
    seen = set()
    for line in path.read_text().splitlines():
        sighting = json.loads(line)
        kind = IndicatorType(sighting["indicator_type"].partition("::")[2].lower())
        seen.add(Observable(kind, canonical(kind, sighting["indicator"]), sighting["where"]))
    return seen


@pytest.mark.parametrize("name", CAPTURES)
def test_what_zeek_saw_is_shown(name: str, shared: Callable[[str], Path], observables: Read) -> None:
    folder = shared("pcaps") / name
    [capture] = folder.glob("*.pcap*")
    shown = set(observables(capture))
    missing = seen_by_zeek(folder / "seen.jsonl") - shown
    assert {one for one in missing if one.where not in NOT_SHOWN.get(name, {})} == set()
    values = {(one.type, one.value) for one in shown}
    for one in missing:
        if "IN_ENVELOPE" in NOT_SHOWN[name][one.where]:
            assert (one.type, one.value) in values


def test_all_captures_are_tried(shared: Callable[[str], Path]) -> None:
    assert {path.name for path in shared("pcaps").iterdir() if path.is_dir()} == set(CAPTURES)


def records(logs: list[Path]) -> list[dict[str, Any]]:
    return [
        batch.record(row)
        for log in logs
        for batch in EveUnit(log, log.stat().st_size).batches({"*": ()}, ReadReport())
        for row in range(len(batch))
    ]


def uids(logs: list[Path]) -> set[str]:
    return {record["uid"] for record in records(logs) if "uid" in record}


@pytest.mark.parametrize("name", ["wikipedia", "mapi"])
def test_records_are_the_same_in_every_run(
    name: str, sensor: Sensor, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    capture = shared("pcaps") / name / f"{name}.pcap"
    found = []
    for run_name in ("a", "b"):
        (tmp_path / run_name).mkdir()
        found.append(records(run(capture, tmp_path / run_name, sensor).logs))
    assert found[0] == found[1]


def test_an_archive_and_a_cut(sensor: Sensor, shared: Callable[[str], Path], tmp_path: Path) -> None:
    content = (shared("pcaps") / "wikipedia" / "wikipedia.pcap").read_bytes()
    packed = tmp_path / "x.pcap.gz"
    packed.write_bytes(gzip.compress(content))
    (tmp_path / "a").mkdir()
    result = run(packed, tmp_path / "a", sensor)
    assert result.warnings == []
    assert len(uids(result.logs)) == 34
    packed.write_bytes(gzip.compress(content[:9000]))
    (tmp_path / "b").mkdir()
    result = run(packed, tmp_path / "b", sensor)
    assert result.warnings == [f"{packed} is cut short after 55 packets; what comes before was read"]
    assert len(uids(result.logs)) == 26


def test_nothing_is_written_but_into_the_folder(
    sensor: Sensor, shared: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "in" / "x.pcap"
    capture.parent.mkdir()
    shutil.copy(shared("pcaps") / "http-vlan-0" / "http-vlan-0.pcap", capture)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "work").mkdir()
    run(capture, tmp_path / "work", sensor)
    written = {path.name for path in (tmp_path / "work").iterdir()}
    assert written == {"eve.json", "suricata.yaml", "sensor-output.txt"}
    assert list(elsewhere.iterdir()) == []
    assert list(capture.parent.iterdir()) == [capture]
