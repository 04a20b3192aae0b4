"""Who is in a consumer group."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import problem


def is_member(connection: Connection, group: str, client: str, timeout: float = 10.0) -> bool:
    """Whether the group has a member of this ``client.id``. Raises ConnectionError.

    One that was killed is a member until its session times out.
    """
    admin = AdminClient(connection.client())
    try:
        described = admin.describe_consumer_groups([group], request_timeout=timeout)[group].result(timeout)
    except KafkaException as error:
        raise problem(error, f"group {group}") from None
    return any(member.client_id == client for member in described.members)
