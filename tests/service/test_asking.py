"""Asking a service for its state, and what is said where there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from threathunting.service.asking import ask, url_of
from threathunting.service.http import Server
from threathunting.service.metrics import Metrics
from threathunting.service.status import Status

STATUS = Status(name="a", version="1", pid=1, started=0.0, now=1.0, ready=False, not_ready=["intel"])


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:9167"),
        ('[kafka]\npassword = "${NOT_SET}"', "http://127.0.0.1:9167"),
        ('[http]\nlisten = "0.0.0.0:80"', "http://127.0.0.1:80"),
        ('[http]\nlisten = "[::]:80"', "http://[::1]:80"),
        ('[http]\nlisten = "sensor.example:80"', "http://sensor.example:80"),
    ],
)
def test_the_address_of_a_configuration(text: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    assert url_of(tmp_path / "c.toml") == url


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[http]\nlisten = false", "http.listen is off"),
        ('[http]\nlisten = "x:0"', "has port 0"),
        ('[http]\nlisten = "x"', "c.toml:2: http.listen: 'x' is no address"),
        ("http = 3", "c.toml:1: http: must be a table, not 3"),
        ("[http", "c.toml:1: not TOML"),
    ],
)
def test_a_configuration_without_one(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ValueError, match=r"c\.toml") as error:
        url_of(tmp_path / "c.toml")
    assert sentence in str(error.value)


def test_a_service_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = Server(("127.0.0.1", 0), Metrics().registry, list, list, lambda: STATUS)
    server.start()
    host, port = server.address
    try:
        for url in (f"http://{host}:{port}", f"http://{host}:{port}/status/"):
            body, status = ask(url.rstrip("/"))
            assert status == STATUS
            assert b'"not_ready":["intel"]' in body
    finally:
        server.close()


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """Something else that listens, and says ``text`` to one caller."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(text)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.0 404 Not Found\r\n\r\nno such page\nat all", "gives no state: 404 no such page"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", "is no threathunting: "),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", "is no threathunting: "),
        (b"SSH-2.0-OpenSSH\r\n", "no service answers at "),
        (b"", "no service answers at "),
    ],
)
def test_something_else_answers(answer: bytes, sentence: str) -> None:
    with answering(answer) as url, pytest.raises(OSError, match=r"http://127.0.0.1") as error:
        ask(url)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        OSError, match=rf"^no service answers at http://127.0.0.1:{port} \(connection refused\); "
    ):
        ask(f"http://127.0.0.1:{port}")
    for url in ("file:///etc/passwd", "127.0.0.1:9167", "http://", "ftp://x/status"):
        with pytest.raises(ValueError, match="is no address of a service"):
            ask(url)
