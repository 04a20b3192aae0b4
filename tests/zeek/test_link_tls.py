"""The live link over TLS, with certificates on both sides, to a real Zeek."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker, free_ports
from ..certificates import Certificates
from ..integration.conftest import *  # noqa: F403
from ..live import Service, Topics
from .package.running import PACKAGE, environment, program

pytestmark = [pytest.mark.zeek, pytest.mark.kafka]

LISTEN = """
redef ThreatHunting::listen_tls = Cluster::WebSocketTLSOptions($cert_file="{ours.broker}",
    $key_file="{ours.broker}", $enable_peer_verification=T, $ca_file="{ours.ca}");
"""


@pytest.fixture
def ours(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path).made()


@pytest.fixture
def url(tmp_path: Path, ours: Certificates) -> Iterator[str]:
    """A Zeek that wants a certificate of whoever links to it."""
    folder = tmp_path / "zeek"
    folder.mkdir()
    (folder / "tls.zeek").write_text(LISTEN.format(ours=ours))
    port = free_ports(1)[0]
    command = [program(), str(PACKAGE), str(PACKAGE / "listen.zeek"), "tls.zeek"]
    command += [f"ThreatHunting::listen_port={port}/tcp", "exit_only_after_terminate=T"]
    with (folder / "zeek.out").open("wb") as log:
        zeek = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
        )
    yield f"wss://127.0.0.1:{port}"
    zeek.terminate()
    zeek.wait(30)


def service(folder: Path, topics: Topics, **link: Any) -> Service:
    return Service(
        folder, topics, zeek=[{"name": "edge", **{key: str(value) for key, value in link.items()}}]
    )


def test_with_certificates_on_both_sides_it_is_armed(
    kafka: Broker, tmp_path: Path, ours: Certificates, url: str
) -> None:
    topics = Topics(kafka)
    topics.arm("domain evil.example")
    with service(
        tmp_path / "one", topics, url=url, ca=ours.ca, certificate=ours.client, key=ours.client_key
    ) as one:
        one.wait(lambda: bool(one.status()["sensors"][0]["armed"]), "armed")
        assert [node["armed"] for node in one.status()["sensors"][0]["nodes"]] == [1]
        assert one.stop() == 0


@pytest.mark.parametrize("what", ["no certificate of ours", "a certificate of Zeek's that nobody signed"])
def test_without_them_it_is_not_and_says_why(
    kafka: Broker, tmp_path: Path, ours: Certificates, url: str, what: str
) -> None:
    topics = Topics(kafka)
    topics.arm("domain evil.example")
    other = tmp_path / "other"
    other.mkdir()
    link = {"ca": ours.ca} if what.startswith("no") else {"ca": Certificates(other).made().ca}
    with service(tmp_path / "one", topics, url=url, **link) as one:

        def told() -> bool:
            return any("edge" in error["what"] and "TLS" in error["what"] for error in one.status()["errors"])

        one.wait(told, "saying why")
        assert not one.status()["sensors"][0]["armed"]
        assert one.stop() == 0
