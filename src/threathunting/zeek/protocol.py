"""Our events: what the service tells the package in Zeek, and what its nodes answer. Version 1.

``docs/zeek.md`` describes the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from threathunting.intel.types import Indicator, Item
from threathunting.zeek.wire import Count, Event, Value

VERSION = 1
COMMAND = "/threathunting/command/"
REPORT = "/threathunting/report/"
NODE = "/threathunting/node/"

MAX_ITEMS = 5_000
MAX_BYTES = 900_000
"""Of the items of a batch, as JSON: with the message around it, below what a WebSocket takes unasked (1 MiB)."""

_PREFIX = "ThreatHunting::"
_REPORTS = frozenset({"state", "ack", "sighting", "refused", "ask"})
_encode = msgspec.json.Encoder().encode


class Filters(msgspec.Struct, frozen=True):
    """What a node in compact mode holds for one client. Counts are of values in the live filters."""

    generation: int = 0
    """The live one; 0 for none."""
    building: int = 0
    """The one that is being built beside it; 0 for none."""
    exact: int = 0
    subdomains: int = 0


class About(msgspec.Struct, frozen=True):
    """What a node tells of itself. Counters are since its boot."""

    zeek: str = ""
    role: str = ""
    """``standalone``, ``manager``, ``worker``, ``logger`` or ``proxy``."""
    backend: str = ""
    package: str = ""
    armed: int = 0
    by_type: dict[str, int] = {}
    client: str = ""
    sync: int = 0
    """The last full set that it has taken in; 0 for none."""
    modules: list[str] = []
    mode: str = "native"
    sees_traffic: bool = False
    expected_nodes: list[str] = []
    """Of the manager: the nodes of its cluster that see traffic."""
    problems: list[str] = []
    compact: dict[str, Filters] = {}
    """By client. Those without are armed natively only."""
    filter_bytes: int = 0
    asked: int = 0
    confirmed: int = 0
    denied: int = 0
    unverified: int = 0
    """Captured without an answer."""
    pending: int = 0
    waiting_records: int = 0
    held: int = 0
    sampled: int = 0
    released: int = 0


class State(msgspec.Struct, frozen=True):
    """A node is there; a new ``boot`` means that it began with nothing."""

    node: str
    boot: str
    about: About


class Ack(msgspec.Struct, frozen=True):
    """A batch has taken effect on a node. ``refused`` are values that the node could not arm, with the reason."""

    node: str
    boot: str
    batch: int
    armed: int
    refused: list[dict[str, str]] = []


class Sighting(msgspec.Struct, frozen=True):
    """Traffic touched an indicator: a line of Zeek's ``intel.log``."""

    node: str
    boot: str
    record: dict[str, Any] = {}


class Refused(msgspec.Struct, frozen=True):
    """A node did not understand us."""

    node: str
    boot: str
    reason: str


class Question(msgspec.Struct, frozen=True, gc=False):
    """Something seen that may be armed: a filter has it. ``q`` is the node's own number for it, any short text."""

    q: int | str
    c: str
    """The client whose filter it was."""
    t: str
    """The type, e.g. ``domain``."""
    v: str
    """The value as Zeek compares it."""
    w: str = ""
    """Where it was seen, e.g. ``HTTP::IN_HOST_HEADER``."""


class Asked(msgspec.Struct, frozen=True):
    """A node in compact mode asks whether these are armed."""

    node: str
    boot: str
    questions: list[Question]


Report = State | Ack | Sighting | Refused | Asked

_about = msgspec.json.Decoder(About)
_refused = msgspec.json.Decoder(list[dict[str, str]])
_record = msgspec.json.Decoder(dict[str, Any])
_questions = msgspec.json.Decoder(list[Question])


def event(name: str, *args: Value, node: str | None = None) -> Event:
    """One of our events to all nodes, or to one, with our version in front of its arguments."""
    topic = COMMAND if node is None else node_topic(node)
    return Event(topic, _PREFIX + name, (Count(VERSION), *args))


