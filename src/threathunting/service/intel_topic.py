"""The intel topic as people's commands use it: which cluster, its topics, and what is armed by it now."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from threathunting.intel.message import DEFAULT_SOURCE
from threathunting.intel.replay import Replay
from threathunting.intel.store import Store
from threathunting.kafka.admin import Made, Plan
from threathunting.kafka.admin import create_topics as create
from threathunting.kafka.connection import Connection
from threathunting.kafka.intel_topic import IntelTopic
from threathunting.service.config import load
from threathunting.service.config_schema import Config, Consume, KafkaOutput
from threathunting.service.intel import allow_list

TOPIC = "intelligence"
GIVE_UP_SECONDS = 15.0
"""How long a topic may say nothing before reading it is given up; a third of it, where the reason is known."""

_DAY_MS = 24 * 3600 * 1000
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Cluster(NamedTuple):
    """A Kafka cluster with the intel topic there, and the configuration that named them, if one did."""

    connection: Connection
    topic: str
    config: Config | None


def cluster(
    brokers: str | None,
    config_file: Path | None,
    settings: Iterable[str] = (),
    topic: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Cluster:
    """The cluster that a command names: by ``host:port,...``, or by the service's configuration.

    ``settings`` are ``name=value`` of librdkafka; a value that is wholly ``${NAME}`` is taken from ``environ``.
    Raises ValueError with a sentence.
    """
    config = None if config_file is None else load(config_file, environ)
    connection = None if config is None else config.kafka
    if config is not None and connection is None and brokers is None:
        raise ValueError(
            f"{config_file} has no [kafka] that says where the topic is; add it, or give --brokers"
        )
    named = None if brokers is None else [one.strip() for one in brokers.split(",") if one.strip()]
    if connection is None:
        if not named:
            raise ValueError("no cluster is named; give --brokers HOST:PORT or --config FILE")
        connection = Connection(brokers=named)
    given = {**connection.settings, **dict(_setting(text, environ) for text in settings)}
    connection = msgspec.structs.replace(connection, brokers=named or connection.brokers, settings=given)
    return Cluster(connection, topic or (config and config.intel.topic) or TOPIC, config)


def create_topics(
    where: Cluster, partitions: int, replication: int | None = None, *, unkeyed: bool = False
) -> list[Made]:
    """Make all topics that the service uses, as it needs them; those that are there are left alone.

    ``partitions`` is for the topics of results. ``unkeyed``: intel comes from producers that set no key, as the
    original system's did; a compacted topic would refuse their messages, so nothing is ever thrown away instead.
    Raises ConnectionError.
    """
    return create(where.connection, plans(where, partitions, unkeyed=unkeyed), replication)


def plans(where: Cluster, partitions: int, *, unkeyed: bool) -> list[Plan]:
    """The topics, each as it should be."""
    config = where.config
    output = config.output.kafka if config is not None and config.output.kafka is not None else KafkaOutput()
    consume = config.consume if config is not None and config.consume is not None else Consume(topics=())
    rejected = f"{where.topic}.rejected" if config is None else config.intel.rejected
    keep_all = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    # Who was cut off for less than that still hears of a removal when it goes on reading.
    keep_newest = {"cleanup.policy": "compact", "delete.retention.ms": str(30 * _DAY_MS)}
    results = {"cleanup.policy": "delete"}
    wanted: list[tuple[str | None, int, Mapping[str, str]]] = [
        # One partition: all is told in one order, whatever the clocks say, and every instance reads all anyway.
        (where.topic, 1, keep_all if unkeyed else keep_newest),
        (rejected, 1, {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)}),
        (output.sightings, partitions, results),
        (output.investigations, partitions, results),
        (output.sensors, 1, {"cleanup.policy": "compact"}),
        (consume.flags_topic, 1, {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}),
    ]
    return [
        Plan(name, count, settings, exactly=name == consume.flags_topic)
        for name, count, settings in wanted
        if name is not None
    ]


class Listing(NamedTuple):
    """What a topic arms now: the store, how it came about, and the messages read."""

    store: Store
    replay: Replay
    messages: int


def listing(
    where: Cluster,
    allow: Sequence[str] = (),
    warninglists: Sequence[str] = (),
    *,
    everything: bool = False,
    progress: Callable[[int, int | None], None] = lambda read, left: None,
    give_up: float = GIVE_UP_SECONDS,
) -> Listing:
    """Read the topic to its end, and apply it as the service does.

    ``allow`` and ``warninglists`` add to the configuration's. ``everything``: without allow-lists and default
    expiry. ``progress`` is told the messages read and those left (None: unknown).
    Raises ConnectionError where nothing comes for ``give_up`` seconds, ValueError for settings that are none.
    """
    intel = None if where.config is None else where.config.intel
    files = [*allow, *(intel.allow if intel is not None else ())]
    lists = [*warninglists, *(intel.warninglists if intel is not None else ())]
    store = Store()
    replay = Replay(
        store,
        allow=None if everything else allow_list(files, lists),
        default_source=DEFAULT_SOURCE if intel is None else intel.default_source,
        default_expire=None if intel is None or everything else intel.default_expire,
    )
    reader = IntelTopic(where.connection, where.topic, instance="threathunting-intel", patience=give_up)
    read, heard_at = 0, time.monotonic()
    try:
        while not reader.caught_up:
            told = reader.poll(0.2)
            now = time.time()
            for message in told:
                replay.apply(message, now)
            read += len(told)
            progress(read, reader.lag())
            if told:
                heard_at = time.monotonic()
            elif reader.missing or time.monotonic() > heard_at + give_up / (
                1 if reader.problem is None else 3
            ):
                raise ConnectionError(
                    reader.problem
                    or f"Kafka: topic {where.topic} can't be read to its end; {read:,} messages came"
                )
    finally:
        reader.close()
    store.expire(time.time())
    return Listing(store, replay, read)


def _setting(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"-X {name[:40]}: a setting is written as name=value")
    if variable := _VARIABLE.fullmatch(value.strip()):
        if variable[1] not in environ:
            raise ValueError(f"-X {name}: the environment has no {variable[1]}; set it")
        value = environ[variable[1]]
    return name.strip(), value.strip()
