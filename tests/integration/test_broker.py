"""The broker that integration tests rest on: what it keeps, whom it lets in, and that it ends with its owner."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.broker import Broker, runs
from tests.certificates import Certificates
from tests.integration.conftest import USERS
from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import sentence

pytestmark = pytest.mark.kafka

WRONG = "Wr0ng-pass"


def read_all(broker: Broker, topic: str, count: int, **settings: Any) -> list[bytes]:
    consumer = Consumer(
        broker.client(group_id=f"g-{time.time_ns()}", auto_offset_reset="earliest", **settings)
    )
    consumer.subscribe([topic])
    values: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        for message in consumer.consume(100, 0.2):
            assert message.error() is None
            value = message.value()
            assert isinstance(value, bytes)
            values.append(value)
    # What would be too much must have had time to come.
    values += [message.value() for message in consumer.consume(100, 0.3)]  # type: ignore[misc]
    consumer.close()
    return values


def write(broker: Broker, topic: str, values: list[bytes], **settings: Any) -> None:
    failed = []
    producer = Producer(broker.client(acks="all", **settings))
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(30) == 0
    assert failed == []


def test_only_committed_transactions_are_read(kafka: Broker, new_topic: Callable[..., str]) -> None:
    topic = new_topic()
    producer = Producer(kafka.client(transactional_id=f"tx-{topic}"))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"kept")
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.produce(topic, b"thrown away")
    producer.flush(30)
    producer.abort_transaction(30)
    assert read_all(kafka, topic, 1, isolation_level="read_committed") == [b"kept"]
    assert read_all(kafka, topic, 2, isolation_level="read_uncommitted") == [b"kept", b"thrown away"]


def test_unknown_topics_are_not_made(kafka: Broker) -> None:
    assert "no-such-topic" not in kafka.admin().list_topics("no-such-topic", timeout=10).topics or (
        kafka.admin().list_topics("no-such-topic", timeout=10).topics["no-such-topic"].error is not None
    )


def test_acknowledged_messages_survive_a_kill_and_a_restart(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker().start()
    ports, first = dict(broker.ports), broker.pid
    broker.create_topic("kept", 2)
    write(broker, "kept", [b"%d" % number for number in range(50)])
    broker.kill()
    assert broker.pid is None
    broker.start()
    assert (broker.ports, broker.pid != first) == (ports, True)
    broker.restart()
    assert sorted(map(int, read_all(broker, "kept", 50))) == list(range(50))


def test_a_compacted_topic_keeps_the_newest_of_a_key(make_broker: Callable[..., Broker]) -> None:
    """The cleaner works at once where a test asks for it."""
    broker = make_broker().start()
    settings: dict[str, Any] = {
        "segment_ms": 100,
        "min_cleanable_dirty_ratio": 0.01,
        "delete_retention_ms": 100,
    }
    broker.create_topic("compacted", cleanup_policy="compact", **settings)
    producer = Producer(broker.client())
    for number in range(20):
        producer.produce("compacted", b"%d" % number, b"key")
        producer.flush(10)
    deadline = time.monotonic() + 30
    while True:
        time.sleep(0.3)
        producer.produce("compacted", b"last", b"other")
        producer.flush(10)
        values = read_all(broker, "compacted", 2)
        if values.count(b"19") == 1 and b"0" not in values:
            return
        assert time.monotonic() < deadline, values


def test_a_full_disk_ends_the_broker_and_room_brings_it_back(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(disk_bytes=8 << 20).start()
    broker.create_topic("fat")
    write(broker, "fat", [b"first"])
    producer = Producer(broker.client(message_timeout_ms=3000))
    failed: list[KafkaError] = []
    deadline = time.monotonic() + 60
    while not failed:
        assert time.monotonic() < deadline
        producer.produce(
            "fat", b"x" * 500_000, on_delivery=lambda error, _: failed.append(error) if error else None
        )
        producer.poll(0.05)
    producer.purge()
    producer.flush(5)
    broker.stop()
    broker.grow_disk(64 << 20)
    broker.start()
    write(broker, "fat", [b"last"])
    values = read_all(broker, "fat", 3)
    assert (values[0], b"last" in values) == (b"first", True)


def test_it_ends_with_a_killed_owner(kafka_here: None, tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.broker import Broker
print(Broker(Path({str(tmp_path)!r})).start().pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=90)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < deadline, f"broker {pid} lingers"
        time.sleep(0.05)
    assert Broker.at(tmp_path).pid is None


def test_two_users_share_one_broker_until_the_last_is_gone(kafka_here: None, tmp_path: Path) -> None:
    first = Broker(tmp_path).start()
    second = Broker.at(tmp_path)
    second.hold()
    assert second.pid == first.pid is not None
    first.release()
    time.sleep(0.5)
    assert second.pid is not None
    assert second.admin().list_topics(timeout=10).brokers
    second.release()
    deadline = time.monotonic() + 10
    while second.pid is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Seen:
    """What a client's connection comes to: the brokers that it sees, or the first errors."""

    def __init__(self, connection: Connection) -> None:
        self.errors: list[KafkaError] = []
        client = AdminClient(connection.client({"error_cb": self.errors.append}))
        try:
            self.brokers = len(client.list_topics(timeout=4).brokers)
        except KafkaException as error:
            self.brokers = 0
            self.errors.append(error.args[0])
        client.poll(0)

    def sentences(self) -> str:
        return "\n".join(sentence(error) + str(error) for error in self.errors)


