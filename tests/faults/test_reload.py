"""Changes of the configuration in the middle of a stream: nothing is lost, doubled, or left open."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..live import Service, Topics, identities
from .flow import INTEL, Flow, assert_sentences, consuming, errors

pytestmark = pytest.mark.kafka


def test_results_that_go_elsewhere_under_load(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=4)
    topics.make("elsewhere", 1)
    topics.arm(INTEL)
    folder = tmp_path / "out"
    kafka_only: dict[str, Any] = {"format": "zeek", "kafka": {}}
    kafka_only["kafka"] = {name: topics[name] for name in ("sightings", "investigations", "sensors")}
    elsewhere = {"format": "zeek", "kafka": kafka_only["kafka"] | {"investigations": topics["elsewhere"]}}
    files_only = {"format": "zeek", "kafka": {"enabled": False}, "files": {"folder": str(folder)}}
    running = Service(tmp_path / "one", topics, consume=consuming(topics), hunt={"look_behind": "10m"})
    with running, Flow(topics, rate=150, hits=5) as flow:
        assert running.process is not None
        opened = Path(f"/proc/{running.process.pid}/fd")
        before = len(list(opened.iterdir()))
        turns = [elsewhere, files_only, kafka_only] * 4
        for number, output in enumerate(turns, 1):
            running.sections["output"] = output
            running.write()
            running.hang_up()
            running.wait(lambda number=number: running.status()["reloads"]["applied"] == number, "applied", 2)  # type: ignore[misc]
            time.sleep(0.3)
        flow.end()
        expected = flow.expected()

        def found() -> Any:
            told = [record for name in ("investigations", "elsewhere") for record in topics.read(name)]
            lines = [line for path in folder.glob("*-investigation.log") for line in path.open()]
            return identities([*told, *map(json.loads, lines)])

        running.wait(lambda: found().total() >= expected.total(), "all captured", 20)
        time.sleep(1)
        assert found() == expected
        assert len(list(opened.iterdir())) < before + 12
        assert errors(running) == []
        assert running.stop() == 0
    assert_sentences(running)


def test_the_file_and_its_allow_list_change_at_once(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL, "domain other.example")
    allow = tmp_path / "allow.txt"
    allow.write_text("mine.example\n")
    running = Service(tmp_path / "one", topics, consume=consuming(topics), intel={"allow": [str(allow)]})
    with running:
        running.wait_armed(2)
        allow.write_text("mine.example\nevil.example\n")
        running.sections["hunt"] = {"modules": ["HTTP"]}
        running.write()
        running.wait_armed(1, 2)
        assert running.status()["reloads"]["applied"] == 1
        # A signal does the same where nothing else was noticed.
        allow.write_text("mine.example\n")
        running.hang_up()
        running.wait_armed(2, 2)
        assert running.stop() == 0
    assert_sentences(running)


def test_sigterm_in_the_middle_of_a_stream(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=4)
    topics.arm(INTEL)
    running = Service(tmp_path, topics, consume=consuming(topics), hunt={"look_behind": "10m"})
    with running, Flow(topics, rate=300) as flow:
        for _ in range(4):
            time.sleep(0.7)
            began = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - began < 10
            running.start()
        flow.check()
        assert running.stop() == 0
    assert_sentences(running)
