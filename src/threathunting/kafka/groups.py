"""Who is in a consumer group."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import problem


def is_member(connection: Connection, group: str, instance: str, timeout: float = 10.0) -> bool:
    """Whether the group has a living member of this name (``group.instance.id``). Raises ConnectionError.

    A member that isn't heard of is one until its session times out.
    """
    client = AdminClient(connection.client())
    try:
        described = client.describe_consumer_groups([group], request_timeout=timeout)[group].result(timeout)
    except KafkaException as error:
        raise problem(error, f"group {group}") from None
    return any(member.group_instance_id == instance for member in described.members)
