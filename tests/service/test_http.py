"""The pages of metrics and state."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from threathunting.service import http as pages
from threathunting.service.http import MAX_REQUESTS, Server
from threathunting.service.metrics import Metrics
from threathunting.service.redact import Redactor
from threathunting.service.status import ErrorStatus, Status


class Told:
    unhealthy: list[str]
    not_ready: list[str]
    error: Exception | None = None

    def __init__(self) -> None:
        self.unhealthy, self.not_ready = [], []

    def status(self) -> Status:
        if self.error is not None:
            raise self.error
        errors = [ErrorStatus(what="no hunter2", first=1.0, last=1.0)]
        return Status(
            name="hunter2",
            version="1",
            pid=7,
            started=0.0,
            now=1.0,
            ready=True,
            armed={"domain": 3},
            errors=errors,
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def server(told: Told) -> Iterator[Server]:
    server = Server(
        ("127.0.0.1", 0),
        Metrics().registry,
        lambda: told.unhealthy,
        lambda: told.not_ready,
        told.status,
        Redactor(["hunter2"]),
    )
    server.start()
    yield server
    server.close()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, str(response.headers["Content-Type"]), body


def test_metrics(server: Server) -> None:
    status, kind, body = get(server, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "threathunting_intel_ready 0.0" in body
    assert "openmetrics" in get(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")[1]


@pytest.mark.parametrize(("path", "word"), [("/healthz", "healthy"), ("/readyz?verbose", "ready")])
def test_checks(path: str, word: str, server: Server, told: Told) -> None:
    assert get(server, path) == (200, "text/plain; charset=utf-8", f"{word}\n")
    told.unhealthy, told.not_ready = ["the loop stands", "hunter2"], ["intel is at 3 of 7", "hunter2"]
    status, _, body = get(server, path)
    assert status == 503
    assert body == ("the loop stands\n***\n" if word == "healthy" else "intel is at 3 of 7\n***\n")


def test_status_hides_secrets(server: Server) -> None:
    status, kind, body = get(server, "/status")
    assert (status, kind) == (200, "application/json")
    shown = json.loads(body)
    assert shown["armed"] == {"domain": 3}
    assert (shown["name"], shown["errors"][0]["what"]) == ("***", "no ***")


def test_what_goes_wrong_is_told(server: Server, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.error = RuntimeError("hunter2 is wrong")
    assert get(server, "/status") == (
        500,
        "text/plain; charset=utf-8",
        "This can't be told: RuntimeError: *** is wrong\n",
    )
    monkeypatch.setattr(server, "unhealthy", told.status)
    assert get(server, "/healthz")[0] == 503
    assert get(server, "/readyz")[0] == 200


def test_other_pages_and_methods(server: Server) -> None:
    status, _, body = get(server, "/")
    assert status == 404
    assert "/readyz" in body
    assert get(server, "/healthz", "HEAD")[::2] == (200, "")
    assert get(server, "/status", "POST")[0] == 501


def test_a_port_that_is_taken(server: Server) -> None:
    host, port = server.address
    with pytest.raises(OSError, match=rf"^{host}:{port} can't be listened on: address already in use; "):
        Server((host, port), server.registry, list, list, server.status)
    with pytest.raises(OSError, match=r"can't be listened on"):
        Server(("192.0.2.1", 0), server.registry, list, list, server.status)


def test_the_port_is_free_again(told: Told) -> None:
    first = Server(("127.0.0.1", 0), Metrics().registry, list, list, told.status)
    first.start()
    get(first, "/healthz")
    first.close()
    second = Server(first.address, Metrics().registry, list, list, told.status)
    second.start()
    assert get(second, "/healthz")[0] == 200
    second.close()


def test_ipv6(told: Told) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        server = Server(("::1", 0), Metrics().registry, list, list, told.status)
    except OSError:
        pytest.skip("no IPv6 loopback")
    server.start()
    assert server.address[0] == "::1"
    assert get(server, "/healthz")[0] == 200
    server.close()


def test_silent_clients_keep_nobody_out_for_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages._Handler, "timeout", 0.3)
    before = threading.active_count()
    silent = [socket.create_connection(server.address) for _ in range(MAX_REQUESTS + 4)]
    began = time.monotonic()
    assert get(server, "/healthz")[0] == 200
    assert time.monotonic() - began < 4
    assert threading.active_count() <= before + MAX_REQUESTS + 1
    for one in silent:
        one.close()


def test_nonsense_is_answered_or_dropped(server: Server) -> None:
    for sent in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection(server.address) as client:
            try:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                client.recv(100)
            except OSError:
                pass  # dropped, which is as good
    assert get(server, "/healthz")[0] == 200