def node_topic(node: str) -> str:
    """The topic that only this node hears."""
    return f"{NODE}{node}/"


def hello(client: str) -> Event:
    """Ask every node for its state."""
    return event("hello", client)


def arm(client: str, batch: int, items: bytes) -> Event:
    """Arm these items (made by ``entries``)."""
    return event("arm", client, Count(batch), items.decode("utf-8", "replace"))


def disarm(client: str, batch: int, items: bytes) -> Event:
    """Disarm these (made by ``removals``)."""
    return event("disarm", client, Count(batch), items.decode("utf-8", "replace"))


def sync_begin(client: str, sync: int) -> Event:
    """From here to ``sync_end`` comes the full set."""
    return event("sync_begin", client, Count(sync))


def sync_end(client: str, sync: int, total: int) -> Event:
    """What did not come since ``sync_begin`` is disarmed."""
    return event("sync_end", client, Count(sync), Count(total))


def modules(client: str, names: Iterable[str]) -> Event:
    """Hunt with these modules only."""
    return event("modules", client, ",".join(sorted(names)))


def entry(indicator: Indicator, item: Item) -> dict[str, Any]:
    """An item as ``arm`` carries it."""
    return {
        "v": indicator.value,
        "t": indicator.type.value,
        "s": item.source,
        "l": item.level,
        "d": item.desc,
        "u": item.url or "",
        "i": item.id or "",
        "e": item.expires or 0.0,
        "x": item.subdomains,
    }


def removal(indicator: Indicator, source: str) -> dict[str, Any]:
    """An item as ``disarm`` carries it."""
    return {"v": indicator.value, "t": indicator.type.value, "s": source}


def packed(entries: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
    """As many of the first entries as a batch may hold, as JSON, and how many these are. At least one."""
    parts: list[bytes] = []
    size = 2
    for one in entries[:MAX_ITEMS]:
        try:
            part = _encode(one)
        except UnicodeEncodeError:
            part = _encode(
                {
                    k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v
                    for k, v in one.items()
                }
            )
        size += len(part) + 1
        if parts and size > MAX_BYTES:
            break
        parts.append(part)
    return b"[" + b",".join(parts) + b"]", len(parts)


def understood(event: Event) -> Report:
    """What a node says. ValueError where it is nothing that we know."""
    name = event.name.removeprefix(_PREFIX)
    if name not in _REPORTS or name == event.name:
        raise ValueError(f"{event.name[:80]} is none of our events")
    try:
        version, *rest = event.args
        if version != VERSION:
            raise ValueError(f"version {version} of the protocol, and we speak {VERSION}; update one side")  # noqa: TRY301
        if name == "state":
            node, boot, about = _texts(rest, 3)
            return State(node, boot, _about.decode(about))
        if name == "ack":
            node, boot = _texts(rest[:2], 2)
            batch, armed = rest[2], rest[3]
            if not isinstance(batch, int) or not isinstance(armed, int):
                raise ValueError("a batch and a number of indicators were expected")  # noqa: TRY301
            return Ack(node, boot, int(batch), int(armed), _refused.decode(_texts(rest[4:], 1)[0] or "[]"))
        if name == "sighting":
            node, boot, record = _texts(rest, 3)
            return Sighting(node, boot, _record.decode(record))
        if name == "ask":
            node, boot, questions = _texts(rest, 3)
            return Asked(node, boot, _questions.decode(questions))
        return Refused(*_texts(rest, 3))
    except (msgspec.MsgspecError, IndexError, ValueError, UnicodeError) as error:
        raise ValueError(f"{event.name}: {error}") from None


def _texts(values: Sequence[Value], count: int) -> list[str]:
    found = [value for value in values if isinstance(value, str)]
    if len(values) != count or len(found) != count:
        raise ValueError(f"{count} strings were expected")
    return found
