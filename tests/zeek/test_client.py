"""The connection: subscribing, coming back, TLS, and peers that are none."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Sized
from pathlib import Path

import pytest
import trustme

from threathunting.zeek.client import Endpoint, Link
from threathunting.zeek.protocol import REPORT
from threathunting.zeek.wire import Count, Event, Welcome

from .peer import Peer


class Running:
    """A link in a thread of its own, and all that it said."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.welcomes: list[Welcome] = []
        self.breaks: list[str] = []
        self.events: list[Event] = []
        self.failures: list[str] = []
        self.link = Link(
            endpoint, self.welcomes.append, self.breaks.append, self.events.append, self.failures.append
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def send(self, event: Event) -> None:
        asyncio.run_coroutine_threadsafe(self.link.send(event), self._loop).result(10)

    def _run(self) -> None:
        self._task = self._loop.create_task(self.link.run())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass


def wait(done: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for(said: Sized, times: int) -> None:
    wait(lambda: len(said) == times)


def test_it_subscribes_sends_and_receives() -> None:
    with Peer() as peer, Running(Endpoint(url=peer.url)) as running:
        wait(lambda: running.welcomes)
        assert running.welcomes == [Welcome("peer", "8.2.2")]
        assert peer.subscribed == [REPORT]
        hello = Event("/threathunting/command/", "ThreatHunting::hello", (Count(1), "us"))
        running.send(hello)
        wait(lambda: running.events)
        assert peer.events == [hello]
        assert running.events[0].name == "ThreatHunting::state"


def test_it_comes_back_whenever_the_connection_breaks() -> None:
    with Peer() as peer, Running(Endpoint(url=peer.url)) as running:
        for times in range(1, 4):
            wait_for(running.welcomes, times)
            peer.drop()
            wait_for(running.breaks, times)
        assert all(peer.url in reason for reason in running.breaks)


def test_it_waits_for_a_zeek_that_is_not_there_yet() -> None:
    with Peer() as first:
        port = first.port
    with Running(Endpoint(url=f"ws://127.0.0.1:{port}")) as running:
        wait(lambda: running.breaks)
        assert "refused" in running.breaks[0]
        with Peer(port=port):
            wait(lambda: running.welcomes)


def test_what_zeek_or_we_do_not_understand_is_told_and_stops_nothing() -> None:
    with Peer() as peer, Running(Endpoint(url=peer.url)) as running:
        wait(lambda: running.welcomes)
        peer.raw(b"nonsense")
        peer.raw(b'{"type":"error","code":"deserialization_failed","context":"byte 5"}')
        peer.say("state", "zeek", "1", "{}")
        wait(lambda: running.events)
        assert len(running.failures) == 2
        assert "not JSON" in running.failures[0]
        assert "did not take a message: deserialization_failed: byte 5" in running.failures[1]


def test_a_large_sighting_passes() -> None:
    with Peer() as peer, Running(Endpoint(url=peer.url)) as running:
        wait(lambda: running.welcomes)
        peer.say("sighting", "zeek", "1", "x" * 5_000_000)
        wait(lambda: running.events)
        assert len(str(running.events[0].args[3])) == 5_000_000


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, mutual: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if mutual:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_mutual_tls(authority: trustme.CA, tmp_path: Path) -> None:
    ours = authority.issue_cert("hunter.example")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "ours.pem"))
    ca, both = str(tmp_path / "ca.pem"), str(tmp_path / "ours.pem")
    with Peer(tls=server_side(authority, mutual=True)) as peer:
        with Running(Endpoint(url=peer.url, ca=ca, certificate=both, key=both)) as running:
            wait(lambda: running.welcomes)
        with Running(Endpoint(url=peer.url, ca=ca)) as running:
            wait(lambda: running.breaks)
            assert not running.welcomes


def test_a_certificate_of_somebody_else_is_not_accepted(authority: trustme.CA, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with (
        Peer(tls=server_side(authority, mutual=False)) as peer,
        Running(Endpoint(url=peer.url, ca=str(tmp_path / "other.pem"))) as running,
    ):
        wait(lambda: running.breaks)
        assert "TLS failed" in running.breaks[0]


@pytest.mark.parametrize("ca", ["missing.pem", "empty.pem"])
def test_a_ca_file_that_is_none_is_told(tmp_path: Path, ca: str) -> None:
    (tmp_path / "empty.pem").write_text("")
    with Running(Endpoint(url="wss://127.0.0.1:1", ca=str(tmp_path / ca))) as running:
        wait(lambda: running.breaks)
        assert "Zeek at wss://127.0.0.1:1" in running.breaks[0]


def test_a_server_that_is_no_zeek_is_told() -> None:
    import http.server

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Running(Endpoint(url=f"ws://127.0.0.1:{server.server_port}")) as running:
            wait(lambda: running.breaks)
            assert "no WebSocket API of Zeek's" in running.breaks[0]
    finally:
        server.shutdown()
