"""What has come out of Kafka so far, and what of it is worth showing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from threathunting.kafka.tail import Told

SIGHTINGS, INVESTIGATIONS = "sightings", "investigations"
SHOWN = (
    "@timestamp",
    "event.dataset",
    "event.id",
    "event.severity",
    "trace.id",
    "source.ip",
    "destination.ip",
    "destination.port",
    "http.request.method",
    "url.domain",
    "url.original",
    "user_agent.original",
    "tls.client.server_name",
    "dns.question.name",
)
"""Fields of a captured record that say the most."""


@dataclass
class Found:
    """The results of one play of the traffic.

    ``written``: by a record's ``ts``, when it was written. ``first`` is told each indicator's first sighting.
    """

    written: Mapping[float, float] = field(default_factory=dict)
    first: Callable[[str, dict[str, Any]], None] = lambda name, sighting: None
    sightings: int = 0
    by_indicator: Counter[str] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    """Seconds from the writing of a record to the arrival of its sighting."""
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, messages: Iterable[Told]) -> None:
        """Take in what Kafka gave."""
        for told in messages:
            value = msgspec.json.decode(told.value, type=dict[str, Any])
            if told.topic == SIGHTINGS:
                self._sighting(value)
            else:
                self.records.append(value)

    def _sighting(self, sighting: dict[str, Any]) -> None:
        self.sightings += 1
        if (written := self.written.get(sighting["ts"])) is not None:
            self.delays.append(time.time() - written)
        for name in {item["indicator"]: None for item in sighting["intel"]}:
            self.by_indicator[name] += 1
            if self.by_indicator[name] == 1:
                self.first(name, sighting)

    def conversation(self) -> list[dict[str, Any]]:
        """The records of the conversation that shows best what is captured: many logs, a high level, few reasons."""
        by_uid: dict[str, list[dict[str, Any]]] = {}
        for record in self.records:
            if isinstance(uid := record.get("trace.id"), str):
                by_uid.setdefault(uid, []).append(record)
        return max(by_uid.values(), key=_telling, default=[])


def _telling(records: list[dict[str, Any]]) -> tuple[int, int, int]:
    logs = {record["event.dataset"] for record in records}
    severity = max(record["event.severity"] for record in records)
    return severity, len(logs), -sum(len(record["threat.enrichments"]) for record in records)


def clock(at: Any) -> str:
    """A time of day (UTC) in milliseconds, from seconds since the epoch or RFC 3339."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at).timestamp()
    return datetime.fromtimestamp(float(at), UTC).strftime("%H:%M:%S.%f")[:-3]


def between(sighting: dict[str, Any]) -> str:
    """Who spoke to whom."""
    if "id.orig_h" not in sighting:
        return str(sighting.get("fuid") or sighting.get("uid") or "")
    return f"{sighting['id.orig_h']} -> {sighting['id.resp_h']}:{sighting['id.resp_p']}"


def shown(record: dict[str, Any]) -> list[str]:
    """A captured record, in part: a line for each field that says much, and for each reason of its capture."""
    lines = [f"{name}: {record[name]}" for name in SHOWN if name in record]
    for enrichment in record["threat.enrichments"]:
        indicator, matched = enrichment["indicator"], enrichment["matched"]
        told = " ".join(filter(None, (indicator["provider"], indicator.get("description", ""))))
        lines.append(f"threat.enrichments: {indicator['name']} ({told}) in {matched['type']}")
    return lines
