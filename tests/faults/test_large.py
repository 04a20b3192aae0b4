"""Messages of 5 MB: as intel, as records, as garbage, and as results that their topic doesn't take."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ..broker import Broker
from ..live import ENDS, Service, Topics, conversation, identities, tagged
from .flow import INTEL, assert_sentences, consuming, says

pytestmark = pytest.mark.kafka

LARGE = 5_000_000
ROOM = 10_000_000


def large_topics(broker: Broker, results: int) -> Topics:
    """Topics that take 10 MB, but for those of results."""
    topics = Topics(broker, max_message_bytes=ROOM)
    topics.make("records", max_message_bytes=ROOM)
    topics.make("investigations", max_message_bytes=results)
    return topics


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "ts": time.time(),
        "uid": f"C{number}",
        "n": 0,
        "method": "GET",
        "host": "evil.example",
        "uri": "/",
        **ENDS,
        **more,
    }


# Nothing that compression makes small.
TEXT = random.Random(1).randbytes(LARGE // 2).hex()


@pytest.mark.parametrize("results", [1_048_588, ROOM])
def test_of_records_and_garbage(kafka: Broker, tmp_path: Path, results: int) -> None:
    topics = large_topics(kafka, results)
    topics.arm(INTEL)
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        topics.send(
            "records",
            [
                (None, tagged("http", record(1, uri=f"/{TEXT}"))),
                (None, TEXT.encode()),
                (None, tagged("http", record(2))),
                (None, b"[" * LARGE),
                (None, tagged("http", record(3, **{f"field{n}": TEXT[:50_000] for n in range(100)}))),
                (None, tagged("http", record(4, host="good.example", uri=f"/{TEXT}"))),
            ],
        )
        found = topics.read("investigations", until=3)
        assert identities(found) == {("C1", 0): 1, ("C2", 0): 1, ("C3", 0): 1}
        by_uid = {one["uid"]: one for one in found}
        for one in found:
            assert one["host"] == "evil.example"
            assert one["intel"]
        if results == ROOM:
            assert by_uid["C1"]["uri"] == f"/{TEXT}"
            assert not any("threathunting_truncated" in one for one in found)
        else:
            assert by_uid["C1"]["threathunting_truncated"] == ["uri"]
            assert len(by_uid["C3"]["threathunting_truncated"]) > 70
            assert "threathunting_truncated" not in by_uid["C2"]
            assert running.status()["dropped"] == {"truncated_results": 2}
        assert running.status()["bad_records"] == 2
        assert (tmp_path / "state" / "rejected-records.jsonl").stat().st_size < 20_000
        assert len(topics.read("sightings")) == 3
        assert running.stop() == 0
    assert_sentences(running)


def test_of_intel(kafka: Broker, tmp_path: Path) -> None:
    topics = large_topics(kafka, 1_048_588)
    told = [
        {"ioc": "long.example", "type": "domain", "meta": {"source": "SOAR", "desc": TEXT}},
        {"ioc": f"/{TEXT}", "type": "url", "meta": {"source": "SOAR"}},
        {"ioc": "tags.example", "type": "domain", "meta": {"source": "SOAR", "tags": [TEXT]}},
    ]
    topics.send("intelligence", [(None, msgspec.json.encode(one)) for one in told[:2]])
    topics.arm(INTEL)
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        assert running.status()["indicators"] == 1
        topics.send("intelligence", [(None, msgspec.json.encode(told[2]))])
        refused = topics.read("rejected", until=3)
        assert [one["offset"] for one in refused] == [0, 1, 3]
        for one in refused:
            assert "bytes are too much" in one["reason"]
            assert len(one["message"]) == 8192
        assert says(running, topics["intelligence"], "an intel message is refused", "bytes are too much")()
        assert running.stop() == 0
    assert_sentences(running)


def test_of_flags_that_have_much_to_tell(kafka: Broker, tmp_path: Path) -> None:
    """Thirty sources, each with as much text as it may have, for what one conversation touches."""
    topics = Topics(kafka, records=2)
    for number in range(30):
        topics.arm(INTEL, source=f"source {number}", desc=TEXT[:90_000])
    running = Service(tmp_path, topics, consume=consuming(topics), hunt={"look_behind": "10m"})
    with running:
        running.wait_armed(1)
        for place, (log, one) in enumerate(conversation(1, True, time.time())):
            topics.send("records", [(None, tagged(log, one))], partition=place % 2)
        found = topics.read("investigations", until=4)
        assert identities(found) == {("C00000001", n): 1 for n in range(4)}
        assert running.stop() == 0
    assert_sentences(running)


def test_of_many_results_at_once_for_a_topic_that_takes_little(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.make("investigations", max_message_bytes=150_000)
    topics.arm(INTEL)
    noise = random.Random(2)
    records = [
        (None, tagged(log, one | {"noise": noise.randbytes(500).hex()}))
        for number in range(500)
        for log, one in conversation(number, True, time.time())
    ]
    topics.send("records", records)
    with Service(tmp_path, topics, consume=consuming(topics)) as running:
        found = topics.read("investigations", until=len(records))
        assert len(identities(found)) == len(found) == len(records)
        assert running.stop() == 0
    assert_sentences(running)


def test_a_topic_that_suddenly_takes_less(kafka: Broker, tmp_path: Path) -> None:
    """Results that don't fit any more are told, and cut when the topic is asked again what it takes."""
    topics = Topics(kafka, records=1)
    topics.make("investigations", max_message_bytes=ROOM)
    topics.arm(INTEL)
    with Service(tmp_path, topics, consume=consuming(topics)) as running:
        topics.send("records", [(None, tagged("http", record(1, uri=f"/{TEXT}")))])
        assert len(topics.read("investigations", until=1)) == 1
        topics.change("investigations", max_message_bytes=200_000)
        topics.send("records", [(None, tagged("http", record(2, uri=f"/{TEXT[:500_000]}")))])
        found = {one["uid"]: one for one in topics.read("investigations", until=2)}
        assert found.keys() == {"C1", "C2"}
        assert found["C2"]["threathunting_truncated"] == ["uri"]
        assert says(running, topics["investigations"], "larger than the topic's max.message.bytes")()
        assert running.stop() == 0
    assert_sentences(running)
