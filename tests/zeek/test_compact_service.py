"""The same live traffic hunted natively and compactly, by the service: the same investigation records in Kafka."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..integration.conftest import *  # noqa: F403
from ..live import Service, Topics
from .package.link import free_ports
from .package.running import PACKAGE, environment, program
from .package.test_captures import SEEDS
from .package.test_compact_replay import SCRIPT, captures, random_set
from .replay import wire
from .test_workflow import wait_armed

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.kafka,
    pytest.mark.shared,
    pytest.mark.xdist_group("live-zeek"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a veth pair"),
]


class Side:
    """A Zeek, and the service that arms it and ships what it captures."""

    def __init__(self, kafka: Broker, folder: Path, tap: str, mode: str, intel: Path, **more: Any) -> None:
        self.topics = Topics(kafka)
        self.logs = folder / "zeek"
        self.logs.mkdir(parents=True)
        port = free_ports(1)[0]
        (self.logs / "test.zeek").write_text(SCRIPT)
        command = [program(), "-C", "-i", tap, "-G", str(SEEDS), str(PACKAGE), str(PACKAGE / "listen.zeek")]
        command += ["test.zeek", "LogAscii::use_json=T", f"ThreatHunting::listen_port={port}/tcp"]
        with (self.logs / "said.txt").open("ab") as said:
            self.zeek = subprocess.Popen(
                command, cwd=self.logs, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment()
            )
        self.service = Service(
            folder / "service",
            self.topics,
            zeek=[{"url": f"ws://127.0.0.1:{port}", "name": "edge", "mode": mode, **more}],
            follow=[{"path": str(self.logs), "hunt": False}],
            intel={"files": [str(intel)], "store": "disk" if mode == "compact" else "memory"},
        )

    def node(self) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = self.service.status()["sensors"][0]["nodes"]
        return nodes[0] if nodes else {}

    def ids(self) -> set[tuple[str, str]]:
        return {(one["_path"], one["investigation_id"]) for one in self.topics.read("investigations")}

    def end(self) -> None:
        self.service.kill()
        self.zeek.kill()
        self.zeek.wait()


@pytest.mark.parametrize("cut", [False, True], ids=["steady", "service killed"])
def test_native_and_compact_give_the_same_investigations(
    cut: bool, kafka: Broker, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    pcaps = shared("pcaps")
    intel = tmp_path / "intel.jsonl"
    chosen = random_set(pcaps, random.Random(11 + cut), 1000)
    intel.write_text(
        "".join(
            json.dumps({"ioc": value, "type": kind, "meta": {"source": "feed"}}) + "\n"
            for kind, value in chosen
        )
    )
    with wire() as cable:
        native = Side(kafka, tmp_path / "native", cable.tap, "native", intel)
        compact = Side(kafka, tmp_path / "compact", cable.tap, "compact", intel, hold="500ms")
        try:
            for side in (native, compact):
                side.service.start()
                wait_armed(side.service)
            assert (native.node()["mode"], compact.node()["mode"]) == ("native", "compact")
            playing = threading.Thread(target=lambda: [cable.replay(path) for path in captures(pcaps)])
            playing.start()
            if cut:
                time.sleep(1)
                compact.service.kill()
                time.sleep(2)
                compact.service.start()
            playing.join()
            compact.service.wait(lambda: compact.node().get("pending") == 0, "answered", 30)
            compact.service.wait(lambda: compact.node().get("waiting_records", 0) == 0, "written", 30)
            # Connections without an end time out, and are shipped.
            native.service.wait(lambda: same(native.ids, 3.0), "all shipped", 60)
            compact.service.wait(lambda: same(compact.ids, 3.0), "all shipped", 60)
            assert len(native.ids()) > 20
            assert compact.ids() == native.ids()
            assert (compact.node()["unverified"] > 0) is cut
            for record in compact.topics.read("investigations"):
                assert record["intel"], record
                assert "threathunting_unverified" not in record
            seen = [
                {
                    (one["uid"], one["seen.indicator"], one["seen.where"])
                    for one in side.topics.read("sightings")
                }
                for side in (native, compact)
            ]
            if not cut:
                assert seen[0] == seen[1]
        finally:
            native.end()
            compact.end()


def same(ask: Callable[[], Any], seconds: float) -> bool:
    """Whether the answer stays the same for so long."""
    before = ask()
    time.sleep(seconds)
    return bool(ask() == before)
