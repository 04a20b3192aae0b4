"""Messages that are none: each is told once and kept aside, and what is good between them gets through."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import msgspec
import pytest

from ..broker import Broker
from ..live import ENDS, Service, Topics, identities, tagged
from .flow import INTEL, assert_sentences, consuming, errors, logged

pytestmark = pytest.mark.kafka

POISON = 1000
GOOD = 100


def poison(number: int) -> bytes | None:
    """The ``number``-th of a thousand, of ten kinds."""
    seed = random.Random(number)
    kinds: list[bytes | None] = [
        None,
        b"",
        b"{",
        seed.randbytes(30),
        b'{"ioc":' + b"[" * 5000 + b"]" * 5000 + b',"type":"domain"}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        msgspec.json.encode({"ioc": number, "type": ["domain"], "ts": {}, "uid": 7, "meta": "high"}),
        b'{"ioc":"x.example","type":"domain","meta":{"expire":1e999}}',
        b'{"ioc":"\xff\xfe.example","type":"domain"}',
        b'"' + b"9" * 400 + b'"',
    ]
    return kinds[number % len(kinds)]


BAD = {0, 1, 2, 3, 9}
"""The kinds that no reader can take for a record, whatever it is about."""


def test_a_thousand_in_the_intel_topic(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    messages: list[tuple[str | None, bytes | None]] = []
    for number in range(POISON):
        messages.append((None, poison(number)))
        if number % (POISON // GOOD) == 0:
            good = {"ioc": f"good{number}.example", "type": "domain"}
            messages.append((None, msgspec.json.encode(good)))
    topics.send("intelligence", messages)
    expected = {
        place: value for place, (_, value) in enumerate(messages) if value is None or b'"good' not in value
    }
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        assert running.status()["indicators"] == GOOD
        told = topics.read("rejected", until=POISON)
        assert sorted(one["offset"] for one in told) == sorted(expected)
        for one in told:
            value = expected[one["offset"]]
            shown = None if value is None else value[:8192].decode("utf-8", "backslashreplace")
            assert (one["topic"], one["partition"], one["message"]) == (topics["intelligence"], 0, shown)
            assert one["reason"]
            assert "\n" not in one["reason"]
        assert running.status()["rejected_intel"] == POISON
        # One sentence in the status, and no flood in the log.
        assert len(errors(running)) == 1
        assert f"{topics['intelligence']}/0: an intel message is refused: " in errors(running)[0]
        assert len(logged(running)) < 20
        assert running.stop() == 0
        running.start()
        topics.send("intelligence", [(None, b"one more")])
        assert len(topics.read("rejected", until=POISON + 1)) == POISON + 1
        # What was told is remembered every second.
        time.sleep(1.5)
        running.kill()
        running.start()
        assert running.status()["indicators"] == GOOD
        assert running.stop() == 0
        assert len(topics.read("rejected")) == POISON + 1
    assert_sentences(running)


def test_more_than_wait_for_the_broker_at_a_time(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.send("intelligence", [(None, b"%d" % number) for number in range(25_000)])
    with Service(tmp_path, topics, consume=consuming(topics)) as running:
        assert len(topics.read("rejected", until=25_000)) == 25_000
        assert running.status()["dropped"] == {}


def test_a_thousand_in_the_topic_of_records(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    messages: list[tuple[str | None, bytes | None]] = []
    bad = set()
    for number in range(POISON):
        if number % 10 in BAD:
            bad.add(len(messages))
        messages.append((None, poison(number)))
        if number % (POISON // GOOD) == 0:
            record = {"ts": time.time(), "uid": f"C{number}", "n": 0, "host": "evil.example", **ENDS}
            messages.append((None, tagged("http", record)))
    running = Service(tmp_path, topics, consume=consuming(topics))
    with running:
        topics.send("records", messages)
        found = topics.read("investigations", until=GOOD)
        assert identities(found) == {(f"C{number}", 0): 1 for number in range(0, POISON, POISON // GOOD)}
        running.wait(lambda: running.status()["records"] == len(messages), "done")
        lines = (tmp_path / "state" / "rejected-records.jsonl").read_text().splitlines()
        aside = [json.loads(line) for line in lines]
        offsets = [one["offset"] for one in aside]
        assert len(set(offsets)) == len(offsets) == running.status()["bad_records"]
        assert bad <= set(offsets)
        for one in aside:
            value = messages[one["offset"]][1] or b""
            assert one["source"] == f"{topics['records']}/0"
            assert one["reason"]
            assert one["raw"] == value[:4096].decode("utf-8", "backslashreplace")
        assert len(errors(running)) == 1
        assert "messages hold no record: " in errors(running)[0]
        assert len(logged(running)) < 20
        assert running.stop() == 0
        # What was dealt with is not dealt with again.
        running.start()
        topics.send("records", [(None, b"one more")])
        running.wait(lambda: running.status()["bad_records"] == 1, "done")
        assert running.status()["investigations"] == 0
        assert len(topics.read("investigations")) == GOOD
    assert_sentences(running)
