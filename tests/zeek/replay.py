"""Captures replayed live: frames sent into one end of a veth pair, for any number of Zeeks at the other."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MTU = 65_000
_SO_TIMESTAMP = 29


def frames(capture: Path) -> Iterator[tuple[float, bytes]]:
    """(time, Ethernet frame) of a pcap, old form, microseconds or nanoseconds."""
    data = capture.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    per_second = 1e9 if data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e6
    if struct.unpack(order + "I", data[20:24])[0] & 0xFFFF != 1:
        raise ValueError(f"{capture.name} holds no Ethernet frames")
    at = 24
    while at < len(data):
        seconds, fraction, held, _ = struct.unpack(order + "4I", data[at : at + 16])
        yield seconds + fraction / per_second, data[at + 16 : at + 16 + held]
        at += 16 + held


class Wire:
    """A veth pair: ``tap`` is the interface to capture on."""

    def __init__(self, name: str) -> None:
        self._in = f"{name}i"
        self.tap = f"{name}o"

    def __enter__(self) -> Wire:
        run = ["ip", "link", "add", self._in, "mtu", str(MTU), "type", "veth"]
        subprocess.run([*run, "peer", "name", self.tap, "mtu", str(MTU)], check=True, capture_output=True)
        for end in (self._in, self.tap):
            # The kernel is to say nothing of its own there.
            with suppress(OSError):
                Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1")
            subprocess.run(["ip", "link", "set", end, "up", "promisc", "on"], check=True)
        # While some socket wants times, the kernel stamps each frame once, for all who capture it.
        self._clock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._clock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMP, 1)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((self._in, 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._clock.close()
        subprocess.run(["ip", "link", "del", self._in], check=False)

    def replay(self, capture: Path, *, least: float = 0.0002, most: float = 0.02) -> int:
        """Send a capture's frames; pauses between them as they were, but no shorter and no longer than this."""
        sent = 0
        last: float | None = None
        for at, frame in frames(capture):
            if last is not None:
                time.sleep(min(max(at - last, least), most))
            last = at
            if len(frame) <= MTU:
                self._socket.send(frame)
                sent += 1
        return sent


@contextmanager
def wire(name: str = "th") -> Iterator[Wire]:
    """A veth pair of our own; PermissionError where we are not allowed to make one."""
    if os.geteuid() != 0:
        raise PermissionError("only root may make a veth pair")
    with Wire(f"{name}{os.getpid() % 100_000}") as one:
        yield one
