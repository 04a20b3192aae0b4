"""Whether a connection's settings are any, before anything depends on them."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from threathunting.kafka.connection import Connection
from threathunting.kafka.problems import sentence


def check(connection: Connection) -> None:
    """Make a client and connect nowhere. ValueError says which setting, or file of keys, librdkafka doesn't take."""
    try:
        AdminClient(connection.client())
    except (KafkaException, TypeError, ValueError) as error:
        told = sentence(error) if isinstance(error, KafkaException) else str(error)
        raise ValueError(f"the settings in [kafka] can't be used: {told}") from None
