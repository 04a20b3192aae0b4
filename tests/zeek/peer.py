"""A peer that speaks Zeek's WebSocket API and plays the package's part, for tests without a Zeek."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from threathunting.zeek.wire import Count, Event, decode, encode


class Peer:
    """Listens on a free port of loopback, in a thread of its own. ``nodes`` answer as the package would."""

    def __init__(self, *nodes: str, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.nodes = {name: Node(name) for name in nodes or ("zeek",)}
        self.subscribed: list[str] = []
        self.connections: set[ServerConnection] = set()
        self.events: list[Event] = []
        self.deaf = False
        """Takes messages and doesn't act on them."""
        self._tls = tls
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Cut all connections, as a killed process does."""

        def cut() -> None:
            for connection in list(self.connections):
                connection.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    def say(self, name: str, *args: Any) -> None:
        """Publish one of our events to the client."""
        self.raw(encode(Event("/threathunting/report/", f"ThreatHunting::{name}", (Count(1), *args))))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        asyncio.run_coroutine_threadsafe(self._send(data), self._loop).result(10)

    async def _send(self, data: bytes) -> None:
        for connection in self.connections:
            await connection.send(data, text=True)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with serve(self._client, "127.0.0.1", self.port, ssl=self._tls, compression=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    async def _client(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.path == "/v1/messages/json"
        self.subscribed = json.loads(await connection.recv())
        self.connections.add(connection)
        await connection.send('{"type":"ack","endpoint":"peer","version":"8.2.2"}')
        try:
            async for data in connection:
                event = decode(data)
                assert isinstance(event, Event)
                self.events.append(event)
                if not self.deaf:
                    for node in self.nodes.values():
                        for answer in node.take(event):
                            await connection.send(encode(answer), text=True)
        finally:
            self.connections.discard(connection)


class Node:
    """The package on one node."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.boot = 1
        self.armed: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.modules = ""
        self._marked: set[tuple[str, str, str]] = set()

    def restart(self) -> None:
        self.boot += 1
        self.armed.clear()

    def state(self) -> Event:
        about = {"zeek": "8.2.2", "role": "standalone", "sees_traffic": True, "armed": len(self.armed)}
        return self._report("state", json.dumps(about))

    def take(self, event: Event) -> list[Event]:
        name, args = event.name.removeprefix("ThreatHunting::"), event.args
        if name == "hello":
            return [self.state()]
        if name == "modules":
            self.modules = str(args[2])
            return [self.state()]
        number = args[2]
        if name == "sync_begin":
            self._marked = set()
            return []
        if name == "sync_end":
            self.armed = {key: item for key, item in self.armed.items() if key in self._marked}
        elif name in ("arm", "disarm"):
            for item in json.loads(str(args[3])):
                key = (item["t"], item["v"], item["s"])
                if name == "arm":
                    self.armed[key] = item
                    self._marked.add(key)
                else:
                    self.armed.pop(key, None)
        return [self._report("ack", number, Count(len(self.armed)), "[]")]

    def _report(self, name: str, *args: Any) -> Event:
        values = (Count(1), self.name, str(self.boot), *args)
        return Event("/threathunting/report/", f"ThreatHunting::{name}", values)
