"""A cluster linked by the service: workers and the manager die and come back, and the intel is whole again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..integration.conftest import *  # noqa: F403
from ..live import Service, Topics
from . import traffic
from .package.cluster import BACKENDS, HOLDERS, NODES, Cluster

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.kafka,
    pytest.mark.xdist_group("live-zeek"),
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing on loopback needs root"),
]

ARMED = 500


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_worker_and_a_killed_manager_are_complete_again(
    kafka: Broker, tmp_path: Path, backend: str
) -> None:
    topics = Topics(kafka)
    topics.arm(*(f"domain d{n}.example" for n in range(ARMED)))
    zeeks = Cluster(tmp_path / "zeek", backend, "redef LogAscii::use_json = T;\n")
    service = Service(
        tmp_path / "service",
        topics,
        zeek=[{"url": f"ws://127.0.0.1:{zeeks.port}", "name": "edge"}],
        follow=[{"path": str(zeeks.folder / "logger-1"), "hunt": False}],
    )

    def start(name: str) -> None:
        # One worker sees the traffic; two on one interface would see it twice.
        zeeks.start(name, *(("-C", "-i", "lo") if name == "worker-1" else ()))

    def nodes() -> dict[str, dict[str, Any]]:
        return {node["name"]: node for node in service.status()["sensors"][0]["nodes"]}

    def complete(*counts: int) -> bool:
        found = nodes()
        return (
            bool(service.status()["sensors"][0]["armed"])
            and set(found) == HOLDERS
            and all(node["armed"] in counts and node["complete"] for node in found.values())
        )

    def captured(host: str, web: int, seconds: float) -> bool:
        traffic.get(web, host)
        return wait(lambda: any(one.get("host") == host for one in topics.read("investigations")), seconds)

    def kill_and_wait(name: str) -> float:
        """Seconds until it is complete again, without what expired or was removed meanwhile."""
        boot = nodes()[name]["boot"]
        zeeks.kill(name)
        topics.disarm("domain removed.example")
        began = time.monotonic()
        start(name)
        service.wait(lambda: nodes().get(name, {"boot": boot})["boot"] != boot, "a new boot", 60)
        # Whether what is about to expire has.
        service.wait(lambda: complete(ARMED, ARMED + 1), "complete again", 60)
        took = round(time.monotonic() - began, 1)
        service.wait(lambda: complete(ARMED), "rid of what has expired")
        return took

    try:
        for name in NODES:
            start(name)
        with traffic.web() as web:
            service.start()
            took = {}
            for name in ("worker-1", "manager"):
                topics.arm("domain short.example", expire=8)
                topics.arm("domain removed.example")
                service.wait(lambda: complete(ARMED + 2), "complete", 60)
                took[name] = kill_and_wait(name)
                assert captured(f"d{len(took)}.example", web, 30)
                assert not captured("removed.example", web, 2)
                assert not captured("short.example", web, 2)
        print(f"{backend}: complete again after {took} s")
        assert service.stop() == 0
    except AssertionError as error:
        raise AssertionError(f"{error}\n{zeeks.said()}") from error
    finally:
        service.kill()
        zeeks.stop()


def wait(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
