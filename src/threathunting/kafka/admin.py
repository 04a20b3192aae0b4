"""Making topics, and seeing whether those that are there already are as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource
from confluent_kafka.cimpl import NewTopic

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import code_of, problem

TIMEOUT = 30.0
REPLICAS = 3
"""Copies of a topic, where there are as many brokers."""


class Plan(NamedTuple):
    """A topic as it should be: ``settings`` are Kafka's own (``cleanup.policy`` ...)."""

    name: str
    partitions: int
    settings: Mapping[str, str] = {}
    exactly: bool = False
    """Whether another number of partitions is wrong."""


class Made(NamedTuple):
    """What became of a plan. ``differs`` tells, of a topic that was there, what isn't as planned."""

    name: str
    created: bool
    differs: list[str]


def create_topics(
    connection: Connection, plans: Iterable[Plan], replication: int | None = None
) -> list[Made]:
    """Make the topics that aren't there; the others are left alone.

    ``replication``: copies of each; by default three, or as many as there are brokers. Where there are three or
    more, two must have a message before it counts as written (``min.insync.replicas``).

    Raises ConnectionError with a sentence.
    """
    client = AdminClient(connection.client())
    try:
        cluster = client.list_topics(timeout=TIMEOUT)
    except KafkaException as error:
        raise problem(error, "topics can't be listed") from None
    replicas = replication or min(REPLICAS, len(cluster.brokers))
    made: list[Made] = []
    for plan in plans:
        if plan.name not in cluster.topics and _created(client, plan, replicas):
            made.append(Made(plan.name, True, []))
        else:
            known = cluster.topics.get(plan.name)
            partitions = len(known.partitions) if known is not None else plan.partitions
            made.append(Made(plan.name, False, _differences(client, plan, partitions)))
    return made


def _created(client: AdminClient, plan: Plan, replicas: int) -> bool:
    """Make a topic; False where somebody else was faster."""
    settings = dict(plan.settings)
    if replicas >= REPLICAS:
        settings.setdefault("min.insync.replicas", "2")
    topic = NewTopic(plan.name, num_partitions=plan.partitions, replication_factor=replicas, config=settings)
    try:
        client.create_topics([topic], operation_timeout=TIMEOUT, request_timeout=TIMEOUT)[plan.name].result()
    except KafkaException as error:
        if code_of(error) == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise problem(error, f"topic {plan.name} can't be created") from None
    return True


def _differences(client: AdminClient, plan: Plan, partitions: int) -> list[str]:
    found = []
    if plan.exactly and partitions != plan.partitions:
        found.append(f"it has {partitions} partitions, not {plan.partitions}")
    if not plan.settings:
        return found
    resource = ConfigResource(ConfigResource.Type.TOPIC, plan.name)
    answers: dict[ConfigResource, Future[Any]] = client.describe_configs([resource], request_timeout=TIMEOUT)
    try:
        settings = answers[resource].result()
    except KafkaException as error:
        return [*found, f"its settings can't be seen ({code_name(error)})"]
    for name, wanted in plan.settings.items():
        is_now = settings[name].value if name in settings else None
        if is_now is None or _words(is_now) != _words(wanted):
            found.append(f"{name} is {is_now}, not {wanted}")
    return found


def code_name(error: KafkaException) -> str:
    """Kafka's name of an error, as ``TOPIC_AUTHORIZATION_FAILED``."""
    found = error.args[0]
    return found.name() if isinstance(found, KafkaError) else str(found)


def _words(setting: str) -> set[str]:
    return {word.strip() for word in setting.split(",")}
