"""``intel push``, ``intel remove`` and ``intel list`` as a person types them, against a real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from tests.broker import Broker
from tests.certificates import Certificates
from tests.cli.test_hunt import COMMAND, run
from tests.integration.conftest import USERS
from threathunting.cli.app import app
from threathunting.intel import message
from threathunting.intel.types import Indicator, IndicatorType
from threathunting.kafka.connection import Connection
from threathunting.kafka.intel_producer import IntelProducer
from threathunting.service.intel_push import Request, push
from threathunting.service.intel_topic import Cluster

pytestmark = pytest.mark.kafka

ORIGINAL = (
    b'{"ioc": "httpbin.org", "type": "domain", "meta": {"expire": 300, "source": "SOAR", "desc": "bad domain",'
    b' "level": "high"}}'
)


class Cli:
    """The commands on one topic."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.broker, self.topic = broker, topic

    def __call__(self, command: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        given = ["intel", command, *map(str, arguments), "-b", self.broker.bootstrap(), "--topic", self.topic]
        done = CliRunner().invoke(app, given, env={"NO_COLOR": "1", "COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return subprocess.CompletedProcess(given, done.exit_code, done.stdout_bytes, done.stderr_bytes)

    def armed(self, *arguments: str) -> list[dict[str, Any]]:
        done = self("list", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def values(self, *arguments: str) -> list[tuple[str, str]]:
        return [(line["ioc"], line["meta"]["source"]) for line in self.armed(*arguments)]

    def messages(self) -> list[tuple[bytes | None, bytes | None]]:
        """All that the topic holds, as (key, value), in order of partition and offset."""
        consumer = Consumer(self.broker.client(group_id="none", enable_partition_eof=True))
        described = consumer.list_topics(self.topic, timeout=10).topics[self.topic]
        consumer.assign([TopicPartition(self.topic, number, 0) for number in described.partitions])
        found, ends = [], 0
        while ends < len(described.partitions):
            for told in consumer.consume(1000, 1.0):
                if told.error() is None:
                    found.append((told.partition(), told.offset(), told.key(), told.value()))
                else:
                    ends += 1
        consumer.close()
        return [(key, value) for _, _, key, value in sorted(found)]

    def write(self, value: bytes | None, key: bytes | None = None) -> None:
        failed: list[Any] = []
        producer = Producer(self.broker.client(acks="all"))
        producer.produce(self.topic, value, key, on_delivery=lambda error, _: failed.append(error))
        assert producer.flush(30) == 0
        assert [error.name() for error in failed if error is not None] == []


@pytest.fixture
def cli(kafka: Broker, new_topic: Callable[..., str]) -> Cli:
    return Cli(kafka, new_topic(3))


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode()


def test_what_is_pushed_is_armed(cli: Cli) -> None:
    done = cli(
        "push", "--ioc", "evil[.]example", "--ioc", "198.51.100.7", "--source", "SOC", "--level", "high", "--desc", "bad",
        "--confidence", "80", "--tag", "apt", "--tag", "x",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    assert f"2 messages arrived on topic {cli.topic}" in said(done)
    meta = {"source": "SOC", "desc": "bad", "level": "high", "confidence": 80, "tags": ["apt", "x"]}
    assert cli.armed() == [
        {"ioc": "198.51.100.7", "type": "addr", "meta": meta},
        {"ioc": "evil.example", "type": "domain", "meta": meta},
    ]
    assert {key for key, _ in cli.messages()} == {b"domain|evil.example|SOC", b"addr|198.51.100.7|SOC"}


def test_expiry_is_told_from_now(cli: Cli) -> None:
    before = time.time()
    assert cli("push", "--ioc", "evil.example", "--expire", "1d").returncode == 0
    until = message.parse_time(cli.armed()[0]["meta"]["valid_until"])
    assert before + 86400 <= until <= time.time() + 86400
    table = cli("list").stdout.decode().splitlines()
    assert table[0].split() == ["type", "indicator", "level", "source", "expires", "description"]
    assert table[1].split()[4].startswith(message.timestamp(round(until))[:16])


def test_an_expire_in_a_file_counts_from_the_push(cli: Cli, tmp_path: Path) -> None:
    """A file of the original's messages is told now, however old it is; an absolute end stays what it is."""
    path = tmp_path / "soar.jsonl"
    path.write_bytes(
        ORIGINAL + b'\n{"ioc":"old.example","type":"domain","meta":{"valid_until":"2020-01-01T00:00:00Z"}}\n'
    )
    os.utime(path, (1e9, 1e9))
    before = time.time()
    done = cli("push", path)
    assert done.returncode == 0
    assert "1 message arrived" in said(done)
    assert "1 item left out, as expired" in said(done)
    [armed] = cli.armed()
    assert armed["ioc"] == "httpbin.org"
    assert before + 300 <= message.parse_time(armed["meta"]["valid_until"]) <= time.time() + 300


def test_files_are_filled_with_what_is_told(cli: Cli, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("*.evil.example\n198.51.100.0/24\n")
    ours = tmp_path / "ours.jsonl"
    ours.write_text(
        '{"ioc":"a.example","type":"domain","meta":{"source":"A","desc":"its own","level":"low","expire":60}}\n'
    )
    assert (
        cli(
            "push", plain, ours, "--source", "SOC", "--desc", "ours", "--level", "critical", "--expire", "2h"
        ).returncode
        == 0
    )
    armed = {line["ioc"]: line["meta"] for line in cli.armed()}
    assert armed["evil.example"]["subdomains"] is True
    assert {name: meta["source"] for name, meta in armed.items()} == {
        "evil.example": "SOC", "198.51.100.0/24": "SOC", "a.example": "A"
    }  # fmt: skip
    assert {meta["level"] for meta in armed.values()} == {"critical"}
    assert (armed["a.example"]["desc"], armed["evil.example"]["desc"]) == ("its own", "ours")
    ends = {name: message.parse_time(meta["valid_until"]) - time.time() for name, meta in armed.items()}
    assert ends["a.example"] < 61
    assert 7000 < ends["evil.example"] < 7201


def test_a_list_can_be_pushed_again(
    cli: Cli, kafka: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    cli(
        "push",
        "--ioc",
        "*.evil.example",
        "--ioc",
        "/gate.php",
        "--expire",
        "1d",
        "--source",
        "a|b",
        "--tag",
        "t",
    )
    saved = tmp_path / "saved.jsonl"
    saved.write_bytes(cli("list", "--json").stdout)
    other = Cli(kafka, new_topic())
    assert other("push", saved).returncode == 0
    assert other.armed() == cli.armed() != []


def test_refused_entries_keep_the_others_from_nothing(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text("evil.example\n0.0.0.0/0\ngood.example\n")
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("good.example\n")
    done = cli("push", path, "--ioc", "not an indicator", "--ioc", "www.good.example", "--allow", allowed)
    assert done.returncode == 2
    assert f"{path}:2: " in said(done)
    assert f"{path}:3: " in said(done)
    assert "--ioc: 'not an indicator' holds a space" in said(done)
    assert "--ioc: domain " in said(done)
    assert "4 entries refused" in said(done)
    assert cli.values() == [("evil.example", "feed")]


def test_numbers_for_scripts(cli: Cli) -> None:
    done = cli("push", "--ioc", "evil.example", "--ioc", "not an indicator", "--json")
    summary = json.loads(done.stdout)
    assert summary.pop("seconds") > 0
    assert summary == {"topic": cli.topic, "sent": 1, "arrived": 1, "expired": 0, "rejected_intel": 1}


def test_a_removing_line_of_a_file_removes(cli: Cli, tmp_path: Path) -> None:
    cli("push", "--ioc", "evil.example", "--source", "S")
    path = tmp_path / "changes.jsonl"
    path.write_text('{"ioc":"evil.example","type":"domain","action":"remove","meta":{"source":"S"}}\n')
    assert cli("push", path).returncode == 0
    assert cli.armed() == []


def test_list_filters(cli: Cli) -> None:
    cli("push", "--ioc", "evil.example", "--ioc", "198.51.100.7", "--source", "A", "--level", "high")
    cli("push", "--ioc", "evil.example", "--ioc", "worse.example", "--source", "B")
    assert len(cli.values()) == 4
    assert cli.values("--type", "addr") == [("198.51.100.7", "A")]
    assert cli.values("--source", "B") == [("evil.example", "B"), ("worse.example", "B")]
    assert cli.values("--level", "high", "--value", "EVIL") == [("evil.example", "A")]
    done = cli("list", "--value", "nowhere")
    assert "0 items of 0 indicators; 4 messages read" in said(done)


def test_list_tells_what_is_not_armed(cli: Cli) -> None:
    cli.write(b"poison")
    cli.write(b'{"ioc":"evil.example","type":"domain","meta":{"valid_until":"2020-01-01"}}')
    done = cli("list")
    assert done.returncode == 0
    assert "2 messages read; 1 expired; 1 refused" in said(done)


def test_remove_takes_one_source_or_all(cli: Cli) -> None:
    for source in ("A", "B", "C"):
        cli("push", "--ioc", "evil.example", "--ioc", "worse.example", "--source", source)
    done = cli("remove", "evil[.]example", "good.example", "--source", "A")
    assert done.returncode == 0
    assert "domain good.example is not armed by source A" in said(done)
    assert "1 item removed" in said(done)
    assert cli.values("--value", "evil") == [("evil.example", "B"), ("evil.example", "C")]
    assert "2 items removed" in said(cli("remove", "evil.example", "--all-sources"))
    assert cli.values() == [("worse.example", source) for source in "ABC"]
    assert (b"domain|evil.example|B", None) in cli.messages()


def test_remove_what_a_file_holds(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text("evil.example\nworse.example\n")
    cli("push", path)
    cli("push", path, "--source", "other")
    assert "2 items removed" in said(cli("remove", "-i", path))
    assert cli.values() == [("evil.example", "other"), ("worse.example", "other")]
    assert "2 items removed" in said(cli("remove", "-i", path, "--source", "other"))
    assert cli.values() == []


def test_remove_an_item_of_an_unkeyed_producer(cli: Cli) -> None:
    cli.write(ORIGINAL)
    assert cli.values() == [("httpbin.org", "SOAR")]
    assert cli("remove", "httpbin.org", "--source", "SOAR").returncode == 0
    assert cli.values() == []


def test_remove_blindly(cli: Cli) -> None:
    cli.write(ORIGINAL)
    done = cli("remove", "httpbin.org", "--source", "SOAR", "--blindly")
    assert (done.returncode, "1 item removed" in said(done)) == (0, True)
    assert cli.values() == []


def test_a_removed_item_stays_removed_after_compaction(kafka: Broker, new_topic: Callable[..., str]) -> None:
    """Whoever's key it was told under, and though the topic forgets the removals themselves, too."""
    settings = {
        "cleanup_policy": "compact", "segment_ms": 200, "min_cleanable_dirty_ratio": 0.01, "delete_retention_ms": 0,
    }  # fmt: skip
    cli = Cli(kafka, new_topic(1, **settings))
    cli.write(ORIGINAL, b"soar-incident-17")
    cli("push", "--ioc", "evil.example", "--ioc", "kept.example", "--source", "SOC")
    assert "2 items removed" in said(cli("remove", "httpbin.org", "evil.example", "--all-sources"))
    assert cli.values() == [("kept.example", "SOC")]
    deadline = time.monotonic() + 60
    kept = message.key(Indicator(IndicatorType.DOMAIN, "kept.example"), "SOC")
    while {key for key, _ in cli.messages()} - {b"filler"} != {kept}:
        assert time.monotonic() < deadline, cli.messages()
        cli.write(b"", b"filler")  # a segment is cleaned once a later one has begun
        time.sleep(0.3)
    assert cli.values() == [("kept.example", "SOC")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["remove", "evil.example"], "give --source NAME or --all-sources"),
        (["remove", "evil.example", "--blindly", "--all-sources"], "--blindly can't be given"),
        (["push", "--ioc", "evil.example", "--expire", "soon"], "soon"),
        (["push", "--ioc", "evil.example", "--expire", "0s"], "--expire is not more than 0 seconds"),
        (["push", "--ioc", "evil.example", "--type", "nothing"], "unknown type 'nothing'"),
        (["push", "nowhere.txt"], "nowhere.txt can't be read"),
        (["push", "--ioc", "evil.example", "-X", "acks=0"], "not to be changed"),
    ],
)
def test_bad_usage(cli: Cli, arguments: list[str], sentence: str) -> None:
    done = cli(arguments[0], *arguments[1:])
    assert done.returncode == 2
    assert sentence in said(done)
    assert cli.messages() == []


@pytest.mark.parametrize(
    "arguments", [["push", "--ioc", "a.example"], ["list"], ["remove", "a.example", "--all-sources"]]
)
def test_a_missing_topic_is_told_at_once(kafka: Broker, arguments: list[str]) -> None:
    began = time.monotonic()
    done = Cli(kafka, "no-such-topic")(arguments[0], *arguments[1:])
    assert done.returncode == 1
    assert "topic no-such-topic: the topic does not exist" in said(done)
    assert time.monotonic() - began < 10


def test_what_does_not_arrive_is_counted(
    kafka: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    cli = Cli(kafka, new_topic(1, max_message_bytes=2000))
    path = tmp_path / "feed.jsonl"
    lines = [
        {"ioc": f"{desc[:3]}.example", "type": "domain", "meta": {"desc": desc}}
        for desc in ("one", "two", "fat" * 2000)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    done = cli("push", path, "-X", "compression.type=none", "-X", "linger.ms=0")
    assert done.returncode == 1
    assert "1 of 3 messages did not arrive" in said(done)
    assert "larger than the topic's max.message.bytes" in said(done)
    assert len(cli.armed()) == 2


def test_an_unkeyed_message_needs_an_unkeyed_topic(
    make_broker: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = make_broker().start()
    bootstrap = ("-b", broker.bootstrap())
    done = run("intel", "push", "--create-topics", "--topic", "keyed", *bootstrap)
    names = ["keyed", "keyed.rejected", "sightings", "investigations", "sensors", "conversations"]
    assert (done.returncode, said(done).splitlines()) == (0, [f"topic {name} created" for name in names])
    done = run("intel", "push", "--create-topics", "--unkeyed", "--ioc", "evil.example", *bootstrap)
    assert done.returncode == 0
    assert "topic intelligence created" in said(done)
    assert "topic sightings was there already\n" in said(done)
    Cli(broker, "intelligence").write(ORIGINAL)
    assert len(Cli(broker, "intelligence").armed()) == 2
    with pytest.raises(AssertionError, match="INVALID_RECORD"):
        Cli(broker, "keyed").write(ORIGINAL)

    topics = broker.admin().list_topics(timeout=10).topics
    assert {name: len(topics[name].partitions) for name in names} == dict(
        zip(names, [1, 1, 6, 6, 1, 1], strict=True)
    )

    # What is there is left alone, and what is not as it should be is told.
    done = run("intel", "push", "--create-topics", "--topic", "keyed", "--unkeyed", *bootstrap)
    assert "topic keyed was there already; cleanup.policy is compact, not delete; retention.ms is " in said(
        done
    )
    broker.delete_topics(["conversations"])
    broker.create_topic("conversations", 2)
    config = tmp_path / "threathunting.toml"
    config.write_text(
        f'[service]\nstate = "{tmp_path}"\n[kafka]\nbrokers = ["{broker.bootstrap()}"]\n'
        '[intel]\ntopic = "own"\nrejected = false\n[output.kafka]\nsightings = "seen"\nsensors = false\n[[follow]]\npath = "."\n'
    )
    done = run("intel", "push", "--create-topics", "--partitions", "2", "-c", config)
    *rest, flags = said(done).splitlines()
    assert rest == ["topic own created", "topic seen created", "topic investigations was there already"]
    assert flags.startswith("topic conversations was there already; it has 2 partitions, not 1")
    assert len(broker.admin().list_topics(timeout=10).topics["seen"].partitions) == 2


def test_the_configuration_says_how_items_are_armed(
    kafka: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    cli = Cli(kafka, new_topic())
    cli.write(b'{"ioc":"evil.example","type":"domain"}')
    cli.write(b'{"ioc":"good.example","type":"domain"}')
    (tmp_path / "allowed.txt").write_text("good.example\n")
    config = tmp_path / "threathunting.toml"
    config.write_text(
        f'[service]\nstate = "{tmp_path}"\n[kafka]\nbrokers = ["{kafka.bootstrap()}"]\n[intel]\ntopic = "{cli.topic}"\n'
        'default_source = "SOAR"\ndefault_expire = "1d"\nallow = ["allowed.txt"]\n[[follow]]\npath = "."\n'
    )
    done = run("intel", "list", "--json", "-c", config)
    assert done.returncode == 0, said(done)
    [line] = map(json.loads, done.stdout.splitlines())
    assert (line["ioc"], line["meta"]["source"]) == ("evil.example", "SOAR")
    assert message.parse_time(line["meta"]["valid_until"]) == pytest.approx(time.time() + 86400, abs=60)
    # To remove an item, it is looked for as it was told.
    done = run("intel", "remove", "good.example", "--all-sources", "-c", config)
    assert "1 item removed" in said(done)


def test_secrets_come_from_the_environment_and_are_never_shown(
    secure_kafka: Broker, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"secret-{time.time_ns()}"
    secure_kafka.create_topic(topic)
    settings = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(certificates.ca),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "hunter",
        "sasl.password": "${HUNTERS_PASSWORD}",
    }
    options = [part for name, value in settings.items() for part in ("-X", f"{name}={value}")]
    options += ["-b", secure_kafka.bootstrap("SASL_SSL"), "--topic", topic]
    monkeypatch.setenv("HUNTERS_PASSWORD", USERS["hunter"])
    assert run("intel", "push", "--ioc", "evil.example", *options).returncode == 0
    assert b"evil.example" in run("intel", "list", *options).stdout
    monkeypatch.setenv("HUNTERS_PASSWORD", "Wr0ng-pass")
    for arguments in (["push", "--ioc", "evil.example"], ["list"]):
        done = run("intel", *arguments, *options)
        assert done.returncode == 1
        assert "refused who we say we are" in said(done)
        assert "Wr0ng" not in said(done) + done.stdout.decode()


def test_keys_go_where_javas_producer_puts_them(kafka: Broker, new_topic: Callable[..., str]) -> None:
    """So that a SOAR in Java and a person agree on a key's partition. Hashes are of Kafka's own UtilsTest."""
    topic = new_topic(7)
    producer = IntelProducer(Connection(brokers=[kafka.bootstrap()]), topic)
    hashes = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key in hashes:
        producer.send(key, b"x")
    assert producer.finish() == (3, 3, None)
    consumer = Consumer(kafka.client(group_id=topic, auto_offset_reset="earliest"))
    consumer.subscribe([topic])
    found: dict[bytes | None, int | None] = {}
    deadline = time.monotonic() + 30
    while len(found) < 3 and time.monotonic() < deadline:
        found |= {told.key(): told.partition() for told in consumer.consume(10, 0.2)}
    consumer.close()
    assert found == {key: (value & 0x7FFFFFFF) % 7 for key, value in hashes.items()}


def test_a_broker_that_dies_while_pushing(make_broker: Callable[..., Broker], tmp_path: Path) -> None:
    broker = make_broker().start()
    broker.create_topic("intelligence", 2)
    path = tmp_path / "feed.txt"
    path.write_text("".join(f"h{number}.evil.example\n" for number in range(300_000)))
    connection = Connection(
        brokers=[broker.bootstrap()], settings={"message.timeout.ms": 3000, "linger.ms": 0}
    )
    notes: list[str] = []
    # More than can wait in memory, so that some have arrived long before the last is sent.
    killed = False

    def progress(delivery: Any) -> None:
        nonlocal killed
        if not killed and delivery.arrived > 5_000:
            killed = True
            broker.kill()

    pushed = push(
        Cluster(connection, "intelligence", None),
        Request(files=[str(path)]),
        note=notes.append,
        progress=progress,
    )
    assert killed
    delivery = pushed.delivery
    assert delivery.sent == 300_000
    assert 5_000 < delivery.arrived < 300_000
    assert delivery.reason is not None
    assert notes != []
    broker.start()
    told = Cli(broker, "intelligence").messages()
    # Each that is said to have arrived is there, and none twice.
    assert delivery.arrived <= len(told) == len(set(told))


def test_interrupted(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker().start()
    broker.create_topic("intelligence")
    environment = {**os.environ, "NO_COLOR": "1"}
    process = subprocess.Popen(
        [*COMMAND, "intel", "push", "-", "--intel-format", "plain", "-b", broker.bootstrap()],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"".join(b"h%d.evil.example\n" % number for number in range(100_000)))
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not Cli(broker, "intelligence").messages():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 1
    text = process.stderr.read().decode()
    process.stdin.close()
    process.stderr.close()
    assert "interrupted; " in text
    assert "had arrived for certain" in text
    assert "Traceback" not in text
