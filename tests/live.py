"""A running service for tests: its configuration, its process, its topics, and what comes out of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions

from threathunting.intel import message
from threathunting.intel.canonical import indicator
from threathunting.intel.types import IndicatorType, Item

from .broker import Broker, free_ports

READY = 60.0


class Topics:
    """Topics of one test on a broker, and their messages."""

    def __init__(self, broker: Broker, records: int = 0, prefix: str | None = None, **intel: Any) -> None:
        """``records``: partitions of a topic of records, if there is to be one. ``intel``: its topic's settings."""
        self.broker = broker
        self.prefix = prefix or f"t{uuid.uuid4().hex[:8]}"
        names = {
            "intelligence": 1,
            "rejected": 1,
            "sightings": 2,
            "investigations": 2,
            "sensors": 1,
            "conversations": 1,
        }
        for name, partitions in names.items():
            broker.create_topic(self[name], partitions, **(intel if name == "intelligence" else {}))
        if records:
            broker.create_topic(self["records"], records)
        self._producer = self._new_producer()

    def _new_producer(self) -> Producer:
        return Producer(self.broker.client(linger_ms=5, compression_type="lz4", message_max_bytes=16_000_000))

    def __getitem__(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def make(self, name: str, partitions: int = 1, **config: Any) -> None:
        """Make one of them, in place of what has its name."""
        self.delete(name)
        self.broker.create_topic(self[name], partitions, **config)
        # The other one remembers what there was.
        self._producer = self._new_producer()

    def change(self, name: str, **config: Any) -> None:
        """Give one of them other settings."""
        entries = [
            ConfigEntry(key.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, self[name], incremental_configs=entries)
        admin = self.broker.admin()
        admin.incremental_alter_configs([resource])[resource].result(10)

    def grow(self, name: str, partitions: int) -> None:
        """Give one of them more partitions."""
        admin = self.broker.admin()
        admin.create_partitions([NewPartitions(self[name], partitions)])[self[name]].result(10)

    def delete(self, name: str) -> None:
        """Delete one of them, if it is there."""
        if self[name] in self.broker.admin().list_topics(timeout=10).topics:
            self.broker.delete_topics([self[name]])

    def send(
        self,
        name: str,
        messages: Iterable[tuple[str | None, bytes | None]],
        wait: float = 60.0,
        **settings: Any,
    ) -> None:
        """Write (key, value) pairs and wait until they are there."""
        for key, value in messages:
            while True:
                try:
                    self._producer.produce(self[name], value, key, **settings)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(wait) == 0

    def arm(self, *values: str, source: str = "SOAR", level: str = "high", **meta: Any) -> None:
        """Push intel: ``domain evil.example``."""
        told = []
        for value in values:
            type, _, rest = value.partition(" ")
            found = indicator(IndicatorType(type), rest)
            body = {"ioc": rest, "type": type, "meta": {"source": source, "level": level, **meta}}
            told.append((message.key(found, source).decode(), msgspec.json.encode(body)))
        self.send("intelligence", told)

    def disarm(self, value: str, source: str = "SOAR") -> None:
        type, _, rest = value.partition(" ")
        self.send(
            "intelligence", [(message.key(indicator(IndicatorType(type), rest), source).decode(), None)]
        )

    def read(self, name: str, until: int | None = None, timeout: float = 30.0) -> list[dict[str, Any]]:
        """All committed messages of a topic; waits until there are ``until``, if given."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._read(self[name])
            if until is None or len(found) >= until or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _read(self, topic: str) -> list[dict[str, Any]]:
        consumer = Consumer(
            self.broker.client(
                group_id=f"test-{uuid.uuid4()}",
                enable_auto_commit=False,
                isolation_level="read_committed",
                enable_partition_eof=True,
            )
        )
        try:
            parts = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in parts])
            left, found = set(parts), []
            deadline = time.monotonic() + 60
            while left and time.monotonic() < deadline:
                for one in consumer.consume(10_000, 0.2):
                    if one.error() is None:
                        found.append(json.loads(one.value() or b"null"))
                    elif (error := one.error()) and error.code() == KafkaError._PARTITION_EOF:
                        left.discard(one.partition())
            assert not left, f"{topic} could not be read to its end"
            return found
        finally:
            consumer.close()


class Service:
    """``threathunting run`` as a process, with its configuration and state in ``folder``."""

    def __init__(self, folder: Path, topics: Topics | None, name: str = "one", **sections: Any) -> None:
        """``sections``: further keys by section (``hunt={"modules": [...]}``), over what topics ask for."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_ports(1)[0]
        self.config = folder / "threathunting.toml"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        found: dict[str, Any] = {
            "service": {"name": name, "state": str(folder / "state")},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"format": "json"},
        }
        if topics is not None:
            found["kafka"] = {"brokers": [topics.broker.bootstrap()]}
            found["intel"] = {"topic": topics["intelligence"], "rejected": topics["rejected"]}
            found["output"] = {
                "format": "zeek",
                "kafka": {name: topics[name] for name in ("sightings", "investigations", "sensors")},
            }
        for section, keys in sections.items():
            merged = found.setdefault(section, [] if isinstance(keys, list) else {})
            if isinstance(merged, list):
                merged += keys
            else:
                merged.update(keys)
        self.sections = found
        self.write()

    def write(self) -> None:
        """Write the configuration, in one step."""
        part = self.config.with_suffix(".part")
        part.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in self.sections.items()))
        part.replace(self.config)

    def start(self, ready: bool = True) -> Service:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "threathunting", "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        if ready:
            self.wait(lambda: self.get("/readyz")[0] == 200, "ready", READY)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        self.process = None
        return status

    def hang_up(self) -> None:
        """SIGHUP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def get(self, path: str) -> tuple[int, str]:
        """Status code and body of a page; (0, reason) where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def status(self) -> dict[str, Any]:
        """The object of ``/status``."""
        code, body = self.get("/status")
        assert code == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def wait(self, done: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
        """Wait until something is so; the service must go on running meanwhile."""
        deadline = time.monotonic() + timeout
        while not done():
            assert self.process is None or self.process.poll() is None, f"the service ended:\n{self.said()}"
            assert time.monotonic() < deadline, (
                f"not {what} in {timeout:.0f} s:\n{self.get('/readyz')}\n{self.said()}"
            )
            time.sleep(0.05)

    def wait_armed(self, count: int, timeout: float = 30.0) -> None:
        """Wait until so many indicators are armed."""
        self.wait(lambda: self.status()["indicators"] == count, f"armed with {count}", timeout)

    def said(self, size: int = 6000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def __enter__(self) -> Service:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


ENDS = {"id.orig_h": "10.0.0.1", "id.orig_p": 50000, "id.resp_h": "192.0.2.1", "id.resp_p": 80}


def conversation(number: int, hit: bool, ts: float) -> list[tuple[str, dict[str, Any]]]:
    """The records of a conversation, as (log, record): one request of a host, armed or not, and its connection."""
    uid = f"C{number:08d}"
    host = "evil.example" if hit else f"host{number % 997}.example"
    base = {"ts": ts, "uid": uid, **ENDS}
    return [
        ("http", {**base, "n": 0, "method": "GET", "host": host, "uri": f"/{number}", "trans_depth": 1}),
        ("http", {**base, "n": 1, "method": "GET", "host": "other.example", "uri": "/", "trans_depth": 2}),
        ("conn", {**base, "n": 2, "proto": "tcp", "service": "http", "conn_state": "SF"}),
        ("files", {**base, "n": 3, "fuid": f"F{number:08d}", "sha1": f"{number:040x}"}),
    ]


def tagged(log: str, record: Mapping[str, Any]) -> bytes:
    """A record as zeek-kafka writes it."""
    return msgspec.json.encode({log: record})


def identities(records: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, int]]:
    """Captured records of ``conversation``, in Zeek's form, by uid and number."""
    return Counter((record["uid"], record["n"]) for record in records)


__all__ = ["ENDS", "Item", "Service", "Topics", "conversation", "identities", "tagged"]
