"""What has expired or was removed stays so: over restarts, and over the compaction of the topic."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from ..broker import Broker
from ..live import ENDS, Service, Topics, tagged
from .flow import assert_sentences, consuming

pytestmark = pytest.mark.kafka


def item(host: str, **more: object) -> bytes:
    return msgspec.json.encode({"ioc": host, "type": "domain", "meta": {"source": "SOAR"}} | more)


def touch(topics: Topics, *hosts: str) -> None:
    """Records that touch these hosts, each a conversation."""
    records = [
        {"ts": time.time(), "uid": f"C{host}", "n": 0, "method": "GET", "host": host, **ENDS}
        for host in hosts
    ]
    topics.send("records", [(None, tagged("http", record)) for record in records])


def values(topics: Topics, name: str) -> list[bytes | None]:
    """What the topic holds, tombstones too."""
    consumer = Consumer(topics.broker.client(group_id="looking", enable_auto_commit=False))
    try:
        _, high = consumer.get_watermark_offsets(TopicPartition(topics[name], 0), timeout=10)
        consumer.assign([TopicPartition(topics[name], 0, 0)])
        found: list[bytes | None] = []
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for one in consumer.consume(1000, 0.2):
                assert one.error() is None
                value = one.value()
                found.append(value if value is None or isinstance(value, bytes) else value.encode())
                if (one.offset() or 0) >= high - 1:
                    return found
        raise AssertionError(f"not read to {high}")
    finally:
        consumer.close()


def test_a_replay_revives_nothing_that_has_expired(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    now = time.time()
    topics.arm("domain stays.example")
    topics.arm("domain soon.example", expire=6)
    topics.arm("domain renewed.example", expire=6)
    topics.send(
        "intelligence", [(None, item("old.example", meta={"expire": 300}))], timestamp=int((now - 301) * 1000)
    )
    hosts = ("stays.example", "soon.example", "renewed.example", "old.example")
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        assert running.status()["indicators"] == 3
        touch(topics, *hosts)
        found = topics.read("sightings", until=3)
        assert sorted(one["seen.indicator"] for one in found) == [
            "renewed.example",
            "soon.example",
            "stays.example",
        ]
        topics.arm("domain renewed.example", expire=600)
        running.wait_armed(2, 10)
        touch(topics, *hosts)
        assert len(topics.read("sightings", until=5)) == 5
        assert running.stop() == 0
        running.start()
        assert running.status()["indicators"] == 2
        touch(topics, *hosts)
        found = topics.read("sightings", until=7)
        assert sorted(one["seen.indicator"] for one in found[5:]) == ["renewed.example", "stays.example"]
        assert running.stop() == 0
    assert_sentences(running)


def test_what_was_removed_stays_so_after_compaction(kafka: Broker, tmp_path: Path) -> None:
    compacted: dict[str, Any] = {
        "cleanup_policy": "compact",
        "segment_ms": 100,
        "min_cleanable_dirty_ratio": 0.001,
        "delete_retention_ms": 100,
    }
    topics = Topics(kafka, records=1, **compacted)
    topics.send(
        "intelligence",
        [
            ("domain|ours.example|SOAR", item("ours.example")),
            ("domain|action.example|SOAR", item("action.example")),
            ("ticket-7", item("foreign.example")),
            ("ticket-8", item("other-key.example")),
            ("domain|stays.example|SOAR", item("stays.example")),
            ("ticket-9", item("stays-too.example")),
        ],
    )
    running = Service(tmp_path / "one", topics, consume=consuming(topics))
    with running:
        assert running.status()["indicators"] == 6
        topics.send(
            "intelligence",
            [
                ("domain|ours.example|SOAR", None),
                ("domain|action.example|SOAR", item("action.example", action="remove")),
                ("ticket-7", None),
                # Two keys: both messages stay in the topic.
                ("ticket-8-closed", item("other-key.example", action="remove")),
            ],
        )
        running.wait_armed(2)
        deadline = time.monotonic() + 30
        left = 0
        while (held := values(topics, "intelligence")).count(item("ours.example")) or None in held:
            assert time.monotonic() < deadline, held
            # The cleaner leaves the newest segment alone, and tombstones for a while.
            topics.send("intelligence", [(f"filler-{left % 3}", item(f"filler{left % 3}.example"))])
            left += 1
            time.sleep(0.3)
        assert item("foreign.example") not in held
        assert item("action.example") not in held
        assert item("other-key.example") in held
        armed = 2 + min(left, 3)
        running.wait_armed(armed)
        assert running.stop() == 0
        running.start()
        assert running.status()["indicators"] == armed
        touch(
            topics, "ours.example", "action.example", "foreign.example", "other-key.example", "stays.example"
        )
        (found,) = topics.read("sightings", until=1)
        assert found["seen.indicator"] == "stays.example"
        topics.send("intelligence", [("ticket-9", None)])
        running.wait_armed(armed - 1)
        assert running.stop() == 0
        assert len(topics.read("sightings")) == 1
    assert_sentences(running)
