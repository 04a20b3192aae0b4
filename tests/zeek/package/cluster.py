"""A Zeek cluster by hand on loopback: manager, logger, proxy, two workers that read captures."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.zeek.package.link import Link, free_ports, kill, start, stop
from tests.zeek.package.running import PACKAGE

NODES = ("manager", "logger-1", "proxy-1", "worker-1", "worker-2")
HOLDERS = {"manager", "worker-1", "worker-2"}
WORKERS = {"worker-1", "worker-2"}

BACKENDS = {
    "broker": ("frameworks/cluster/backend/broker",),
    "zeromq": ("frameworks/cluster/backend/zeromq",),
}


class Cluster:
    """The nodes of a cluster, each in its own folder."""

    def __init__(self, folder: Path, backend: str, script: str = "") -> None:
        self.folder = folder
        self.backend = backend
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        *ports, self.port, xpub, xsub = free_ports(len(NODES) + 3)
        self.layout(dict(zip(NODES, ports, strict=True)))
        (folder / "test.zeek").write_text(script)
        self.args = [
            *BACKENDS[backend],
            str(PACKAGE / "listen.zeek"),
            f"ThreatHunting::listen_port={self.port}/tcp",
        ]
        self.args.append(str(folder / "test.zeek"))
        if backend == "zeromq":
            names = "Cluster::Backend::ZeroMQ"
            self.args += [
                f"{names}::connect_xpub_endpoint=tcp://127.0.0.1:{xpub}",
                f"{names}::connect_xsub_endpoint=tcp://127.0.0.1:{xsub}",
                f"{names}::listen_xpub_endpoint=tcp://127.0.0.1:{xsub}",
                f"{names}::listen_xsub_endpoint=tcp://127.0.0.1:{xpub}",
            ]

    def layout(self, ports: dict[str, int]) -> None:
        kinds = {"manager": "MANAGER", "logger": "LOGGER", "proxy": "PROXY", "worker": "WORKER"}
        rows = []
        for name, port in ports.items():
            kind = kinds[name.partition("-")[0]]
            more = "" if kind == "MANAGER" else ', $manager="manager"'
            rows.append(f'["{name}"] = [$node_type=Cluster::{kind}, $ip=127.0.0.1, $p={port}/tcp{more}],')
        text = "\n\t".join(rows)
        (self.folder / "cluster-layout.zeek").write_text(
            f"redef Cluster::manager_is_logger = F;\nredef Cluster::nodes = {{\n\t{text}\n}};\n"
        )

    def start(self, name: str, *args: str) -> None:
        env = {"CLUSTER_NODE": name, "ZEEKPATH": f"{self.folder}:{zeek_path()}"}
        self.nodes[name] = start(self.folder / name, *self.args, *args, env=env)

    def kill(self, name: str) -> None:
        kill(self.nodes.pop(name))

    def stop(self) -> None:
        for process in self.nodes.values():
            process.terminate()
        for process in self.nodes.values():
            stop(process)

    def said(self) -> str:
        return "\n".join(
            f"{path.parent.name}: {path.read_text(errors='replace')}"
            for path in self.folder.glob("*/said.txt")
        )


def zeek_path() -> str:
    """Where Zeek looks for scripts by itself."""
    from tests.zeek.package.running import program

    prefix = Path(program()).resolve().parents[1]
    told = subprocess.run([str(prefix / "bin" / "zeek-config"), "--zeekpath"], capture_output=True, text=True)
    return told.stdout.strip()


@contextlib.contextmanager
def cluster(folder: Path, backend: str, *names: str, script: str = "") -> Iterator[tuple[Cluster, Link]]:
    """A running cluster of these nodes (all unless told), and a link to its manager."""
    one = Cluster(folder, backend, script)
    try:
        for name in names or NODES:
            one.start(name)
        link = Link(one.port)
        yield one, link
        link.close()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{one.said()}") from error
    finally:
        one.stop()
