"""Records that wait: partitions are read one ahead of the other, and conversations are whole all the same."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged
from .flow import INTEL, assert_sentences, consuming

pytestmark = pytest.mark.kafka

CONVERSATIONS = 12_000
HITS = 100
SECONDS = 600.0


@pytest.mark.parametrize("ahead", [0, 1])
def test_conversations_over_partitions_that_are_read_one_after_the_other(
    kafka: Broker, tmp_path: Path, ahead: int
) -> None:
    """Ten minutes of records, of which a poll may bring minutes of one partition and nothing of the other."""
    topics = Topics(kafka, records=2)
    topics.arm(INTEL)
    begin = time.time() - SECONDS
    told: list[list[tuple[str | None, bytes | None]]] = [[], []]
    for number in range(CONVERSATIONS):
        ts = begin + SECONDS * number / CONVERSATIONS
        for log, record in conversation(number, number % HITS == 0, ts):
            # The record that is sighted, and those that aren't.
            told[record["n"] == 0].append((None, tagged(log, record)))
    topics.send("records", told[ahead], partition=ahead)
    running = Service(tmp_path, topics, consume=consuming(topics), hunt={"look_behind": "5s"})
    with running:
        topics.send("records", told[1 - ahead], partition=1 - ahead)
        expected = Counter(
            {(f"C{number:08d}", n): 1 for number in range(0, CONVERSATIONS, HITS) for n in range(4)}
        )
        running.wait(lambda: running.status()["investigations"] >= expected.total(), "done", 20)
        assert identities(topics.read("investigations")) == expected
        assert running.stop() == 0
    assert_sentences(running)
