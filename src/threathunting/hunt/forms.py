"""The lines that a hunt writes: sightings in the form of Zeek's intel.log, investigations in Zeek's or ECS form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from threathunting.hunt.conversations import Reason
from threathunting.hunt.matching import Match
from threathunting.intel.message import timestamp
from threathunting.intel.types import Item, highest_level
from threathunting.plugins import Log, ecs
from threathunting.records import Record

Format = Literal["zeek", "ecs"]

_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")

_SIGHTING_FIELDS = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "fuid")
_SEVERITY = {"low": 21, "medium": 47, "high": 73, "critical": 99}
"""Levels as ``event.severity``, in the steps that Elastic's own rules use."""

_INVESTIGATION_FIELDS = ("threathunting", "investigation_id", "level", "intel")


def record_id(log: str, record: Record) -> str:
    """A record's id: the same for the same record of the same log, whatever order its fields come in."""
    return _digest(log.encode("utf-8", "replace"), encoded(record, _sorted_encoder))


def encoded(value: Any, encoder: msgspec.json.Encoder = _encoder) -> bytes:
    """JSON of a value; text that can't be UTF-8 (half a surrogate pair) is written with replacement characters."""
    try:
        return encoder.encode(value)
    except UnicodeEncodeError:
        return encoder.encode(_clean(value))


def sighting_line(log: Log, record: Record, match: Match) -> bytes:
    """One line of ``intel.log``, with its line end: Zeek's ``Intel::Info``, the level and the intel items."""
    observable = match.observable
    items = tuple(item for hit in match.hits for item in hit.items)
    line: dict[str, Any] = {name: record[name] for name in _SIGHTING_FIELDS if record.get(name) is not None}
    line["seen.indicator"] = observable.value
    line["seen.indicator_type"] = observable.type.zeek_name
    line["seen.where"] = observable.where
    line["matched"] = sorted({hit.indicator.type.zeek_name for hit in match.hits})
    line["sources"] = sorted({item.source for item in items})
    line["level"] = highest_level(items)
    line["intel"] = [
        intel_entry(hit.indicator.value, hit.indicator.type.zeek_name, item)
        for hit in match.hits
        for item in hit.items
    ]
    line["log"] = log.name
    line["sighting_id"] = _digest(
        record_id(log.name, record).encode(),
        observable.where.encode(),
        observable.type.encode(),
        observable.value.encode("utf-8", "replace"),
    )
    return encoded(line) + b"\n"


def intel_entry(value: str, type_name: str, item: Item, where: str | None = None) -> dict[str, Any]:
    """An intel item as results carry it; what its source didn't tell is left out."""
    entry: dict[str, Any] = {"indicator": value, "indicator_type": type_name}
    if where is not None:
        entry["where"] = where
    entry["source"] = item.source
    entry["level"] = item.level
    for name in ("desc", "confidence", "id", "url"):
        if (told := getattr(item, name)) not in (None, ""):
            entry[name] = told
    if item.tags:
        entry["tags"] = item.tags
    if item.expires is not None:
        entry["valid_until"] = timestamp(item.expires)
    return entry


class InvestigationForm:
    """Writes captured records. Keeps the encoded intel of a set of reasons, as conversations share them."""

    KEPT = 10_000

    def __init__(self, format: Format) -> None:
        """Write Zeek's form (the original record and what was added) or ECS."""
        self._format = format
        self._endings: dict[tuple[Reason, ...], bytes] = {}

    def line(self, log: Log, record: Record, raw: bytes | None, reasons: Sequence[Reason]) -> bytes:
        """One line of ``<log>-investigation.log``, with its line end.

        ``raw`` is the record's JSON as the log has it: kept byte for byte where nothing is left out of it.
        """
        if log.exclude:
            record = {name: value for name, value in record.items() if name not in log.exclude}
            raw = None
        identity = record_id(log.name, record)
        if self._format == "ecs":
            return encoded(self._ecs(log, record, identity, reasons)) + b"\n"
        own = (
            b'"threathunting":true,"investigation_id":"'
            + identity.encode()
            + b'",'
            + self._ending(tuple(reasons))
        )
        if not any(name in record for name in _INVESTIGATION_FIELDS):
            body = raw if raw is not None else encoded(record)
            inner = body.rstrip()[:-1].rstrip()
            return inner + (b"" if inner.endswith(b"{") else b",") + own + b"}\n"
        # The log has a field of one of these names: its own value stays, under a name that tells whose it is.
        renamed = {
            f"original.{name}" if name in _INVESTIGATION_FIELDS else name: v for name, v in record.items()
        }
        return encoded(renamed)[:-1] + b"," + own + b"}\n"

    def _ending(self, reasons: tuple[Reason, ...]) -> bytes:
        ending = self._endings.get(reasons)
        if ending is None:
            if len(self._endings) >= self.KEPT:
                self._endings.clear()
            items = tuple(item for reason in reasons for item in reason.items)
            intel = [
                intel_entry(reason.indicator.value, reason.indicator.type.zeek_name, item, reason.where)
                for reason in reasons
                for item in reason.items
            ]
            ending = self._endings[reasons] = encoded({"level": highest_level(items), "intel": intel})[1:-1]
        return ending

    def _ecs(self, log: Log, record: Record, identity: str, reasons: Iterable[Reason]) -> dict[str, Any]:
        reasons = list(reasons)
        event = ecs.normalize(log, record)
        event["event.id"] = identity
        event["threat.enrichments"] = ecs.enrichments(
            [
                (reason.indicator, reason.where, reason.value, item)
                for reason in reasons
                for item in reason.items
            ],
            log,
            record,
        )
        level = highest_level(tuple(item for reason in reasons for item in reason.items))
        event["event.severity"] = _SEVERITY[level]
        event[f"zeek.{log.name}.threathunting"] = True
        event[f"zeek.{log.name}.intel_level"] = level
        return event


def _digest(*parts: bytes) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.hexdigest()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value
