"""``status`` as a person types it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from threathunting.service.http import Server
from threathunting.service.metrics import Metrics
from threathunting.service.status import (
    ErrorStatus,
    InputStatus,
    IntelFileStatus,
    IntelStatus,
    NodeStatus,
    OutputStatus,
    ReloadStatus,
    SensorStatus,
    Status,
)

from .test_hunt import run

START = 1_800_000_000.0
FULL = Status(
    name="sensor-a",
    version="9.8",
    pid=4242,
    started=START,
    now=START + 90_000,
    ready=False,
    not_ready=["intel is read up to 70 of 100"],
    indicators=1_234_567,
    armed={"domain": 1_234_000, "addr": 567, "url": 0},
    intel=IntelStatus(
        topic="intelligence",
        messages=70,
        position=70,
        end=100,
        files=[
            IntelFileStatus(path="/intel/feed.txt", items=12, refused=1, state="gone, its items stay armed")
        ],
    ),
    inputs=[
        InputStatus(
            kind="file",
            name="/logs/\x1b[2Jcurrent",
            state="reading",
            lag=12_300_000,
            records=5000,
            records_per_second=1234.5,
            bytes_per_second=2_500_000,
            last_record=START + 89_970,
        ),
        InputStatus(kind="topic", name="zeek", state="waiting", lag=12_345, partitions=[0, 2], bad_records=9),
    ],
    outputs=[
        OutputStatus(
            kind="topic", name="siem", what="sightings", sent=77, waiting=3, failed=1, last_sent=START
        )
    ],
    sensors=[
        SensorStatus(
            name="edge",
            version="8.2.2",
            mode="compact",
            connected=True,
            armed=True,
            questions_answered=4321,
            questions_dropped=5,
            answers_per_second=678.9,
            nodes=[
                NodeStatus(
                    name="worker-1",
                    role="worker",
                    boot="b",
                    complete=True,
                    armed=99,
                    sees_traffic=True,
                    mode="compact",
                    generation=17,
                    building=18,
                    filter_bytes=41_000_000,
                    asked=40,
                    confirmed=30,
                    denied=6,
                    unverified=3,
                    pending=1,
                    waiting_records=8,
                    sampled=2,
                ),
                NodeStatus(
                    name="manager", role="manager", boot="b", complete=True, armed=1, sees_traffic=False
                ),
            ],
        ),
        SensorStatus(name="native-one"),
    ],
    sightings=77,
    investigations=88,
    conversations=11,
    records=5000,
    rejected_intel=2,
    bad_records=9,
    window_records=10,
    window_bytes=2048,
    dropped={"conversations": 5, "reasons": 0},
    commits=6,
    last_commit=START + 89_999,
    errors=[ErrorStatus(what="broker k:9092 is away", first=START, last=START + 86_400, count=3)],
    reloads=ReloadStatus(
        applied=1,
        refused=1,
        last=START + 90_000,
        error="c.toml:3: x: wrong\nc.toml:4: y: wrong",
        waiting=["kafka.brokers"],
    ),
)


@pytest.fixture
def url() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Metrics().registry, list, list, lambda: FULL)
    server.start()
    yield "http://{}:{}".format(*server.address)
    server.close()


def test_what_a_person_sees(url: str) -> None:
    done = run("status", "--url", url)
    text = done.stdout.decode()
    assert done.returncode == 0
    for shown in (
        "sensor-a  threathunting 9.8, up 25 h (process 4242): not ready",
        "intel is read up to 70 of 100",
        "1,234,567 indicators (567 addr, 1,234,000 domain)",
        "topic intelligence: 30 of 100 still to come, 70 messages since the start; 2 refused",
        "/intel/feed.txt: 12 items, 1 refused (gone, its items stay armed)",
        "77 sightings in 11 conversations, 88 records captured; 5,000 records read",
        "10 records, 2.0 kB; 6 commits, the last 1 s ago",
        "5 conversations",
        "changes: 1 applied, 1 refused, the last 0 s ago",
        "needs a restart: kafka.brokers",
        "not in force: c.toml:3: x: wrong",
        "not in force: c.toml:4: y: wrong",
        "broker k:9092 is away (60 min ago, 3 times)",
    ):
        assert shown in text
    rows = [line.split() for line in text.splitlines()]
    assert [
        "file",
        "/logs/",
        "[2Jcurrent",
        "reading",
        "12.3",
        "MB",
        "5,000",
        "1,234",
        "2.5",
        "0",
        "30",
        "s",
        "ago",
    ] in rows
    assert ["topic", "zeek", "[0,2]", "waiting", "12,345", "0", "0", "0.0", "9", "never"] in rows
    assert ["topic", "siem", "sightings", "77", "3", "1", "25", "h", "ago"] in rows
    assert ["worker-1", "live,", "building", "41.0", "MB", "40", "30", "6", "3", "1", "8", "2"] in rows
    assert ["edge", "4,321", "5", "679"] in rows
    assert sum(row[:1] == ["native-one"] for row in rows) == 1
    assert "\x1b" not in text
    assert "0 reasons" not in text


def test_json_is_the_object_as_it_came(url: str) -> None:
    done = run("status", "--url", url, "--json")
    shown = json.loads(done.stdout)
    assert shown["armed"] == {"domain": 1_234_000, "addr": 567, "url": 0}
    assert done.stderr == b""


def test_the_configuration_tells_where_it_answers(url: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[kafka]\npassword = "${{NOT_SET}}"\n[http]\nlisten = "{url.removeprefix("http://")}"\n')
    assert b"sensor-a" in run("status", "-c", path).stdout
    done = run("status", "-c", path, "--url", url)
    assert done.returncode == 2
    path.write_text("[http]\nlisten = false")
    done = run("status", "-c", path)
    assert done.returncode == 2
    assert b"http.listen is off" in done.stderr


def test_no_service_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("status", "--url", f"http://127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        f"error: no service answers at http://127.0.0.1:{port} (connection refused); "
        "start it with 'threathunting run', or name another with --url"
    ]
