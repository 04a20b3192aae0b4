"""The original system's own messages, end to end."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, tagged
from .flow import assert_sentences, consuming

pytestmark = pytest.mark.kafka

MESSAGE = (
    b'{"ioc": "httpbin.org", "type": "domain", "meta": {"expire": 300, "source": "SOAR", '
    b'"desc": "bad domain", "level": "high"}}'
)


def test_from_its_bytes_to_an_investigation_in_ecs(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=4)
    topics.send("intelligence", [(None, MESSAGE)])
    sent = time.time()
    output = {
        "format": "ecs",
        "kafka": {name: topics[name] for name in ("sightings", "investigations", "sensors")},
    }
    running = Service(tmp_path, topics, consume=consuming(topics), output=output)
    with running:
        records = [
            (log, record | ({"host": "httpbin.org"} if record["n"] == 0 else {}))
            for log, record in conversation(1, False, time.time())
        ]
        topics.send("records", [(None, tagged(*one)) for one in records])
        found = topics.read("investigations", until=4)
        (sighting,) = topics.read("sightings", until=1)
        assert running.stop() == 0
    assert sorted(one["event.dataset"] for one in found) == [
        "zeek.conn",
        "zeek.files",
        "zeek.http",
        "zeek.http",
    ]
    for one in found:
        assert one["trace.id"] == "C00000001"
        (enrichment,) = one["threat.enrichments"]
        told = enrichment["indicator"]
        assert (told["type"], told["name"]) == ("domain-name", "httpbin.org")
        assert (told["provider"], told["description"]) == ("SOAR", "bad domain")
        assert enrichment["matched"]["type"] == "HTTP::IN_HOST_HEADER"
        assert one[f"{one['event.dataset']}.intel_level"] == "high"
        assert one[f"{one['event.dataset']}.threathunting"] is True
    (matched,) = [one for one in found if "field" in one["threat.enrichments"][0]["matched"]]
    assert matched["url.domain"] == "httpbin.org"
    assert len({one["event.id"] for one in found}) == 4
    assert sighting["seen.indicator"] == "httpbin.org"
    assert (sighting["sources"], sighting["level"]) == (["SOAR"], "high")
    (intel,) = sighting["intel"]
    assert intel["desc"] == "bad domain"
    ends = datetime.fromisoformat(intel["valid_until"]).timestamp()
    assert abs(ends - (sent + 300)) < 5
    assert_sentences(running)
