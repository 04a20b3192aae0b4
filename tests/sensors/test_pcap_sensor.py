"""Finding a sensor and running it: stand-ins that do what a real one does only in bad hours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sensors.test_pcap_capture import pcap
from threathunting.sensors.pcap import Sensor, SensorError, find_sensor, run

DONE = '{"log_level":"Notice","engine":{"message":"read 1 file, 4 packets, 9 bytes"}}'


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap())
    return path


@pytest.fixture(autouse=True)
def nothing_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(
        "shutil.which", lambda name: str(p) if (p := tmp_path / "bin" / name).exists() else None
    )
    for name in ("THREATHUNTING_ZEEK", "THREATHUNTING_SURICATA"):
        monkeypatch.delenv(name, raising=False)


def program(tmp_path: Path, name: str, script: str) -> Path:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def suricata(tmp_path: Path, script: str) -> Sensor:
    return Sensor("suricata", program(tmp_path, "suricata", script))


def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_zeek_comes_first_and_a_choice_is_kept(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither is here: run 'make system'"):
        find_sensor(None)
    program(tmp_path, "suricata", "echo This is Suricata version 7.0.10 RELEASE")
    assert find_sensor(None).name == "Suricata"
    with pytest.raises(FileNotFoundError, match="Zeek is not here"):
        find_sensor("zeek")
    program(tmp_path, "zeek", "echo zeek version 8.2.2")
    assert find_sensor(None).name == "Zeek"
    assert find_sensor(" Suricata ").name == "Suricata"
    with pytest.raises(ValueError, match="'snort' is no sensor: choose zeek or suricata"):
        find_sensor("snort")


def test_suricata_that_is_missing_or_too_old(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Suricata is not here"):
        find_sensor("suricata")
    program(tmp_path, "suricata", "echo This is Suricata version 6.0.20 RELEASE")
    with pytest.raises(FileNotFoundError, match="is Suricata 6, and at least 7 is needed"):
        find_sensor("suricata")


def test_the_environment_names_a_program_or_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path, "zeek", "true")
    for named in (path, tmp_path):
        monkeypatch.setenv("THREATHUNTING_ZEEK", str(named))
        assert find_sensor(None) == Sensor("zeek", path)
    monkeypatch.setenv("THREATHUNTING_ZEEK", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"THREATHUNTING_ZEEK is '.*nowhere', where there is no zeek"):
        find_sensor("zeek")


def test_what_a_sensor_gives(tmp_path: Path, capture: Path) -> None:
    events = [
        '{"flow_id":1234567890123,"community_id":"1:a=","parent_id":5}',
        '{"flow_id":1234567890123,"x":1}',
        '{"no":"flow"}',
    ]
    sensor = suricata(
        tmp_path, f"printf '%s\\n' '{DONE}'; printf '%s\\n' {' '.join(map(repr, events))} > eve.json"
    )
    result = run(capture, work(tmp_path), sensor)
    assert result.logs == [tmp_path / "work" / "eve.json"]
    assert result.warnings == []
    assert result.seconds > 0
    first, second, third = result.logs[0].read_text().splitlines()
    flow_id = first.split(":")[1].split(",")[0]
    assert int(flow_id) >> 32 == 1234567890123 >> 32
    assert int(flow_id) != 1234567890123
    assert second == f'{{"flow_id":{flow_id},"x":1}}'
    assert third == events[2]


def test_what_a_sensor_complains_about(tmp_path: Path, capture: Path) -> None:
    lines = [
        '{"log_level":"Warning","engine":{"message":"memcap hit."}}',
        '{"log_level":"Warning","engine":{"message":"No output module named eve-log.ldap"}}',
        '{"log_level":"Notice","engine":{"message":"hello"}}',
        "no json",
        '{"log_level":"Error"}',
        DONE,
    ]
    sensor = suricata(tmp_path, f"printf '%s\\n' {' '.join(map(repr, lines))}; touch eve.json")
    assert run(capture, work(tmp_path), sensor).warnings == [f"{capture}: Suricata: memcap hit"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "Suricata could not read it: it ended with status 3 and gave no reason"),
        ("exit 0", "Suricata could not read it: it ended with status 0 and gave no reason"),
        (
            """echo '{"log_level":"Error","engine":{"message":"datalink type 9 not supported."}}'; exit 1""",
            "Suricata could not read it: datalink type 9 not supported",
        ),
        (f"echo '{DONE}'", "Suricata wrote no eve.json"),
        ("kill -9 $$", r"Suricata was ended by SIGKILL \(out of memory\?\) before it was done"),
        ("kill -SEGV $$", "Suricata was ended by SIGSEGV before it was done"),
        # It has given up, but wouldn't end for a minute.
        ("echo failed to initialize; sleep 60", "Suricata could not read it"),
    ],
)
def test_a_sensor_that_fails_is_one_sentence(
    tmp_path: Path, capture: Path, script: str, message: str
) -> None:
    began = time.monotonic()
    with pytest.raises(SensorError, match=message) as caught:
        run(capture, work(tmp_path), suricata(tmp_path, script))
    assert str(caught.value).startswith(f"{capture}: Suricata ")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 30


def test_a_sensor_that_cannot_be_started(tmp_path: Path, capture: Path) -> None:
    with pytest.raises(SensorError, match="can't be started: No such file or directory"):
        run(capture, work(tmp_path), Sensor("zeek", tmp_path / "gone"))


def alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_a_sensor_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, capture: Path) -> None:
    sensor = suricata(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(SensorError, match=r"was stopped: it was not done after 0\.5 seconds"):
        run(capture, work(tmp_path), sensor, timeout=0.5)
    deadline = time.monotonic() + 5
    while alive(tmp_path / "pid") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(tmp_path / "pid")


def test_ctrl_c_ends_the_sensor(tmp_path: Path, capture: Path) -> None:
    sensor = suricata(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    work(tmp_path)
    code = (
        "import sys; from pathlib import Path; from threathunting.sensors.pcap import Sensor, run\n"
        "pcap, folder, program = map(Path, sys.argv[1:]); run(pcap, folder, Sensor('suricata', program))"
    )
    command = [sys.executable, "-c", code, str(capture), str(tmp_path / "work"), str(sensor.program)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while (
        not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) != 0
    assert not alive(tmp_path / "pid")


def test_a_capture_without_packets_needs_no_sensor(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(sizes=[]))
    result = run(path, tmp_path, Sensor("suricata", tmp_path / "gone"))
    assert (result.logs, result.warnings) == ([], [f"{path} holds no packets"])
    path.write_bytes(pcap()[:30])
    result = run(path, tmp_path, Sensor("suricata", tmp_path / "gone"))
    assert result.warnings == [f"{path} is cut short after 0 packets"]


def test_a_sensor_gets_the_whole_beginning_of_a_cut_capture(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap()[:-1])
    sensor = suricata(
        tmp_path, f"for last; do :; done; ls > eve.json; cp beginning.pcap {tmp_path}/got; echo '{DONE}'"
    )
    result = run(path, work(tmp_path), sensor)
    assert result.warnings == [f"{path} is cut short after 3 packets; what comes before was read"]
    assert (tmp_path / "got").read_bytes() == pcap(sizes=[60, 0, 1514])


def test_zeeks_logs_without_those_of_zeek_itself(tmp_path: Path, capture: Path) -> None:
    program(
        tmp_path,
        "zeek",
        "touch conn.log packet_filter.log; echo warning in x; echo error: y; cat $6 > script",
    )
    program(tmp_path, "zeek-config", f"echo {tmp_path}/share")
    (tmp_path / "share" / "policy" / "protocols" / "ssh").mkdir(parents=True)
    (tmp_path / "share" / "policy" / "protocols" / "ssh" / "md5-host-key-logging.zeek").touch()
    (tmp_path / "share" / "packages" / "ja3").mkdir(parents=True)
    folder = work(tmp_path)
    result = run(capture, folder, find_sensor("zeek"))
    assert result.logs == [folder / "conn.log"]
    assert result.warnings == [f"{capture}: Zeek: error: y"]
    script = (folder / "script").read_text()
    assert "@load protocols/ssh/md5-host-key-logging\n@load packages/ja3\n" in script
    assert "site/local" not in script.replace("site/local is not loaded", "")


def test_zeek_that_fails(tmp_path: Path, capture: Path) -> None:
    program(tmp_path, "zeek", "echo fatal error: no; touch conn.log; exit 1")
    with pytest.raises(SensorError, match="Zeek could not read it: fatal error: no"):
        run(capture, work(tmp_path), find_sensor("zeek"))
