"""Reading topic ``intelligence`` from a real broker, whatever happens to broker and topic."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.cimpl import NewPartitions

from tests.broker import Broker, free_ports
from threathunting.intel import message
from threathunting.intel.replay import Replay, TopicMessage
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.kafka.connection import Connection
from threathunting.kafka.intel_topic import IntelTopic
from threathunting.kafka.merging import Merge

pytestmark = pytest.mark.kafka

ORIGINAL = (
    b'{"ioc": "httpbin.org", "type": "domain", "meta": {"expire": 300, "source": "SOAR", "desc": "bad domain",'
    b' "level": "high"}}'
)


@pytest.fixture
def read() -> Iterator[Callable[..., IntelTopic]]:
    """Makes readers, closed at the end."""
    made: list[IntelTopic] = []

    def make(bootstrap: str, topic: str, **settings: Any) -> IntelTopic:
        made.append(IntelTopic(Connection(brokers=[bootstrap]), topic, check_seconds=0.5, **settings))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def until(
    reader: IntelTopic, ready: Callable[[list[TopicMessage]], bool], timeout: float = 30.0
) -> list[TopicMessage]:
    """What is read until that is enough."""
    found: list[TopicMessage] = []
    deadline = time.monotonic() + timeout
    while not ready(found):
        assert time.monotonic() < deadline, (len(found), reader.caught_up, reader.problem)
        found += reader.poll(0.1)
    return found


def caught_up(reader: IntelTopic) -> list[TopicMessage]:
    return until(reader, lambda _: reader.caught_up)


def settled(reader: IntelTopic, wanted: Callable[[str | None], bool], timeout: float = 30.0) -> str | None:
    """The problem that is told once it is as wanted."""
    until(reader, lambda _: wanted(reader.problem), timeout)
    return reader.problem


class Pen:
    """Writes messages one after the other."""

    def __init__(self, broker: Broker, topic: str, **settings: Any) -> None:
        self.topic = topic
        self.producer = Producer(broker.client(acks="all", **settings))

    def write(
        self, value: bytes | None, key: bytes | None = None, partition: int = 0, at: float = 0.0
    ) -> None:
        failed: list[Any] = []
        self.producer.produce(
            self.topic,
            value,
            key,
            partition,
            timestamp=int(at * 1000),
            on_delivery=lambda error, _: failed.append(error),
        )
        assert self.producer.flush(30) == 0
        assert [error.name() for error in failed if error is not None] == []


def values(messages: list[TopicMessage]) -> list[bytes | None]:
    return [told.value for told in messages]


def test_all_of_it_and_then_what_comes(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic(3)
    pen = Pen(kafka, topic)
    before = time.time()
    pen.write(ORIGINAL)
    pen.write(None, b"key", 1)
    reader = read(kafka.bootstrap(), topic)
    assert not reader.caught_up
    found = caught_up(reader)
    assert [(told.value, told.key, told.partition, told.offset, told.topic) for told in found] == [
        (ORIGINAL, None, 0, 0, topic),
        (None, b"key", 1, 0, topic),
    ]
    assert before - 1 < found[0].at <= found[1].at < time.time() + 1
    assert (reader.problem, reader.lag()) == (None, 0)
    pen.write(b"later", None, 2)
    assert values(until(reader, bool)) == [b"later"]


def test_an_empty_topic_is_caught_up_at_once(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    reader = read(kafka.bootstrap(), new_topic(4))
    assert caught_up(reader) == []


def test_a_topic_whose_beginning_is_gone(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    """By retention: offset 0 is none any more."""
    topic = new_topic(2)
    pen = Pen(kafka, topic)
    for number in range(5):
        pen.write(b"%d" % number)
    admin = kafka.admin()
    for deleted in admin.delete_records([TopicPartition(topic, 0, 3)]).values():
        deleted.result(30)
    assert values(caught_up(read(kafka.bootstrap(), topic))) == [b"3", b"4"]


def test_partitions_come_in_order_of_time(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic(4)
    pen = Pen(kafka, topic)
    began = time.time() - 1000
    for number in range(400):
        # Written to one partition after the other, told in turns.
        partition = number // 100
        pen.producer.produce(
            topic, b"", partition=partition, timestamp=int((began + number % 100 * 4 + partition) * 1000)
        )
    assert pen.producer.flush(30) == 0
    found = caught_up(read(kafka.bootstrap(), topic))
    assert [round(told.at - began) for told in found] == list(range(400))


def test_a_partition_keeps_its_order_whatever_its_clocks_say(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic(2)
    pen = Pen(kafka, topic)
    now = time.time()
    for value, at in [(b"1", now - 50), (b"2", now + 1800), (b"3", now - 40), (b"4", now - 9_000)]:
        pen.write(value, at=at)
    pen.write(b"other", partition=1, at=now - 45)
    found = caught_up(read(kafka.bootstrap(), topic))
    assert values(found) == [b"1", b"other", b"2", b"3", b"4"]
    assert found[2].at == pytest.approx(now + 1800, abs=0.01)
    assert all(told.order <= time.time() for told in found), "a clock ahead of ours is cut"


def test_an_unkeyed_add_and_a_keyed_removal(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    """The SOAR tells without keys, a person removes by key: on other partitions, and removed it stays."""
    topic = new_topic(4)
    pen = Pen(kafka, topic)
    pen.write(ORIGINAL, None, 2)
    key = message.key(Indicator(IndicatorType.DOMAIN, "httpbin.org"), "SOAR")
    pen.write(None, key, 1)
    store = Store()
    replay = Replay(store)
    for told in caught_up(read(kafka.bootstrap(), topic)):
        replay.apply(told, time.time())
    assert len(store) == 0
    assert replay.counts == {"armed": 1, "removed": 1}


def test_only_what_is_committed_is_read(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic()
    producer = Producer(kafka.client(transactional_id=f"tx-{topic}"))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(30)
    # An open transaction doesn't keep the reader from being ready.
    reader = read(kafka.bootstrap(), topic)
    assert values(caught_up(reader)) == [b"committed"]
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(topic, b"second")
    producer.commit_transaction(30)
    assert values(until(reader, bool)) == [b"second"]


def test_a_large_message_passes(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic(1, max_message_bytes=8 << 20)
    pen = Pen(kafka, topic, message_max_bytes=8 << 20)
    large = b'"%b"' % (b"x" * (5 << 20))
    pen.write(b"before")
    pen.write(large)
    pen.write(b"after")
    assert values(caught_up(read(kafka.bootstrap(), topic))) == [b"before", large, b"after"]


def test_memory_is_bounded_where_one_partition_is_far_ahead(
    kafka: Broker,
    new_topic: Callable[..., str],
    read: Callable[..., IntelTopic],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("threathunting.kafka.intel_topic.Merge", partial(Merge, max_messages=3000))
    topic = new_topic(3)
    pen = Pen(kafka, topic)
    began = time.time() - 1000
    for number in range(30_000):
        # All of partition 2 comes after all of partition 1, and that after partition 0.
        pen.producer.produce(
            topic, b"%d" % number, partition=number // 10_000, timestamp=int(began * 1000) + number // 40
        )
    assert pen.producer.flush(30) == 0
    reader = read(kafka.bootstrap(), topic)
    most = 0
    found = []
    deadline = time.monotonic() + 60
    while not reader.caught_up:
        assert time.monotonic() < deadline
        found += reader.poll(0.1, limit=1000)
        if reader._merge is not None:
            most = max(most, sum(len(lane.waiting) for lane in reader._merge._lanes.values()))
    assert [told.order for told in found] == sorted(told.order for told in found)
    assert len({(told.partition, told.offset) for told in found}) == len(found) == 30_000
    # A partition goes over its share of 1,000 by what one look brings.
    assert most <= 3 * 2001


def test_new_partitions_are_found(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic(1)
    reader = read(kafka.bootstrap(), topic)
    caught_up(reader)
    admin = kafka.admin()
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
    time.sleep(0.3)
    Pen(kafka, topic).write(b"there", partition=2)
    assert values(until(reader, bool)) == [b"there"]
    assert reader.caught_up


def test_a_missing_topic_is_told_and_awaited(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = f"missing-{time.time_ns()}"
    reader = read(kafka.bootstrap(), topic)
    told = settled(reader, bool)
    assert told is not None
    assert f"topic {topic}" in told
    assert "does not exist" in told
    kafka.create_topic(topic, 2)
    Pen(kafka, topic).write(b"first", partition=1)
    assert values(until(reader, bool)) == [b"first"]
    assert settled(reader, lambda problem: problem is None) is None
    kafka.delete_topics([topic])


def test_a_topic_made_anew_is_read_from_its_beginning(kafka: Broker, read: Callable[..., IntelTopic]) -> None:
    topic = f"again-{time.time_ns()}"
    kafka.create_topic(topic, 2)
    pen = Pen(kafka, topic)
    for number in range(3):
        pen.write(b"old %d" % number)
    reader = read(kafka.bootstrap(), topic)
    assert len(caught_up(reader)) == 3
    kafka.delete_topics([topic])
    told = settled(reader, bool)
    assert told is not None
    assert "does not exist" in told
    kafka.create_topic(topic, 1)
    # More than before, so that no offset is out of range; with a new producer, which knows the new topic.
    pen = Pen(kafka, topic)
    for number in range(5):
        pen.write(b"new %d" % number)
    found = until(reader, lambda found: len(found) >= 5)
    assert values(found) == [b"new %d" % number for number in range(5)]
    until(reader, lambda _: reader.caught_up and reader.problem is None)
    kafka.delete_topics([topic])


def test_a_topic_made_anew_within_a_moment(kafka: Broker, read: Callable[..., IntelTopic]) -> None:
    """Between two looks at it, with as many partitions: only its id tells."""
    topic = f"moment-{time.time_ns()}"
    kafka.create_topic(topic)
    Pen(kafka, topic).write(b"old")
    reader = read(kafka.bootstrap(), topic)
    assert values(caught_up(reader)) == [b"old"]
    kafka.delete_topics([topic])
    kafka.create_topic(topic)
    pen = Pen(kafka, topic)
    for number in range(3):
        pen.write(b"new %d" % number)
    # Until the new topic is known for what it is, some of it may be read from where the old one ended.
    until(reader, lambda found: values(found[-3:]) == [b"new 0", b"new 1", b"new 2"])
    kafka.delete_topics([topic])


def test_a_broker_absent_at_start_and_its_restart(
    make_broker: Callable[..., Broker], read: Callable[..., IntelTopic]
) -> None:
    broker = make_broker()
    reader = read(broker.bootstrap(), "intelligence")
    told = settled(reader, bool)
    assert told is not None
    assert "Kafka: " in told
    broker.start()
    broker.create_topic("intelligence", 2)
    Pen(broker, "intelligence").write(b"one")
    assert values(caught_up(reader)) == [b"one"]
    settled(reader, lambda problem: problem is None)
    broker.kill()
    settled(reader, bool)
    assert reader.poll(0.1) == []
    assert reader.caught_up
    broker.start()
    Pen(broker, "intelligence").write(b"two", partition=1)
    assert values(until(reader, bool)) == [b"two"]
    settled(reader, lambda problem: problem is None)


def test_poll_returns_in_time_without_a_broker(read: Callable[..., IntelTopic]) -> None:
    reader = read(f"127.0.0.1:{free_ports(1)[0]}", "intelligence")
    for timeout in (0.0, 0.05, 0.3):
        began = time.monotonic()
        assert reader.poll(timeout) == []
        assert timeout <= time.monotonic() - began < timeout + 0.5


def test_settings_that_are_none_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"no\.such\.setting"):
        IntelTopic(Connection(brokers=["127.0.0.1:1"], settings={"no.such.setting": 1}), "intelligence")


def test_a_wrong_password_is_told_and_not_shown(secure_kafka: Broker) -> None:
    connection = Connection(
        brokers=[secure_kafka.bootstrap("SASL_PLAINTEXT")],
        sasl="SCRAM-SHA-512",
        username="hunter",
        password="Wr0ng-pass",
    )
    reader = IntelTopic(connection, "intelligence")
    try:
        told = settled(reader, bool)
        assert told is not None
        assert "refused who we say we are" in told
        assert "Wr0ng-pass" not in told
    finally:
        reader.close()


def test_poison_is_handed_on_as_it_is(
    kafka: Broker, new_topic: Callable[..., str], read: Callable[..., IntelTopic]
) -> None:
    topic = new_topic()
    pen = Pen(kafka, topic)
    for number in range(1000):
        pen.producer.produce(
            topic, bytes([number % 256]) * (number % 50), b"\xff\xfe" if number % 2 else None
        )
    assert pen.producer.flush(30) == 0
    pen.write(json.dumps({"ioc": "evil.example", "type": "domain"}).encode())
    store = Store()
    replay = Replay(store)
    for told in caught_up(read(kafka.bootstrap(), topic)):
        replay.apply(told, time.time())
    assert replay.counts == {"refused": 1000, "armed": 1}
    assert [item for _, item in store.items()] == [Item("unknown")]
