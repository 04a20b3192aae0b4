"""Zeek's Cluster WebSocket API, JSON v1: events in and out, each value with its type.

The format is that of Broker's JSON (docs.zeek.org, "WebSocket API"): ``{"@data-type": "count", "data": 5}``.
"""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec


class Count(int):
    """An unsigned number, as Zeek's ``count``; a plain int is Zeek's ``int``."""


Value = bool | int | float | str | None | list["Value"]
"""What an argument can be: Zeek's bool, int, count (``Count``), real, string, unset, and vectors of these."""

MAX_COUNT = (1 << 64) - 1


class Event(NamedTuple):
    """An event, e.g. ``ThreatHunting::ack``, published to a topic."""

    topic: str
    name: str
    args: tuple[Value, ...]


@dataclass(frozen=True)
class Welcome:
    """The answer to the subscription: who is at the other end."""

    endpoint: str
    version: str


@dataclass(frozen=True)
class Failure:
    """Zeek's word that something we sent was wrong; it doesn't say which message it was."""

    code: str
    context: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]|\\v")
_ESCAPING = "threathunting.zeek"
_FORMAT = 1
_EVENT = 1


def subscription(topics: list[str]) -> bytes:
    """The first message of a client: the prefixes of the topics that it wants."""
    return _encoder.encode(topics)


def encode(event: Event) -> bytes:
    """The message that publishes an event. Raises ValueError for a number that is no count or no real."""
    return _encoder.encode(
        {
            "type": "data-message",
            "topic": event.topic,
            "@data-type": "vector",
            "data": [
                _typed("count", _FORMAT),
                _typed("count", _EVENT),
                _typed(
                    "vector",
                    [_typed("string", event.name), _typed("vector", [_encoded(arg) for arg in event.args])],
                ),
            ],
        }
    )


def decode(data: bytes | str) -> Event | Welcome | Failure:
    r"""A message from Zeek; ValueError where it is none.

    Zeek's JSON isn't always JSON: control bytes in strings, and ``\v``, are understood as what they mean.
    """
    message = _json(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
    if not isinstance(message, dict):
        raise ValueError("a message of Zeek's is an object, this is none")  # noqa: TRY004
    kind = message.get("type")
    if kind == "ack":
        return Welcome(str(message.get("endpoint", "")), str(message.get("version", "")))
    if kind == "error":
        return Failure(str(message.get("code", "")), str(message.get("context", "")))
    if kind != "data-message":
        raise ValueError(f"unknown type of message {str(kind)[:40]!r}")
    try:
        _format, sort, event = _values(message)
        name, args = _values(event)[:2]
        if _plain(sort) != _EVENT:
            raise ValueError("not an event")  # noqa: TRY301
        decoded = _plain(args)
        if not isinstance(decoded, list) or not isinstance(found := _plain(name), str):
            raise TypeError("an event has a name and a vector of arguments")  # noqa: TRY301
    except (TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
        raise ValueError(f"not an event of Zeek's: {error}") from None
    return Event(str(message.get("topic", "")), found, tuple(decoded))


def _json(data: bytes) -> Any:
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    tidy = _CONTROL.sub(lambda match: b"\\u000b" if match[0] == b"\\v" else b"\\u%04x" % match[0][0], data)
    try:
        return _decoder.decode(tidy.decode("utf-8", _ESCAPING).encode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Bytes that are no UTF-8, as Zeek's logs show them: the text ``\xe9``, its backslash escaped for JSON."""
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"\\\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPING, _escaped)


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {"@data-type": kind, "data": value}


def _encoded(value: Value) -> dict[str, Any]:
    if value is None:
        return {"@data-type": "none"}
    if isinstance(value, bool):
        return _typed("boolean", value)
    if isinstance(value, Count):
        if not 0 <= value <= MAX_COUNT:
            raise ValueError(f"{int(value)} is no count")
        return _typed("count", int(value))
    if isinstance(value, int):
        return _typed("integer", value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no real")
        # msgspec writes 5.0 with its point, without which Zeek would take it for a whole number.
        return _typed("real", value)
    if isinstance(value, str):
        return _typed("string", value)
    return _typed("vector", [_encoded(inner) for inner in value])


def _values(value: Any) -> list[Any]:
    if value.get("@data-type") != "vector" or not isinstance(value.get("data"), list):
        raise ValueError("a vector was expected")
    found: list[Any] = value["data"]
    return found


def _plain(value: Any) -> Value:
    """A typed value without its type. Sets become lists, tables lists of pairs, all else text stays text."""
    kind, data = value["@data-type"], value.get("data")
    if kind == "none":
        return None
    if kind in ("vector", "set"):
        return [_plain(inner) for inner in data]
    if kind == "table":
        return [[_plain(pair["key"]), _plain(pair["value"])] for pair in data]
    if kind == "count" and isinstance(data, int):
        return Count(data)
    if kind == "real" and isinstance(data, int | float):
        return float(data)
    if isinstance(data, bool | int | float | str):
        return data
    raise ValueError(f"a {str(kind)[:40]} with a value of another type")
