"""The connection to one Zeek: subscribe, send, receive, and come back whenever it breaks."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidMessage,
    InvalidURI,
    WebSocketException,
)

from threathunting.zeek.protocol import REPORT
from threathunting.zeek.wire import Event, Failure, Welcome, decode, encode, subscription

PATH = "/v1/messages/json"
OPEN_SECONDS = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of the largest message that we take: a sighting with a large record."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Zeek's WebSocket API listens. ``ca``, ``certificate`` and ``key`` are paths of PEM files."""

    url: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify_hostname: bool = True

    def tls(self) -> ssl.SSLContext | None:
        """The context of a ``wss`` URL. Raises OSError where a file can't be read or isn't one of PEM."""
        if not self.url.startswith("wss://"):
            return None
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = self.verify_hostname
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    @property
    def full_url(self) -> str:
        """The URL with the path of the JSON API, where it names none."""
        scheme, _, rest = self.url.partition("://")
        return self.url if "/" in rest else f"{scheme}://{rest}{PATH}"


class Link:
    """Keeps a connection while ``run`` runs. Callbacks are called in its event loop and must not block."""

    def __init__(
        self,
        endpoint: Endpoint,
        connected: Callable[[Welcome], None],
        disconnected: Callable[[str], None],
        received: Callable[[Event], None],
        failed: Callable[[str], None],
    ) -> None:
        """``disconnected`` is told why, ``failed`` what Zeek or we could not understand; both as a sentence."""
        self.endpoint = endpoint
        self._connected = connected
        self._disconnected = disconnected
        self._received = received
        self._failed = failed
        self._connection: ClientConnection | None = None

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        wait = FIRST_WAIT
        while True:
            try:
                if await self._session():
                    wait = FIRST_WAIT
                reason = "Zeek closed the connection"
            except (OSError, ValueError, TimeoutError, WebSocketException) as error:
                reason = _reason(error, self.endpoint)
            self._connection = None
            self._disconnected(f"Zeek at {self.endpoint.url}: {reason}")
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def send(self, event: Event) -> None:
        """Publish an event; where there is no connection it is lost, and acknowledgements tell so."""
        if self._connection is not None:
            try:
                await self._connection.send(encode(event), text=True)
            except WebSocketException:
                # The reader meets the same, and tells.
                pass

    async def _session(self) -> bool:
        async with connect(
            self.endpoint.full_url,
            ssl=self.endpoint.tls(),
            open_timeout=OPEN_SECONDS,
            close_timeout=2,
            max_size=MAX_MESSAGE,
            compression=None,
        ) as connection:
            await connection.send(subscription([REPORT]), text=True)
            async with asyncio.timeout(OPEN_SECONDS):
                welcome = decode(await connection.recv(decode=False))
            if not isinstance(welcome, Welcome):
                raise ValueError(f"an answer that is no welcome: {welcome}")  # noqa: TRY004
            self._connection = connection
            self._connected(welcome)
            async for data in _messages(connection):
                try:
                    message = decode(data)
                except ValueError as error:
                    self._failed(f"Zeek at {self.endpoint.url}: {error}")
                    continue
                if isinstance(message, Event):
                    self._received(message)
                    # What is there already is received without a pause; who answers is to have a turn.
                    await asyncio.sleep(0)
                elif isinstance(message, Failure):
                    self._failed(
                        f"Zeek at {self.endpoint.url} did not take a message: {message.code}: {message.context[:300]}"
                    )
        return True


async def _messages(connection: ClientConnection) -> AsyncIterator[bytes]:
    while True:
        try:
            # As bytes: what Zeek sends as text isn't always UTF-8.
            yield await connection.recv(decode=False)
        except ConnectionClosedOK:
            return


def _reason(error: BaseException, endpoint: Endpoint) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, InvalidURI):
        return "its url is none of the form ws://host:port"
    if isinstance(error, InvalidMessage):
        if not endpoint.url.startswith("wss://"):
            return "what listens there is no WebSocket API of Zeek's, or one that wants TLS (wss://)"
        # With TLS 1.3 a certificate is refused only after the handshake has succeeded.
        if endpoint.certificate is None:
            return "it hung up after the TLS handshake; does it want a certificate of ours (certificate and key)?"
        return "it hung up after the TLS handshake; does it trust who signed our certificate?"
    if isinstance(error, InvalidHandshake):
        return f"what listens there is no WebSocket API of Zeek's ({error})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}); look at ca, certificate and key"
    if isinstance(error, OSError):
        # asyncio's own words for it name the address once more.
        return os.strerror(error.errno).lower() if error.errno else str(error).lower()
    return str(error)
