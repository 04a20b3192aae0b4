"""A real Zeek over real captures: what its Intelligence Framework saw is in the logs it writes for us."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sensors.test_pcap_suricata import CAPTURES, seen_by_zeek
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import Observable, ReadReport
from threathunting.sensors.discover import discover
from threathunting.sensors.pcap import Sensor, find_sensor, run

pytestmark = [pytest.mark.zeek, pytest.mark.shared]

REGISTRY = Registry(BUILTIN)


@pytest.fixture(scope="module")
def sensor() -> Sensor:
    try:
        return find_sensor("zeek")
    except FileNotFoundError as error:
        pytest.skip(str(error))


NOT_IN_LOGS = {
    "connect-with-smtp": {"SMTP::IN_MESSAGE", "HTTP::IN_URL"},
    "wikipedia": {"DNS::IN_REQUEST"},
}
"""What Zeek asked about and logs nowhere, or in another form: URLs in mail, a CONNECT request's URL with the
server's name glued to it, and NetBIOS names before they are decoded."""


@pytest.mark.parametrize("name", CAPTURES)
def test_what_zeek_saw_is_in_its_logs(
    name: str, shared: Callable[[str], Path], sensor: Sensor, tmp_path: Path
) -> None:
    folder = shared("pcaps") / name
    [capture] = folder.glob("*.pcap*")
    result = run(capture, tmp_path, sensor, timeout=120)
    assert result.warnings == []
    shown: set[Observable] = set()
    for unit in discover(map(str, result.logs), REGISTRY.logs.keys()).units:
        for batch in unit.batches({"*": ()}, ReadReport()):
            for row in range(len(batch)):
                shown |= set(REGISTRY.log(batch.log).observables(batch.record(row)))
    missing = seen_by_zeek(folder / "seen.jsonl") - shown
    assert {one.where for one in missing} <= NOT_IN_LOGS.get(name, set())


def test_a_cut_capture_is_read_to_the_cut(
    sensor: Sensor, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    capture = tmp_path / "cut.pcap"
    capture.write_bytes((shared("pcaps") / "wikipedia" / "wikipedia.pcap").read_bytes()[:9000])
    (tmp_path / "work").mkdir()
    result = run(capture, tmp_path / "work", sensor)
    assert result.warnings == [f"{capture} is cut short after 55 packets; what comes before was read"]
    assert [path.name for path in result.logs] == ["conn.log", "dns.log", "http.log"]
    assert all(path.stat().st_size for path in result.logs)


def test_two_captures_share_no_uid_and_one_has_the_same_ones_each_time(
    sensor: Sensor, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    def uids(name: str, folder: str) -> set[str]:
        (tmp_path / folder).mkdir()
        [capture] = (shared("pcaps") / name).glob("*.pcap*")
        logs = run(capture, tmp_path / folder, sensor).logs
        [conn] = [path for path in logs if path.name == "conn.log"]
        return {json.loads(line)["uid"] for line in conn.read_text().splitlines()}

    first = uids("wikipedia", "a")
    assert first == uids("wikipedia", "b")
    assert first.isdisjoint(uids("http-vlan-0", "c"))
