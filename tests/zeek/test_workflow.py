"""The whole way, on a real Zeek and live traffic: Kafka, armed, captured in the sensor, and out of Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker, free_ports
from ..integration.conftest import *  # noqa: F403
from ..live import Service, Topics
from . import traffic
from .package.running import PACKAGE, environment, program

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.kafka,
    pytest.mark.xdist_group("live-zeek"),
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing on loopback needs root"),
]


class LiveZeek:
    """A Zeek with our package that captures on loopback, and listens for the service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.port = free_ports(1)[0]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> LiveZeek:
        command = [program(), "-C", "-i", "lo", str(PACKAGE), str(PACKAGE / "listen.zeek")]
        command += ["LogAscii::use_json=T", f"ThreatHunting::listen_port={self.port}/tcp"]
        with (self.folder / "zeek.out").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@contextmanager
def linked(tmp_path: Path, topics: Topics, **more: Any) -> Iterator[tuple[LiveZeek, Service]]:
    zeek = LiveZeek(tmp_path / "zeek").start()
    service = Service(
        tmp_path / "service",
        topics,
        zeek=[{"url": zeek.url, "name": "edge"}],
        follow=[{"path": str(zeek.folder), "hunt": False}],
        **more,
    )
    try:
        service.start()
        wait_armed(service)
        yield zeek, service
    finally:
        service.kill()
        zeek.kill()


def wait_armed(service: Service, timeout: float = 30.0) -> None:
    def armed() -> bool:
        return bool(service.status()["sensors"][0]["armed"])

    service.wait(armed, "armed", timeout)


def restarted(service: Service, boot: str) -> bool:
    nodes = service.status()["sensors"][0]["nodes"]
    return bool(nodes) and nodes[0]["boot"] != boot


def until(
    topics: Topics, logs: set[str], key: Callable[[dict[str, Any]], bool], timeout: float = 30.0
) -> list[dict[str, Any]]:
    """The investigation records that ``key`` knows, once there are some of every log of ``logs``."""
    deadline = time.monotonic() + timeout
    while True:
        found = [record for record in topics.read("investigations") if key(record)]
        names = {record["_path"].removesuffix("-investigation") for record in found}
        if logs <= names:
            return found
        assert time.monotonic() < deadline, f"no {logs - names} among {found}"
        time.sleep(0.2)


def test_each_of_the_original_modules_from_kafka_to_kafka(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka)
    # The original's own message, as a SOAR sends it: without key.
    message = b'{"ioc": "httpbin.example", "type": "domain", "meta": {"expire": 300, "source": "SOAR", "desc": "bad domain", "level": "high"}}'
    topics.send("intelligence", [(None, message)])
    topics.arm("addr 127.0.0.77", "domain asked.example", source="MISP", level="critical")
    with traffic.web() as web, traffic.ssh("127.0.0.77") as ssh, linked(tmp_path, topics) as (_, service):
        assert service.status()["sensors"][0]["nodes"][0]["armed"] == 3
        traffic.get(web, "good.example")
        traffic.get(web, "httpbin.example", "/file.exe")
        traffic.say_hello(ssh, "127.0.0.77")
        traffic.ask("asked.example")
        traffic.ask("other.example")
        by_soar = until(topics, {"http", "conn", "files"}, lambda one: one["intel"][0]["source"] == "SOAR")
        for record in by_soar:
            assert record["threathunting"] is True
            assert record["level"] == "high"
            assert record["intel"][0]["desc"] == "bad domain"
        assert {record.get("host") for record in by_soar} <= {None, "httpbin.example"}
        by_misp = until(topics, {"ssh", "conn", "dns"}, lambda one: one["intel"][0]["source"] == "MISP")
        assert {record["query"] for record in by_misp if "query" in record} == {"asked.example"}
        sightings = topics.read("sightings", until=3)
        assert {line["seen.indicator"] for line in sightings} >= {
            "httpbin.example",
            "127.0.0.77",
            "asked.example",
        }
        assert {line["sensor"] for line in sightings} == {"edge"}


def test_intel_arrives_leaves_and_expires_while_zeek_runs(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka)
    with traffic.web() as web, linked(tmp_path, topics) as (_, service):

        def hit(host: str) -> bool:
            before = len(topics.read("sightings"))
            traffic.get(web, host)
            time.sleep(1.0)
            return len(topics.read("sightings")) > before

        assert not hit("late.example")
        topics.arm("domain late.example")
        service.wait_armed(1)
        wait_armed(service)
        assert hit("late.example")
        topics.disarm("domain late.example")
        service.wait_armed(0)
        wait_armed(service)
        assert not hit("late.example")
        topics.arm("domain short.example", expire=3)
        service.wait_armed(1)
        wait_armed(service)
        assert hit("short.example")
        time.sleep(2.5)
        assert not hit("short.example")


def test_after_a_kill_of_zeek_of_the_service_and_of_kafka_the_intel_is_complete_again(
    make_broker: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = make_broker().start()
    topics = Topics(broker)
    topics.arm(*(f"domain d{n}.example" for n in range(1000)))
    with traffic.web() as web, linked(tmp_path, topics) as (zeek, service):

        def complete() -> bool:
            nodes = service.status()["sensors"][0]["nodes"]
            return [node["armed"] for node in nodes] == [1000] and nodes[0]["complete"]

        assert complete()
        took = {}
        for what in ("zeek", "service", "kafka"):
            began = time.monotonic()
            if what == "zeek":
                boot = service.status()["sensors"][0]["nodes"][0]["boot"]
                zeek.kill()
                zeek.start()
                service.wait(partial(restarted, service, boot), "a new boot")
            elif what == "service":
                service.kill()
                service.start()
            else:
                broker.kill()
                broker.start()
            service.wait(complete, "complete again")
            wait_armed(service)
            took[what] = round(time.monotonic() - began, 1)
        print(f"complete again after: {took}")
        traffic.get(web, "d999.example")
        until(topics, {"http", "conn"}, lambda one: one["intel"][0]["indicator"] == "d999.example")
