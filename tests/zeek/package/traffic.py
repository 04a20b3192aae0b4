"""Captures of our own making: conversations over TCP and UDP, written as pcap (link type RAW, checksums zero)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

START = 1_750_000_000.0
STEP = 0.01

Says = tuple[str, bytes]
"""Who says what: ``>`` the originator, ``<`` the responder."""


@dataclass
class Capture:
    """Packets in order of time."""

    packets: list[tuple[float, bytes]] = field(default_factory=list)
    ports: int = 40000

    def tcp(
        self,
        server: str,
        port: int,
        says: Iterable[Says],
        *,
        at: float = 0.0,
        client: str = "10.0.0.1",
        step: float = STEP,
    ) -> int:
        """A TCP connection from its first packet ``at`` seconds on; the originator's port."""
        self.ports += 1
        mine, clock = self.ports, START + at
        seq = {">": 1000, "<": 5000}
        other = {">": "<", "<": ">"}

        def send(who: str, flags: int, data: bytes = b"") -> None:
            nonlocal clock
            source, target = (client, server) if who == ">" else (server, client)
            ports = (mine, port) if who == ">" else (port, mine)
            acked = seq[other[who]] if flags & 0x10 else 0
            header = struct.pack("!HHIIBBHHH", *ports, seq[who], acked, 0x50, flags, 65535, 0, 0)
            self.packets.append((clock, _ip(source, target, 6, header + data)))
            seq[who] += len(data) + (1 if flags & 0x03 else 0)
            clock += step

        send(">", 0x02)
        send("<", 0x12)
        send(">", 0x10)
        for who, data in says:
            for start in range(0, len(data), 1400):
                send(who, 0x18, data[start : start + 1400])
                send(other[who], 0x10)
        send(">", 0x11)
        send("<", 0x11)
        send(">", 0x10)
        return mine

    def udp(
        self, server: str, port: int, says: Iterable[Says], *, at: float = 0.0, client: str = "10.0.0.1"
    ) -> int:
        self.ports += 1
        clock = START + at
        for who, data in says:
            source, target = (client, server) if who == ">" else (server, client)
            ports = (self.ports, port) if who == ">" else (port, self.ports)
            self.packets.append(
                (clock, _ip(source, target, 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data))
            )
            clock += STEP
        return self.ports

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
            for clock, packet in sorted(self.packets, key=lambda one: one[0]):
                seconds = int(clock)
                micros = round((clock - seconds) * 1e6)
                file.write(struct.pack("<IIII", seconds, micros, len(packet), len(packet)) + packet)
        return path


def _ip(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    src, dst = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if src.version == 6:
        return (
            struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + src.packed + dst.packed + payload
        )
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
        + src.packed
        + dst.packed
        + payload
    )


def request(host: str, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> Says:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ">", "\r\n".join([*lines, "", ""]).encode() + body


def response(body: bytes = b"hello", status: str = "200 OK", **headers: str) -> Says:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "<", "\r\n".join([*lines, "", ""]).encode() + body


def dns_query(name: str, number: int = 7, kind: int = 1) -> bytes:
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + _name(name) + struct.pack("!HH", kind, 1)


def dns_answer(name: str, addr: str, number: int = 7) -> bytes:
    head = struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + _name(name) + struct.pack("!HH", 1, 1)
    return head + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + ipaddress.ip_address(addr).packed


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
