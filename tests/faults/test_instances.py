"""Several instances of one group: they share the work, hand it over, and neither lose nor double anything."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..live import Service, Topics
from .flow import INTEL, Flow, assert_sentences, consuming, says

pytestmark = pytest.mark.kafka


def service(folder: Path, topics: Topics, name: str, **sections: Any) -> Service:
    return Service(
        folder,
        topics,
        name,
        consume=consuming(topics),
        hunt={"look_behind": "10m"},
        kafka={"settings": {"session.timeout.ms": 4000}},
        **sections,
    )


@contextmanager
def ended(*services: Service) -> Iterator[None]:
    """Kills them at the end."""
    with ExitStack() as stack:
        for one in services:
            stack.callback(one.kill)
        yield


def partitions(running: Service) -> list[int]:
    """Those that an instance reads."""
    found: list[int] = running.status()["inputs"][0]["partitions"]
    return found


def records(running: Service) -> int:
    count: int = running.status()["records"]
    return count


def test_a_second_instance_halves_the_work_and_hands_it_back(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=4)
    topics.arm(INTEL)
    one, two = (service(tmp_path / name, topics, name) for name in ("one", "two"))
    with ended(one, two), Flow(topics) as flow:
        one.start()
        one.wait(lambda: partitions(one) == [0, 1, 2, 3], "alone with all partitions")
        time.sleep(1)
        two.start()
        two.wait(lambda: len(partitions(two)) == len(partitions(one)) == 2, "sharing")
        assert sorted(partitions(one) + partitions(two)) == [0, 1, 2, 3]
        before = records(one), records(two)
        time.sleep(3)
        read = records(one) - before[0], records(two) - before[1]
        assert 0.4 < read[0] / sum(read) < 0.6, read
        assert one.stop() == 0
        two.wait(lambda: partitions(two) == [0, 1, 2, 3], "alone with all partitions", 5)
        time.sleep(1)
        flow.check()
        assert two.stop() == 0
    for each in (one, two):
        assert_sentences(each)


def test_one_instance_more_than_partitions_waits_in_readiness(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    one, two = (service(tmp_path / name, topics, name) for name in ("one", "two"))
    with ended(one, two), Flow(topics, partitions=1) as flow:
        one.start()
        one.wait(lambda: partitions(one) == [0], "reading")
        two.start()
        two.wait(lambda: two.get("/readyz")[0] == 200, "ready", 10)
        assert partitions(two) == []
        one.kill()
        two.wait(lambda: partitions(two) == [0], "reading", 20)
        flow.check()


def test_instances_that_come_and_go_lose_and_double_nothing(kafka: Broker, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    topics = Topics(kafka, records=6)
    topics.arm(INTEL)
    services = [service(tmp_path / name, topics, name) for name in ("one", "two", "three")]
    with ended(*services), Flow(topics, rate=200, partitions=6) as flow:
        services[0].start()
        for _ in range(10):
            which = chance.choice(services)
            if which.process is None:
                which.start(ready=False)
            elif chance.random() < 0.5 and which.get("/healthz")[0] == 200:
                assert which.stop() == 0
            else:
                which.kill()
            time.sleep(chance.uniform(0.3, 2))
        for each in services:
            if each.process is None:
                each.start(ready=False)
        flow.check()
        assert [each.stop() for each in services] == [0, 0, 0]
    for each in services:
        assert_sentences(each)


def test_of_two_with_the_same_name_the_newer_goes_on(kafka: Broker, tmp_path: Path) -> None:
    """They would take the group's membership and the transactions from each other for ever."""
    topics = Topics(kafka, records=4)
    topics.arm(INTEL)
    first, second = (service(tmp_path / folder, topics, "same") for folder in ("a", "b"))
    with ended(first, second), Flow(topics) as flow:
        first.start()
        first.wait(lambda: partitions(first) == [0, 1, 2, 3], "reading")
        time.sleep(1)
        second.start(ready=False)
        assert first.process is not None
        assert first.process.wait(30) == 1
        first.process = None
        assert "another instance runs under the same name; give each its own service.name" in first.said()
        second.wait(lambda: partitions(second) == [0, 1, 2, 3], "reading")
        assert not says(second, "same name")()
        flow.check()
        assert second.stop() == 0
    for each in (first, second):
        assert_sentences(each)


def test_a_state_folder_is_for_one_instance(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    first = service(tmp_path / "a", topics, "one")
    second = service(tmp_path / "b", topics, "two", service={"state": str(tmp_path / "a" / "state")})
    with ended(first, second), Flow(topics, partitions=1) as flow:
        first.start()
        second.start(ready=False)
        assert second.process is not None
        assert second.process.wait(20) == 1
        second.process = None
        said = second.said().strip()
        assert said == (
            f"error: another instance runs with the state folder {tmp_path / 'a' / 'state'}; "
            "stop it, or give this one its own service.state"
        )
        time.sleep(0.5)
        flow.check()
        assert first.stop() == 0
    assert_sentences(first)


def test_partitions_and_topics_that_come_are_read_also_after_a_quick_restart(
    kafka: Broker, tmp_path: Path
) -> None:
    """A member that comes back under its name is not just given what it had."""
    topics = Topics(kafka, records=1)
    topics.make("more", 1)
    topics.arm(INTEL)
    running = service(tmp_path, topics, "one")
    with ended(running):
        running.start()
        running.wait(lambda: partitions(running) == [0], "reading")
        assert running.stop() == 0
        topics.grow("records", 3)
        running.start()
        running.wait(lambda: partitions(running) == [0, 1, 2], "reading all partitions", 20)
        assert running.stop() == 0
        running.sections["consume"]["topics"] = [topics["records"], topics["more"]]
        running.write()
        running.start()
        running.wait(
            lambda: [one["partitions"] for one in running.status()["inputs"]] == [[0, 1, 2], [0]],
            "reading both topics",
            20,
        )
        # A topic that isn't read any more.
        assert running.stop() == 0
        running.sections["consume"]["topics"] = [topics["more"]]
        running.write()
        running.start()
        running.wait(lambda: partitions(running) == [0], "reading the other topic", 20)
        assert running.stop() == 0
    assert_sentences(running)
