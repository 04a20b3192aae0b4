"""Control while it runs: what is changed in the file is in force within a second, and a wrong edit changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged

pytestmark = pytest.mark.kafka

SLACK = 2.0
"""Seconds: the promise is one, and this machine does other things too."""


class Running:
    def __init__(self, kafka: Broker, folder: Path) -> None:
        self.topics = Topics(kafka, records=1)
        self.topics.arm("domain evil.example", level="high")
        self.allow = folder / "allow.txt"
        self.allow.write_text("mine.example\n")
        self.number = 0
        self.sent = 0
        consume = {
            "topics": [self.topics["records"]],
            "group": self.topics["group"],
            "flags_topic": self.topics["conversations"],
        }
        self.service = Service(
            folder / "one", self.topics, consume=consume, intel={"allow": [str(self.allow)]}
        )

    def hit(self) -> list[dict[str, Any]]:
        """A conversation with a sighting, and what of it came out."""
        self.number += 1
        before = self.topics.read("investigations")
        records = conversation(self.number, True, time.time())
        self.topics.send("records", [(None, tagged(*one)) for one in records])
        self.sent += len(records)
        self.service.wait(lambda: self.taken() >= self.sent, "all records taken")
        # What came of them is committed soon after.
        time.sleep(1.0)
        # The topic has two partitions: what is read of it is in no order.
        return [record for record in self.topics.read("investigations") if record not in before]

    def taken(self) -> int:
        """Records that the service has read."""
        return sum(one["records"] for one in self.service.status()["inputs"])

    def changed(self, change: Callable[[], object]) -> float:
        """Make a change of the file, and wait until it is applied or refused; the seconds that took."""
        before = self.reloads()
        began = time.monotonic()
        change()
        self.service.wait(lambda: self.reloads() != before, "taken up", SLACK + 5)
        return time.monotonic() - began

    def reloads(self) -> tuple[int, int]:
        status = self.service.status()["reloads"]
        return status["applied"], status["refused"]

    def set(self, section: str, **keys: Any) -> Callable[[], None]:
        def change() -> None:
            self.service.sections.setdefault(section, {}).update(keys)
            self.service.write()

        return change


@pytest.fixture
def running(kafka: Broker, tmp_path: Path) -> Any:
    one = Running(kafka, tmp_path)
    one.service.start()
    one.service.wait_armed(1)
    yield one
    one.service.kill()


def test_modules_and_levels(running: Running) -> None:
    assert {record["_path"] for record in running.hit()} == {
        f"{log}-investigation" for log in ("http", "conn", "files")
    }
    assert running.changed(running.set("hunt", modules=["CONN", "DNS"])) < SLACK
    assert running.hit() == []
    assert running.changed(running.set("hunt", modules=["HTTP", "CONN"])) < SLACK
    assert {record["_path"] for record in running.hit()} == {"http-investigation", "conn-investigation"}
    assert running.changed(running.set("hunt", min_level="critical")) < SLACK
    assert running.hit() == []
    assert running.changed(running.set("intel", levels={"SOAR": "critical"})) < SLACK
    assert {record["level"] for record in running.hit()} == {"critical"}


def test_the_allow_list_and_back(running: Running) -> None:
    assert running.hit()
    began = time.monotonic()
    running.allow.write_text("mine.example\nevil.example\n")
    running.service.wait_armed(0, SLACK)
    assert time.monotonic() - began < SLACK
    assert running.hit() == []
    running.allow.write_text("mine.example\n")
    running.service.wait_armed(1, SLACK)
    assert running.hit()


def test_the_form_and_the_place_of_results(running: Running, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert "threat.enrichments" not in running.hit()[0]
    output = running.service.sections["output"]
    assert running.changed(running.set("output", format="ecs", files={"folder": str(folder)})) < SLACK
    assert "threat.enrichments" in running.hit()[0]
    assert {path.name for path in folder.iterdir()} >= {"intel.log", "http-investigation.log"}
    assert running.changed(running.set("output", kafka=output["kafka"] | {"investigations": False})) < SLACK
    assert running.hit() == []
    assert len((folder / "http-investigation.log").read_text().splitlines()) == 4


def test_a_wrong_edit_changes_nothing_and_is_told_with_its_line(running: Running) -> None:
    assert running.changed(running.set("hunt", modules=["HTPP"], look_behind="5 parsecs")) < SLACK
    status = running.service.status()["reloads"]
    assert (status["applied"], status["refused"]) == (0, 1)
    lines = status["error"].splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{running.service.config}:") for line in lines)
    assert any("HTPP" in line for line in lines)
    assert running.hit()
    # No TOML at all, and no file at all.
    assert running.changed(lambda: running.service.config.write_text("[hunt")) < SLACK
    assert running.changed(running.service.config.unlink) < SLACK + 1
    assert running.hit()
    running.service.sections["hunt"] = {"modules": ["HTTP"]}
    assert running.changed(running.service.write) < SLACK
    assert running.service.status()["reloads"]["error"] is None
    assert {record["_path"] for record in running.hit()} == {"http-investigation"}


def test_what_needs_a_restart_is_told_and_the_rest_applied(running: Running) -> None:
    change = running.set("hunt", modules=["HTTP"], look_behind="5m")
    assert running.changed(change) < SLACK
    assert running.service.status()["reloads"]["waiting"] == ["hunt.look_behind"]
    assert {record["_path"] for record in running.hit()} == {"http-investigation"}


def test_sighup_reads_the_file_and_sigterm_drains(running: Running) -> None:
    topics = running.topics
    running.service.hang_up()
    time.sleep(0.5)
    assert running.service.process is not None
    assert running.service.process.poll() is None
    records = [one for n in range(1000, 3000) for one in conversation(n, n % 10 == 0, time.time())]
    topics.send("records", [(None, tagged(*one)) for one in records])
    assert running.service.stop(30) == 0
    running.service.start()
    expected = {(f"C{n:08d}", k) for n in range(1000, 3000, 10) for k in range(4)}
    found = identities(topics.read("investigations", until=len(expected)))
    assert found.keys() == expected
    assert set(found.values()) == {1}
