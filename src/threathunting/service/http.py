"""Serves metrics and state over HTTP. There is no log-in: it listens on loopback unless told otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from threathunting.service.redact import Redactor
from threathunting.service.status import Status

MAX_REQUESTS = 16
"""Requests at the same time; one more waits for a second at most and is then turned away."""

TIMEOUT_SECONDS = 5.0

_TEXT = "text/plain; charset=utf-8"
Reasons = Callable[[], Sequence[str]]
"""Sentences on what is not as it should be; empty where all is well."""


class Server:
    """A server in a daemon thread. ``address`` is where it listens, with the port it got if asked for port 0.

    The callables are called in its threads. What they raise is answered with status 500 (503 for the checks).
    """

    def __init__(
        self,
        address: tuple[str, int],
        registry: CollectorRegistry,
        unhealthy: Reasons,
        not_ready: Reasons,
        status: Callable[[], Status],
        redactor: Redactor | None = None,
    ) -> None:
        """Listen. Raises OSError, a sentence, where that can't be."""
        self.registry, self.unhealthy, self.not_ready, self.status = registry, unhealthy, not_ready, status
        self.redactor = redactor or Redactor()
        host, port = address
        try:
            family, _, _, _, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Listener(cast(tuple[str, int], found), family, self)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise OSError(
                f"{where} can't be listened on: {reason}; stop what is there, or change http.listen"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http", daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Listener(ThreadingMixIn, TCPServer):
    # Not HTTPServer, which would ask DNS for our name.
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], family: int, server: Server) -> None:
        self.address_family = family
        self.server = server
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(timeout=1.0):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT_SECONDS
    server_version, sys_version = "threathunting", ""

    def do_GET(self) -> None:
        pages = {
            "/metrics": self._metrics,
            "/healthz": lambda: self._check(self._service.unhealthy, "healthy"),
            "/readyz": lambda: self._check(self._service.not_ready, "ready"),
            "/status": self._status,
        }
        page = pages.get(self.path.partition("?")[0])
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"There is {', '.join(pages)}.\n".encode())
            return
        try:
            answer = page()
        except Exception as error:
            reason = self._service.redactor.text(f"{type(error).__name__}: {error}")
            check = self.path.startswith(("/healthz", "/readyz"))
            failure = HTTPStatus.SERVICE_UNAVAILABLE if check else HTTPStatus.INTERNAL_SERVER_ERROR
            answer = (failure, _TEXT, f"This can't be told: {reason}\n".encode())
        self._answer(*answer)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""

    @property
    def _service(self) -> Server:
        return cast(_Listener, self.server).server

    def _metrics(self) -> tuple[HTTPStatus, str, bytes]:
        encoder, kind = choose_encoder(self.headers.get("Accept", ""))
        return HTTPStatus.OK, kind, encoder(self._service.registry)

    def _check(self, reasons: Reasons, well: str) -> tuple[HTTPStatus, str, bytes]:
        found = reasons()
        text = "\n".join(self._service.redactor.text(reason) for reason in found) or well
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return status, _TEXT, f"{text}\n".encode()

    def _status(self) -> tuple[HTTPStatus, str, bytes]:
        plain = msgspec.to_builtins(self._service.status())
        body = msgspec.json.encode(self._service.redactor.value(plain))
        return HTTPStatus.OK, "application/json", body

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
