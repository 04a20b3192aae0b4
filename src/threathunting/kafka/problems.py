"""What librdkafka and the broker say, as one sentence for a person."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException

_NO_TOPIC = "the topic does not exist; create it, or let 'threathunting intel push --create-topics' do it"
_TAKEN_OVER = "the broker gave our transaction up, or another instance of our service.name took it over"

_HINTS = {
    KafkaError._ALL_BROKERS_DOWN: "no broker can be reached",
    KafkaError._TRANSPORT: "the connection to a broker failed",
    KafkaError._TIMED_OUT: "no broker answered in time",
    KafkaError._AUTHENTICATION: "the broker refused who we say we are; look at sasl, username and password",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refused who we say we are; look at username and password",
    KafkaError._SSL: "TLS with the broker failed; look at tls, ca, certificate and key",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "we may not use this topic; its ACLs don't allow it",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "we may not use this consumer group; its ACLs don't allow it",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "we may not write in transactions; the ACLs don't allow it",
    KafkaError.UNKNOWN_TOPIC_OR_PART: _NO_TOPIC,
    KafkaError._UNKNOWN_TOPIC: _NO_TOPIC,
    KafkaError._UNKNOWN_PARTITION: "the topic has no such partition",
    KafkaError._FENCED: _TAKEN_OVER,
    KafkaError.PRODUCER_FENCED: _TAKEN_OVER,
    KafkaError.INVALID_PRODUCER_EPOCH: _TAKEN_OVER,
    KafkaError.MSG_SIZE_TOO_LARGE: "a message is larger than the topic's max.message.bytes",
    KafkaError.INVALID_RECORD: "the topic refuses messages without key, as it is compacted",
    KafkaError.KAFKA_STORAGE_ERROR: "the broker can't write to its disk",
    KafkaError.NOT_ENOUGH_REPLICAS: "too few replicas are in sync",
}


_NAMED = re.compile(r"([A-Za-z0-9._-]{1,249}) \[\d+\]: ")
"""How librdkafka begins what it says of a partition."""

_silent = logging.getLogger(f"{__name__}.silent")
_silent.propagate = False
_silent.addHandler(logging.NullHandler())


def without_noise(settings: Mapping[str, object]) -> dict[str, Any]:
    """What keeps librdkafka from writing fatal errors to standard error, where ``settings`` don't ask for its log.

    They are raised as well, and told in a sentence.
    """
    return {} if {"log_level", "debug"} & settings.keys() else {"logger": _silent}


def sentence(error: KafkaError | KafkaException, about: str = "") -> str:
    """``Kafka: <about>: <what is wrong> (<Kafka's own name of it>)``."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else error
    if not isinstance(found, KafkaError):
        return f"Kafka: {about + ': ' if about else ''}{found}"
    if not about and (named := _NAMED.match(found.str())) is not None:
        about = f"topic {named[1]}"
    told = _HINTS.get(found.code()) or found.str()
    return f"Kafka: {about + ': ' if about else ''}{told} ({found.name()})"


def problem(error: KafkaError | KafkaException, about: str = "") -> ConnectionError:
    """The same as an exception that the rest of the program knows."""
    return ConnectionError(sentence(error, about))


def code_of(error: KafkaError | KafkaException) -> int:
    """Kafka's number of an error."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return int(found.code()) if isinstance(found, KafkaError) else KafkaError.UNKNOWN
