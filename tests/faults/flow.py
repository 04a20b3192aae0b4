"""A stream of conversations that goes on whatever happens to brokers and instances, and what is to come of it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged

INTEL = "domain evil.example"
"""What the hits of a flow touch."""


class Flow:
    """Writes the records of ``rate`` conversations a second, every ``hits``-th with a sighting.

    Each record goes to a partition by chance, so that most conversations lie in several.
    """

    def __init__(self, topics: Topics, rate: int = 100, hits: int = 10, partitions: int = 4) -> None:
        self.topics = topics
        self.sent = 0
        self._rate, self._hits, self._partitions = rate, hits, partitions
        self._chance = random.Random(topics.prefix)
        self._failed: list[BaseException] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end(check=kind is None)

    def end(self, check: bool = True) -> None:
        """Write no more, and wait until all is there."""
        self._ending.set()
        self._thread.join(60 if check else 5)
        if check:
            assert not self._failed and not self._thread.is_alive(), self._failed

    @property
    def records(self) -> int:
        """Records that were written so far."""
        return self.sent * 4

    def expected(self) -> Counter[tuple[str, int]]:
        """The captured records that must come, by uid and number; to be asked after ``end``."""
        return Counter({(f"C{n:08d}", part): 1 for n in range(0, self.sent, self._hits) for part in range(4)})

    def check(self, timeout: float = 40.0) -> None:
        """Every captured record has come once, and every sighting."""
        self.end()
        expected = self.expected()
        found = self.topics.read("investigations", until=sum(expected.values()), timeout=timeout)
        if identities(found) == expected:
            # What would come twice may come late.
            time.sleep(1.0)
            found = self.topics.read("investigations")
        self._same(identities(found), expected)
        ids = Counter(line["sighting_id"] for line in self.topics.read("sightings"))
        assert set(ids.values()) <= {1}
        assert len(ids) == len(expected) // 4

    @staticmethod
    def _same(found: Counter[tuple[str, int]], expected: Counter[tuple[str, int]]) -> None:
        lost, doubled = expected - found, found - expected
        assert not lost and not doubled, (
            f"{lost.total()} of {expected.total()} lost: {list(lost)[:8]}; {doubled.total()} too many: {list(doubled)[:8]}"
        )

    def _run(self) -> None:
        try:
            producer = Producer(
                self.topics.broker.client(linger_ms=5, message_timeout_ms=0, enable_idempotence=True)
            )
            began = time.monotonic()
            while not self._ending.is_set():
                due = int((time.monotonic() - began) * self._rate) - self.sent
                for number in range(self.sent, self.sent + max(due, 0)):
                    for one in conversation(number, number % self._hits == 0, time.time()):
                        value, to = tagged(*one), self._chance.randrange(self._partitions)
                        producer.produce(self.topics["records"], value, partition=to)
                self.sent += max(due, 0)
                producer.poll(0)
                self._ending.wait(0.02)
            assert producer.flush(60) == 0
        except BaseException as error:
            self._failed.append(error)


def consuming(topics: Topics) -> dict[str, Any]:
    """The section ``[consume]`` for the topic of records."""
    return {
        "topics": [topics["records"]],
        "group": topics["group"],
        "flags_topic": topics["conversations"],
    }


def errors(service: Service) -> list[str]:
    """What the status says is wrong, the last first."""
    return [error["what"] for error in service.status()["errors"]]


def logged(service: Service) -> list[dict[str, Any]]:
    """The lines of its log, each of which must be a JSON object."""
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def says(service: Service, *words: str) -> Callable[[], bool]:
    """Whether one sentence of the status has all these words."""
    return lambda: any(all(word in what for word in words) for what in errors(service))


def assert_sentences(service: Service) -> None:
    """What is wrong was told in sentences of one line, and no error is ours."""
    for event in logged(service):
        assert "\n" not in event["event"], event
        assert "Traceback" not in event["event"], event
        assert "an error of ours" not in event["event"], event
        assert "exception" not in event, event


__all__ = ["INTEL", "Broker", "Flow", "assert_sentences", "consuming", "errors", "logged", "says"]
