"""A cluster on both backends, with live traffic on loopback: armed everywhere, and through every restart."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.zeek.package.cluster import HOLDERS, WORKERS, Cluster, cluster
from tests.zeek.package.link import Link
from tests.zeek.package.running import Records, item, logs

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.xdist_group("zeek-cluster"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Zeek needs to be root to listen on loopback"),
]


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"you asked for {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two servers, one for what each worker sees."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers[0].server_port, servers[1].server_port
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(port: int, host: str, path: str = "/") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": host, "X-Test": host})
    connection.getresponse().read()
    connection.close()


def seen(link: Link, host: str, port: int, node: str | None = None, patience: int = 12) -> dict[str, Any]:
    """The sighting of a host; asks again, as a Zeek that has just started may not see the first packets."""
    for _ in range(patience):
        ask(port, host)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            link.poll(0.2)
            for one in link.sightings():
                if one["seen.indicator"] == host and node in (None, one["seen.node"]):
                    return one
    raise AssertionError(f"{host} was not seen; sightings: {link.sightings()}; states: {link.states()}")


def written(cluster: Cluster, name: str, holds: Callable[[Records], Any], seconds: float = 15) -> Any:
    """What holds of a log on the logger, once it does."""
    deadline = time.monotonic() + seconds
    while True:
        records = logs(cluster.folder / "logger-1").get(name, [])
        if found := holds(records):
            return found
        assert time.monotonic() < deadline, f"{name}: {records}"
        time.sleep(0.3)


SCRIPT = """
@load base/frameworks/intel
redef Intel::read_files += {{ "{file}" }};
redef Log::default_rotation_interval = 0sec;
redef tcp_close_delay = 0.5sec;
redef tcp_inactivity_timeout = 3sec;
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A site's own intel file."""
    file = tmp_path / "intel.dat"
    file.write_text(
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.level\n"
        "file.example\tIntel::DOMAIN\tSITE\tours\tmedium\n"
    )
    return SCRIPT.format(file=file)


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
def test_armed_seen_captured(backend: str, ports: tuple[int, int], script: str, tmp_path: Path) -> None:
    with cluster(tmp_path / "c", backend, "manager", "logger-1", "proxy-1", script=script) as (nodes, link):
        nodes.start("worker-1", "-i", "lo", "-f", f"tcp port {ports[0]}")
        nodes.start("worker-2", "-i", "lo", "-f", f"tcp port {ports[1]}")
        states = link.hello({*HOLDERS, "logger-1"})
        assert {name: state["role"] for name, state in states.items()} == {
            name: name.partition("-")[0] for name in states
        }
        assert states["manager"]["expected_nodes"] == ["worker-1", "worker-2"]
        assert {name for name, state in states.items() if state["sees_traffic"]} == WORKERS
        assert states["manager"]["backend"] == backend

        # In bursts, and every node acknowledges every batch.
        many = [item("domain", f"host{n}.example") for n in range(20_000)]
        numbers = []
        for start in range(0, len(many), 1000):
            link.batch += 1
            numbers.append(link.batch)
            link.send("arm", link.batch, json.dumps(many[start : start + 1000]))
            if len(numbers) >= 8:
                link.until_acked(numbers[-8], HOLDERS)
        for number in numbers:
            link.until_acked(number, HOLDERS)
        assert {armed for armed, _ in link.acks(numbers[-1]).values()} == {20_000}

        batch = [
            item("domain", "evil.example", "SOAR", "high", x=True),
            item("domain", "file.example", "MISP"),
        ]
        assert link.command("arm", batch, HOLDERS) == dict.fromkeys(HOLDERS, (20_002, []))
        sighting = seen(link, "www.evil.example", ports[0])
        assert sighting["seen.node"] == "worker-1"
        assert sighting["level"] == "high"
        assert sighting["sources"] == ["SOAR"]
        assert sighting["seen.indicator_type"] == "Intel::DOMAIN"
        assert sighting["id.resp_p"] == ports[0]
        ask(ports[1], "innocent.example")
        record = written(
            nodes, "http-investigation", lambda records: [r for r in records if r["uid"] == sighting["uid"]]
        )[0]
        assert record["threathunting_indicators"] == ["domain evil.example"]
        assert record["threathunting_where"] == ["HTTP::IN_HOST_HEADER"]
        assert record["threathunting_level"] == "high"
        assert "X-Test: www.evil.example" in record["request_headers"]
        written(
            nodes, "conn-investigation", lambda records: [r for r in records if r["uid"] == sighting["uid"]]
        )
        line = written(nodes, "intel", lambda records: [r for r in records if r["uid"] == sighting["uid"]])[0]
        assert line["level"] == "high"
        assert {k: v for k, v in sighting.items() if k != "ts"} == {
            k: v for k, v in line.items() if k != "ts"
        }
        assert sighting["ts"] == pytest.approx(line["ts"], abs=1e-5)

        # Held by a file of the site's, too: it stays when ours goes, with what the file says.
        assert set(seen(link, "file.example", ports[1])["sources"]) == {"MISP", "SITE"}
        link.command("disarm", batch, HOLDERS)
        link.events.clear()
        sighting = seen(link, "file.example", ports[1])
        assert (sighting["sources"], sighting["level"]) == (["SITE"], "medium")
        ask(ports[0], "www.evil.example")
        ask(ports[1], "evil.example")
        for _ in range(8):
            link.poll(0.3)
        assert {one["seen.indicator"] for one in link.sightings()} == {"file.example"}

        link.send("modules", "CONN,DNS")
        link.until(lambda _: all(link.states().get(n, {}).get("modules") == ["CONN", "DNS"] for n in WORKERS))
        assert "innocent.example" not in {
            r.get("host") for r in logs(nodes.folder / "logger-1")["http-investigation"]
        }


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
def test_late_and_killed_nodes(backend: str, ports: tuple[int, int], script: str, tmp_path: Path) -> None:
    with cluster(tmp_path / "c", backend, "manager", "logger-1", "proxy-1", script=script) as (nodes, link):
        here = ("-i", "lo", "-f", f"tcp port {ports[0]}")
        there = ("-i", "lo", "-f", f"tcp port {ports[1]}")
        nodes.start("worker-1", *here)
        link.hello({"manager", "worker-1"})
        items = [item("domain", f"host{n}.example", level="critical") for n in range(3000)]
        link.sync(items, {"manager", "worker-1"})

        # A late worker tells that it is there, and with nothing; it is brought to the full set alone.
        nodes.start("worker-2", *there)
        late = link.until(lambda _: link.states().get("worker-2"), 25)
        assert late["armed"] == 0
        link.sync(items, {"worker-2"}, node="worker-2")
        assert seen(link, "host1.example", ports[1])["seen.node"] == "worker-2"

        # A killed worker is another one when it is back; what the site's file brought, it has by itself.
        link.events.clear()
        before = link.hello({"worker-1"})["worker-1"]["boot"]
        nodes.kill("worker-1")
        nodes.start("worker-1", *here)
        link.until(lambda _: link.states().get("worker-1", {}).get("boot", before) != before, 25)
        assert link.states()["worker-1"]["armed"] == 0
        assert seen(link, "file.example", ports[0])["level"] == "medium"
        link.sync(items, {"worker-1"}, node="worker-1")
        assert seen(link, "host2.example", ports[0])["seen.node"] == "worker-1"

        # A manager that is killed takes nothing from the workers, and knows what they see at once.
        nodes.kill("manager")
        nodes.start("manager")
        fresh = Link(nodes.port)
        states = fresh.hello(HOLDERS, 40)
        assert {name: state["armed"] for name, state in states.items() if name in HOLDERS} == {
            "manager": 0,
            "worker-1": 3000,
            "worker-2": 3000,
        }
        sighting = seen(fresh, "host3.example", ports[0])
        assert (sighting["seen.node"], sighting["level"], sighting["sources"]) == (
            "worker-1",
            "critical",
            ["SOAR"],
        )
        fresh.sync(items[:10], HOLDERS)
        assert {state["armed"] for name, state in fresh.hello(HOLDERS).items() if name in HOLDERS} == {10}
        fresh.close()


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
def test_compliance_mode(backend: str, ports: tuple[int, int], script: str, tmp_path: Path) -> None:
    script += "redef ThreatHunting::compliance = T;\n"
    with cluster(tmp_path / "c", backend, "manager", "logger-1", "proxy-1", script=script) as (nodes, link):
        nodes.start("worker-1", "-i", "lo", "-f", f"tcp port {ports[0]}")
        link.hello({"manager", "worker-1", "logger-1"})
        link.command("arm", [item("domain", "evil.example")], {"manager", "worker-1"})
        sighting = seen(link, "evil.example", ports[0])
        ask(ports[0], "innocent.example")
        written(
            nodes, "conn-investigation", lambda records: [r for r in records if r["uid"] == sighting["uid"]]
        )
        time.sleep(2)
        on_disk = {path.stem for path in tmp_path.glob("c/*/*.log")}
        assert on_disk == {"conn-investigation", "files-investigation", "http-investigation", "intel"}
        assert {r["host"] for r in logs(nodes.folder / "logger-1")["http-investigation"]} == {"evil.example"}
