"""How large a message a topic takes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from threathunting.kafka.connection import Connection


def message_limits(connection: Connection, topics: Iterable[str], timeout: float = 5.0) -> dict[str, int]:
    """``max.message.bytes`` of topics, in bytes; those are left out whose settings we can't or mayn't see."""
    client = AdminClient(connection.client())
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    if not resources:
        return {}
    found: dict[str, int] = {}
    asked: dict[ConfigResource, Future[Any]] = client.describe_configs(resources, request_timeout=timeout)
    for resource, answer in asked.items():
        try:
            found[resource.name] = int(answer.result(timeout)["max.message.bytes"].value)
        except (KafkaException, TimeoutError, KeyError, ValueError, TypeError):
            continue
    return found