def connection(broker: Broker, listener: str, **keys: Any) -> Connection:
    return Connection(brokers=[broker.bootstrap(listener)], **keys)


def login(mechanism: str, password: str = USERS["hunter"]) -> dict[str, Any]:
    return {"sasl": mechanism, "username": "hunter", "password": password}


def test_tls(secure_kafka: Broker, certificates: Certificates) -> None:
    ca = str(certificates.ca)
    assert Seen(connection(secure_kafka, "SSL", tls=True, ca=ca)).brokers == 1


def test_tls_with_an_unknown_authority_is_refused(secure_kafka: Broker) -> None:
    seen = Seen(connection(secure_kafka, "SSL", tls=True))
    assert seen.brokers == 0
    assert "TLS with the broker failed" in seen.sentences()


@pytest.mark.parametrize("key", ["plain", "locked"])
def test_mutual_tls(secure_kafka: Broker, certificates: Certificates, key: str) -> None:
    own: dict[str, Any] = {"certificate": str(certificates.client), "key": str(certificates.client_key)}
    if key == "locked":
        own |= {"key": str(certificates.encrypted_key), "key_password": certificates.key_password}
    assert Seen(connection(secure_kafka, "MTLS", tls=True, ca=str(certificates.ca), **own)).brokers == 1


def test_mutual_tls_without_a_certificate_is_refused(
    secure_kafka: Broker, certificates: Certificates
) -> None:
    seen = Seen(connection(secure_kafka, "MTLS", tls=True, ca=str(certificates.ca)))
    assert seen.brokers == 0
    assert seen.errors != []


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("listener", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl(secure_kafka: Broker, certificates: Certificates, listener: str, mechanism: str) -> None:
    tls: dict[str, Any] = {"tls": True, "ca": str(certificates.ca)} if listener == "SASL_SSL" else {}
    assert Seen(connection(secure_kafka, listener, **tls, **login(mechanism))).brokers == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_refused_and_not_shown(secure_kafka: Broker, mechanism: str) -> None:
    seen = Seen(connection(secure_kafka, "SASL_PLAINTEXT", **login(mechanism, WRONG)))
    assert seen.brokers == 0
    assert "refused who we say we are" in seen.sentences()
    assert WRONG not in seen.sentences()


def test_a_wrong_key_password_is_refused_and_not_shown(
    secure_kafka: Broker, certificates: Certificates
) -> None:
    own = {"certificate": str(certificates.client), "key": str(certificates.encrypted_key)}
    given = connection(secure_kafka, "MTLS", tls=True, ca=str(certificates.ca), key_password=WRONG, **own)
    with pytest.raises(KafkaException) as caught:
        Producer(given.client())
    assert WRONG not in str(caught.value)
    assert WRONG not in repr(given)
