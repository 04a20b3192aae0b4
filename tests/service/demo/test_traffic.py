"""The example's traffic, moved to now."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from threathunting.service.demo.files import example
from threathunting.service.demo.traffic import Traffic, traffic

FAST = 100.0
REPOSITORY = Path(__file__).resolve().parents[3]


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in folder.iterdir()
    }


def played(logs: Traffic, folder: Path, number: int = 1) -> dict[str, list[dict[str, Any]]]:
    folder.mkdir()
    logs.play(folder, FAST, number, threading.Event())
    return read(folder)


def test_zeeks_records_come_now_and_all_else_stays(tmp_path: Path) -> None:
    before = read(example("zeek"))
    began = time.time()
    after = played(traffic("recorded", tmp_path), tmp_path / "out")
    ended = time.time()
    assert {name: len(records) for name, records in after.items()} == {
        name: len(records) for name, records in before.items()
    }
    changing = {"ts", "uid", "fuid", "fuids", "cert_chain_fuids", "resp_fuids", "orig_fuids"}
    for name, records in after.items():
        kept, was = (
            sorted(
                json.dumps({key: record[key] for key in record.keys() - changing}, sort_keys=True)
                for record in log
            )
            for log in (records, before[name])
        )
        assert kept == was
        assert all(began <= record["ts"] <= ended for record in records)


def test_conversations_stay_whole_and_are_new_in_every_play(tmp_path: Path) -> None:
    logs = traffic("recorded", tmp_path)
    uids = []
    for number in (1, 2):
        records = played(logs, tmp_path / str(number), number)
        of = [Counter(record["uid"] for record in records[name]) for name in ("conn.log", "http.log")]
        assert of[1].keys() <= of[0].keys()
        assert all(
            fuid in {record["fuid"] for record in records["files.log"]}
            for record in records["ssl.log"]
            for fuid in record.get("cert_chain_fuids", ())
        )
        uids.append(of[0].keys())
    before = {record["uid"] for record in read(example("zeek"))["conn.log"]}
    assert len(before) == len(uids[0]) == len(uids[1])
    assert before.isdisjoint(uids[0])
    assert uids[0].isdisjoint(uids[1])


def test_suricatas_events_come_now(tmp_path: Path) -> None:
    before = read_events(example("zeek").parent / "eve.json")
    logs = Traffic([REPOSITORY / "examples" / "eve.json"], "")
    began = time.time()
    after = played(logs, tmp_path / "out")["eve.json"]
    assert len(after) == len(before)
    assert [event["event_type"] for event in after] == [event["event_type"] for event in before]
    flows = {was["flow_id"]: now["flow_id"] for was, now in zip(before, after, strict=True)}
    assert [flows[event["flow_id"]] for event in before] == [event["flow_id"] for event in after]
    assert len(set(flows.values())) == len(flows)
    assert flows.keys().isdisjoint(flows.values())
    for event in after:
        for at in (event["timestamp"], event.get("flow", {}).get("start", event["timestamp"])):
            assert began - 1 <= seconds(at) <= time.time()


def test_what_is_written_when_is_known(tmp_path: Path) -> None:
    logs = traffic("recorded", tmp_path)
    records = played(logs, tmp_path / "out")
    for record in (record for log in records.values() for record in log):
        assert record["ts"] <= logs.written[record["ts"]] <= time.time()


def test_it_stops_when_asked_to(tmp_path: Path) -> None:
    logs = traffic("recorded", tmp_path)
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    logs.play(tmp_path, 0.001, 1, stop)
    assert time.monotonic() - began < 5


def test_a_sensor_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("THREATHUNTING_ZEEK", "THREATHUNTING_SURICATA"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FileNotFoundError, match="Suricata is not here"):
        traffic("suricata", tmp_path)
    assert "recorded" in traffic(None, tmp_path).told


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
