"""A bare client of the link, and Zeeks to link to: nothing of the service is used here."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.zeek.package.running import PACKAGE, Item, environment, program

COMMAND = "/threathunting/command/"
REPORT = "/threathunting/report/"

Event = tuple[str, list[Any]]


def value(data: Any) -> dict[str, Any]:
    """A value in Zeek's JSON form, version 1."""
    if isinstance(data, int):
        return {"@data-type": "count", "data": data}
    return {"@data-type": "string", "data": data}


def encode(topic: str, name: str, *args: Any) -> str:
    event = [value(name), {"@data-type": "vector", "data": [value(arg) for arg in args]}]
    body = [value(1), value(1), {"@data-type": "vector", "data": event}]
    return json.dumps({"type": "data-message", "topic": topic, "@data-type": "vector", "data": body})


def decode(message: str | bytes) -> Event | None:
    told = json.loads(message)
    if told["type"] != "data-message":
        raise AssertionError(told)
    name, args = told["data"][2]["data"][:2]
    return name["data"], [arg["data"] for arg in args["data"]]


class Link:
    """A connection to a Zeek that keeps every event that it was sent."""

    def __init__(self, port: int, client: str = "test") -> None:
        self.client = client
        self.events: list[Event] = []
        self.batch = 0
        self.open = contextlib.ExitStack()
        deadline = time.monotonic() + 20
        while True:
            try:
                url = f"ws://127.0.0.1:{port}/v1/messages/json"
                self.socket: ClientConnection = self.open.enter_context(
                    connect(url, max_size=None, open_timeout=5)
                )
                self.socket.send(json.dumps([REPORT]))
                ack = json.loads(self.socket.recv(timeout=5))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                assert ack["type"] == "ack", ack
                return

    def send(self, name: str, *args: Any, node: str | None = None) -> None:
        topic = COMMAND if node is None else f"/threathunting/node/{node}/"
        self.socket.send(encode(topic, f"ThreatHunting::{name}", 1, self.client, *args))

    def poll(self, seconds: float) -> bool:
        try:
            event = decode(self.socket.recv(timeout=seconds))
        except TimeoutError:
            return False
        if event is not None:
            self.events.append(event)
        return True

    def until(self, holds: Callable[[list[Event]], Any], seconds: float = 15) -> Any:
        """Read events until something holds of them; what it gave then."""
        deadline = time.monotonic() + seconds
        while not (found := holds(self.events)):
            left = deadline - time.monotonic()
            assert left > 0, f"not so in {seconds} s; last events: {self.events[-5:]}"
            self.poll(min(left, 0.5))
        return found

    def states(self) -> dict[str, dict[str, Any]]:
        """The last state of every node, with its boot."""
        return {
            args[1]: json.loads(args[3]) | {"boot": args[2]}
            for name, args in self.events
            if name == "ThreatHunting::state"
        }

    def hello(self, nodes: set[str], seconds: float = 25) -> dict[str, dict[str, Any]]:
        """Fresh states of these nodes; asks again until all have answered."""
        deadline = time.monotonic() + seconds
        seen = len(self.events)
        while True:
            self.send("hello")
            asked = time.monotonic()
            while time.monotonic() < asked + 1:
                self.poll(0.2)
                fresh = {args[1] for name, args in self.events[seen:] if name == "ThreatHunting::state"}
                if nodes <= fresh:
                    return self.states()
            assert time.monotonic() < deadline, f"{nodes - fresh} didn't answer"

    def acks(self, batch: int) -> dict[str, tuple[int, list[dict[str, str]]]]:
        """(armed, refused) by node."""
        return {
            args[1]: (args[4], json.loads(args[5]))
            for name, args in self.events
            if name == "ThreatHunting::ack" and args[3] == batch
        }

    def until_acked(self, batch: int, nodes: set[str]) -> None:
        self.until(lambda _: nodes <= self.acks(batch).keys())

    def command(
        self, name: str, items: Iterable[Item], nodes: set[str], node: str | None = None
    ) -> dict[str, tuple[int, list[dict[str, str]]]]:
        """Arm or disarm, and wait until all nodes have acknowledged."""
        self.batch += 1
        self.send(name, self.batch, json.dumps(list(items)), node=node)
        self.until(lambda _: nodes <= self.acks(self.batch).keys())
        return self.acks(self.batch)

    def sync(
        self, items: list[Item], nodes: set[str], total: int | None = None, node: str | None = None
    ) -> None:
        self.batch += 1
        number = self.batch + 1_000_000
        self.send("sync_begin", number, node=node)
        for start in range(0, len(items), 1000):
            self.command("arm", items[start : start + 1000], nodes, node)
        self.send("sync_end", number, len(items) if total is None else total, node=node)
        if total is None:
            self.until(lambda _: nodes <= self.acks(number).keys())

    def sightings(self) -> list[dict[str, Any]]:
        return [_flat(json.loads(args[3])) for name, args in self.events if name == "ThreatHunting::sighting"]

    def refusals(self) -> list[str]:
        return [args[3] for name, args in self.events if name == "ThreatHunting::refused"]

    def close(self) -> None:
        self.open.close()


def _flat(line: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """With the names of fields and the ports that the log has."""
    found: dict[str, Any] = {}
    for name, one in line.items():
        if isinstance(one, dict) and "proto" in one:
            found[prefix + name] = one["port"]
        elif isinstance(one, dict):
            found |= _flat(one, f"{prefix}{name}.")
        else:
            found[prefix + name] = one
    return found


def free_ports(n: int) -> list[int]:
    """Ports that nobody has at this moment."""
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(folder: Path, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A Zeek that runs in ``folder`` until it is stopped; what it says is in ``said.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [program(), "-C", *args, str(PACKAGE), "LogAscii::use_json=T", "exit_only_after_terminate=T"],
            cwd=folder,
            env=environment(env),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours, kindly first."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    if process.poll() is None:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


@contextlib.contextmanager
def lone_zeek(folder: Path, *args: str, script: str = "") -> Iterator[tuple[Link, subprocess.Popen[bytes]]]:
    """A standalone Zeek with a link to it."""
    [port] = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    script_file = folder / "test.zeek"
    script_file.write_text(script)
    process = start(
        folder,
        *args,
        str(PACKAGE / "listen.zeek"),
        f"ThreatHunting::listen_port={port}/tcp",
        str(script_file),
    )
    try:
        link = Link(port)
        yield link, process
        link.close()
    finally:
        stop(process)
