"""Armed compactly in a cluster, on both backends: filters on workers only, a late worker gets all for itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.zeek import traffic
from tests.zeek.package.cluster import HOLDERS, WORKERS, Cluster, cluster
from tests.zeek.package.compact import CompactLink
from tests.zeek.package.running import Records, logs

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.xdist_group("zeek-cluster"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Zeek needs to be root to listen on loopback"),
]

SCRIPT = """
redef Log::default_rotation_interval = 0sec;
redef tcp_close_delay = 0.5sec;
redef tcp_inactivity_timeout = 3sec;
"""


def written(nodes: Cluster, link: CompactLink, name: str, holds: Callable[[Records], Any]) -> Any:
    """What holds of a log on the logger, once it does; questions are answered meanwhile."""
    return link.serve(lambda: holds(logs(nodes.folder / "logger-1").get(name, [])), 30)


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
def test_workers_ask_and_a_late_one_is_filled_alone(backend: str, tmp_path: Path) -> None:
    names = ("manager", "logger-1", "proxy-1")
    with (
        traffic.web() as one,
        traffic.web() as two,
        cluster(tmp_path / "c", backend, *names, script=SCRIPT) as (nodes, bare),
    ):
        link = CompactLink(nodes.port)
        bare.close()
        nodes.start("worker-1", "-i", "lo", "-f", f"tcp port {one}")
        # What the manager logs before it has found the logger, Broker loses.
        link.hello({"manager", "logger-1", "worker-1"})
        for value in ("a.example", "b.example"):
            link.know(f"domain {value}", source="SOAR", level="critical", d="why", u="https://soar.example/1")
        link.fill(1, {"domain": ["a.example", "b.example"]}, {"worker-1"})
        states = link.hello({"manager", "worker-1"})
        assert states["manager"]["mode"] == "native"
        assert states["worker-1"]["compact"]["test"]["exact"] == 2

        seen(link, one, "a.example")
        [sighting] = link.sightings()
        assert (sighting["seen.node"], sighting["level"], sighting["sources"]) == (
            "worker-1",
            "critical",
            ["SOAR"],
        )
        captured = written(nodes, link, "http-investigation", lambda found: found)
        assert {record["host"] for record in captured} == {"a.example"}
        written(nodes, link, "conn-investigation", lambda found: found)
        assert written(nodes, link, "intel", lambda found: found)[0]["level"] == "critical"

        nodes.start("worker-2", "-i", "lo", "-f", f"tcp port {two}")
        link.hello({*HOLDERS, "logger-1"})
        assert link.states()["worker-2"]["compact"] == {}
        fill_alone(link, "worker-2", 2)
        assert {name: link.hello(WORKERS)[name]["compact"]["test"]["generation"] for name in WORKERS} == {
            "worker-1": 1,
            "worker-2": 2,
        }
        seen(link, two, "b.example")
        assert link.sightings()[-1]["seen.node"] == "worker-2"

        # Anew with nothing, until it is filled again.
        nodes.kill("worker-1")
        boot = link.states()["worker-1"]["boot"]
        nodes.start("worker-1", "-i", "lo", "-f", f"tcp port {one}")
        link.serve(lambda: link.hello({"worker-1"})["worker-1"]["boot"] != boot, 30)
        assert link.states()["worker-1"]["compact"] == {}
        fill_alone(link, "worker-1", 3)
        before = len(link.sightings())
        seen(link, one, "b.example")
        assert [one_["seen.node"] for one_ in link.sightings()[before:]] == ["worker-1"] * (
            len(link.sightings()) - before
        )


def fill_alone(link: CompactLink, node: str, generation: int) -> None:
    """The full set on a node's own topic."""
    setup = '{"exact": 100, "subdomains": 100, "rate": 0.000001}'
    for name, args in (
        ("compact_begin", (generation, setup)),
        ("compact_add", (generation, "domain", "a.example\nb.example")),
        ("compact_end", (generation, 2)),
    ):
        link.batch += 1
        link.send(name, link.batch, *args, node=node)
        link.until_acked(link.batch, {node})
        assert set(link.acks(link.batch)) == {node}


def seen(link: CompactLink, port: int, host: str) -> None:
    """Ask for it until it is sighted: a Zeek that has just begun may miss the first packets."""
    before = len(link.sightings())
    for _ in range(12):
        traffic.get(port, host)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            link.poll(0.1)
            link.answer()
            if any(one["seen.indicator"] == host for one in link.sightings()[before:]):
                return
    raise AssertionError(f"{host} was not seen; {link.states()}")
