"""Live traffic on loopback, of our own servers and clients: HTTP with a file, DNS, SSH's beginning."""

from __future__ import annotations

import http.client
import http.server
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BODY = b"MZ this program can only be run in a test\n" * 40
BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


class _Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Banner(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(BANNER)
        self.request.recv(1000)


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler], host: str = "127.0.0.1") -> Iterator[int]:
    """A TCP server on a free port."""
    kind = (
        http.server.ThreadingHTTPServer
        if issubclass(handler, http.server.BaseHTTPRequestHandler)
        else socketserver.ThreadingTCPServer
    )
    with kind((host, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def web() -> Iterator[int]:
    """A web server that has one file."""
    with serving(_Pages) as port:
        yield port


@contextmanager
def ssh(host: str = "127.0.0.1") -> Iterator[int]:
    """A server that says that it speaks SSH, and no more."""
    with serving(_Banner, host) as port:
        yield port


def get(port: int, host: str, path: str = "/", agent: str | None = None) -> None:
    """Ask the web server for a page of ``host``."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Host": host} | ({} if agent is None else {"User-Agent": agent})
    connection.request("GET", path, headers=headers)
    assert connection.getresponse().read() == BODY
    connection.close()


def say_hello(port: int, host: str = "127.0.0.1") -> None:
    """Begin to speak SSH."""
    with socket.create_connection((host, port)) as client:
        client.recv(100)
        client.sendall(b"SSH-2.0-test_1.0\r\n")


def query(name: str, number: int = 7) -> bytes:
    """A DNS query for the addresses of a name (RFC 1035)."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + question


def answer(asked: bytes) -> bytes:
    """What answers such a query: one address."""
    header = asked[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
    return header + asked[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x07"


def ask(name: str, server: str = "127.0.0.53") -> None:
    """Ask for a name, and be answered, on port 53, by which Zeek knows DNS."""
    asked = query(name)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        listener.bind((server, 53))
        client.settimeout(5)
        client.sendto(asked, (server, 53))
        _, asker = listener.recvfrom(512)
        listener.sendto(answer(asked), asker)
        client.recv(512)
