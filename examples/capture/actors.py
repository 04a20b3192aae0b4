"""The programs that run on the lab's hosts, real servers and clients on Python's standard library.

actors.py web ADDRESS PORT ROOT [CERTIFICATE MAX_TLS]   a web server; ROOT has a folder for each host name
actors.py udp ADDRESS PORT                              answers each datagram
actors.py datagrams ADDRESS PORT                        sends a few and waits for each answer
actors.py beacon NAME PORT                              calls home over TLS
actors.py clienthello NAME                              prints the beacon's ClientHello in hex
actors.py mail SERVER HELO SENDER RECIPIENT             delivers the message on standard input
"""

from __future__ import annotations

import http.client
import http.server
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

BEACON_CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA"


class Pages(http.server.SimpleHTTPRequestHandler):
    """Serves files below the folder of the request's Host; answers every POST alike."""

    root = Path()
    protocol_version = "HTTP/1.1"
    server_version = "ExampleWeb/1.0"
    sys_version = ""

    def translate_path(self, path: str) -> str:
        """The file for a path, in the folder of the host asked for."""
        host = self.headers.get("Host", "").strip("[]").rpartition("]:")[2].split(":")[0] or "default"
        folder = self.root / host
        self.directory = str(folder if folder.is_dir() else self.root / "default")
        return super().translate_path(path)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Offer what stands below /files/ as a download."""
        super().send_response(code, message)
        if code == 200 and self.path.startswith("/files/"):
            name = self.path.partition("?")[0].rpartition("/")[2]
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')

    def do_POST(self) -> None:
        """Take the body and say so."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = b'{"status":"ok","next":60}\n'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def web(address: str, port: str, root: str, certificate: str = "", newest: str = "") -> None:
    """Serve pages, over TLS where a certificate (with its key) is given."""
    Pages.root = Path(root)

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    server = Server((address, int(port)), Pages)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2 if newest == "1.2" else ssl.TLSVersion.TLSv1_3
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def udp(address: str, port: str) -> None:
    """Answer each datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, int(port)))
        while True:
            data, peer = server.recvfrom(2048)
            server.sendto(b"ack:" + data[:8], peer)


def datagrams(address: str, port: str) -> None:
    """Send a few datagrams and wait for each answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((address, int(port)))
        for number in range(4):
            client.send(f"{number:08d}".encode() + b"\x00" * 40)
            client.recv(2048)


def beacon_tls() -> ssl.SSLContext:
    """The beacon's own choice of ciphers, which gives it a JA3 that no browser has."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(BEACON_CIPHERS)
    return context


def beacon(name: str, port: str) -> None:
    """Call home once."""
    connection = http.client.HTTPSConnection(name, int(port), timeout=10, context=beacon_tls())
    connection.request("POST", "/sync", body=b"\x00" * 96, headers={"User-Agent": "-"})
    connection.getresponse().read()
    connection.close()


def clienthello(name: str) -> None:
    """Print the ClientHello that ``beacon`` begins with."""
    sent = ssl.MemoryBIO()
    connection = beacon_tls().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        print(sent.read().hex())


def mail(server: str, helo: str, sender: str, recipient: str) -> None:
    """Deliver standard input as a message."""
    with smtplib.SMTP(server, 25, local_hostname=helo, timeout=10) as client:
        client.sendmail(sender, [recipient], sys.stdin.read())


ACTORS: dict[str, Callable[..., None]] = {
    "web": web,
    "udp": udp,
    "datagrams": datagrams,
    "beacon": beacon,
    "clienthello": clienthello,
    "mail": mail,
}

if __name__ == "__main__":
    ACTORS[sys.argv[1]](*sys.argv[2:])
