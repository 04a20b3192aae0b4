"""The embedded broker, as clients of this and other processes meet it."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection
from threathunting.kafka.intel_topic import IntelTopic
from threathunting.kafka.mock import EmbeddedBroker
from threathunting.kafka.producer import Writer
from threathunting.kafka.tail import Tail, Told


def test_topics_are_as_asked_for_and_the_controller_is_found() -> None:
    with EmbeddedBroker({"one": 1, "three": 3}) as address:
        client = AdminClient({"bootstrap.servers": address})
        found = client.describe_topics(TopicCollection(["one", "three"]), request_timeout=10)
        assert {name: len(told.result().partitions) for name, told in found.items()} == {"one": 1, "three": 3}


def test_another_process_writes_and_we_read_what_was_there_and_what_comes() -> None:
    with EmbeddedBroker({"a": 2, "b": 1, "c": 1}) as address:
        code = (
            "import sys; from confluent_kafka import Producer; p = Producer({'bootstrap.servers': sys.argv[1]}); "
            "[p.produce('a', str(n), str(n)) for n in range(5)]; sys.exit(p.flush(20))"
        )
        subprocess.run([sys.executable, "-c", code, address], check=True, timeout=60)
        connection = Connection(brokers=[address])
        tail = Tail(connection, ["a", "b"])
        writer = Writer(connection, "test")
        try:
            found: list[Told] = []
            while len(found) < 5:
                told = tail.poll(20)
                assert told, found
                found += told
            assert sorted((one.topic, one.value) for one in found) == [("a", b"%d" % n) for n in range(5)]
            for topic, value in (("b", b"x"), ("c", b"not read"), ("a", None), ("a", b"y")):
                writer.produce(topic, value, "key", {})
            assert writer.flush(20)
            later: list[Told] = []
            while len(later) < 2:
                told = tail.poll(20)
                assert told, later
                later += told
            assert sorted((one.topic, one.value) for one in later) == [("a", b"y"), ("b", b"x")]
            assert tail.poll(0.2) == []
        finally:
            tail.close()
            writer.close()


def test_the_intel_topic_is_read_from_it() -> None:
    with EmbeddedBroker({"intelligence": 3}) as address:
        connection = Connection(brokers=[address])
        writer = Writer(connection, "test")
        for number in range(30):
            writer.produce("intelligence", b"%d" % number, str(number), {})
        assert writer.flush(20)
        topic = IntelTopic(connection, "intelligence")
        try:
            found = []
            while not topic.caught_up:
                found += topic.poll(20)
            assert sorted(int(one.value or b"") for one in found) == list(range(30))
        finally:
            topic.close()
            writer.close()


def test_nothing_answers_once_it_is_closed() -> None:
    with EmbeddedBroker({}) as address:
        host, port = address.split(",")[0].split(":")
        socket.create_connection((host, int(port)), 5).close()
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), 5)
