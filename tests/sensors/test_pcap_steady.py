"""An EVE file that chance has no part in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from threathunting.sensors.pcap.steady import make_steady


def line(kind: str, number: int, seed: int, second: int = 0, **fields: Any) -> bytes:
    """An event as Suricata writes it, with a hash that depends on ``seed``."""
    event = {
        "timestamp": f"2026-03-01T12:00:{second:02}.500000+0000",
        "flow_id": number << 32 | random.Random(seed * 1000 + number).getrandbits(32),
        "event_type": kind,
        "community_id": f"1:{number}=",
    }
    return json.dumps(event | fields, separators=(",", ":")).encode() + b"\n"


def a_run(seed: int) -> bytes:
    parent = json.loads(line("ftp", 1, seed))["flow_id"]
    early = [
        line("ftp", 1, seed),
        b'{"event_type":"x","no":"flow"}\n',
        line("ftp_data", 2, seed, parent_id=parent),
    ]
    late = [
        line("smtp", 3, seed, 7, pkt_src="stream (flow timeout)"),
        line("flow", 1, seed, 9, flow={"start": "2026-03-01T12:00:02.000000+0000"}),
        line("flow", 2, seed, 9, flow={"start": "2026-03-01T12:00:01.000000+0000"}, parent_id=parent),
        line("flow", 4, seed, 9),
    ]
    random.Random(seed).shuffle(late)
    return b"".join(early[:2] + late[:2] + early[2:] + late[2:])


def test_runs_of_other_seeds_give_the_same(tmp_path: Path) -> None:
    made = []
    for seed in range(5):
        eve = tmp_path / "eve.json"
        eve.write_bytes(a_run(seed))
        make_steady(eve)
        made.append(eve.read_bytes())
        assert list(tmp_path.iterdir()) == [eve]
    assert len(set(made)) == 1
    events = [json.loads(one) for one in made[0].splitlines()]
    kinds = [(event["event_type"], event.get("flow_id", 0) >> 32) for event in events]
    # What was there on time keeps its order; then what came at a flow's end; flow events by their start.
    assert kinds == [
        ("ftp", 1),
        ("x", 0),
        ("ftp_data", 2),
        ("smtp", 3),
        ("flow", 4),
        ("flow", 2),
        ("flow", 1),
    ]
    parent = events[0]["flow_id"]
    assert [event["parent_id"] for event in events if "parent_id" in event] == [parent, parent]


def test_what_has_no_community_id_stays_as_it_is(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    content = b'{"timestamp":"x","flow_id":77,"event_type":"alert"}\nnot json\n\n'
    eve.write_bytes(content)
    make_steady(eve)
    assert eve.read_bytes() == content
