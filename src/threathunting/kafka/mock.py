"""A broker inside this process, for demonstrations: librdkafka's own mock of a Kafka cluster."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

# Importing it loads librdkafka, whether it came with the package or from the system.
import confluent_kafka

CONTROLLER = 0
"""The mock names broker 0 as its controller, but begins to count its brokers at 1."""

_MAPS = Path("/proc/self/maps")
_PRODUCER = 0
_TEXT = 512


class EmbeddedBroker:
    """``with EmbeddedBroker({"intelligence": 1}) as address``: topics by name with their partitions, on loopback.

    It speaks Kafka's protocol to clients of this and other processes, holds all in memory, and keeps nothing:
    no topics' settings, no offsets of transactions, no data when it ends. OSError where there is no librdkafka
    of at least 2.10.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = dict(topics)
        self._client: int | None = None
        self._library = _librdkafka()

    def __enter__(self) -> str:
        library, reason = self._library, ctypes.create_string_buffer(_TEXT)
        settings = library.rd_kafka_conf_new()
        for setting, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", b"0")):
            if library.rd_kafka_conf_set(settings, setting, value, reason, _TEXT):
                raise OSError(f"no embedded broker: {reason.value.decode(errors='replace')}")
        self._client = library.rd_kafka_new(_PRODUCER, settings, reason, _TEXT)
        if self._client is None:
            raise OSError(f"no embedded broker: {reason.value.decode(errors='replace')}")
        cluster = library.rd_kafka_handle_mock_cluster(self._client)
        failed = library.rd_kafka_mock_broker_add(cluster, CONTROLLER)
        for name, partitions in self._topics.items():
            failed = failed or library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        if failed:
            self.close()
            raise OSError(f"no embedded broker: librdkafka's error {failed}")
        address: bytes = library.rd_kafka_mock_cluster_bootstraps(cluster)
        return address.decode()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, with all that it holds."""
        if self._client is not None:
            self._library.rd_kafka_destroy(self._client)
            self._client = None


def _librdkafka() -> ctypes.CDLL:
    """The library that confluent_kafka has loaded; its mock cluster has no interface in Python."""
    path = next((line.split()[-1] for line in _MAPS.read_text().splitlines() if "librdkafka" in line), None)
    if path is None:
        raise OSError("no embedded broker: confluent_kafka runs without a librdkafka of its own file")
    library = ctypes.CDLL(path)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    try:
        for name, result, arguments in (
            ("rd_kafka_conf_new", pointer, []),
            ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
            ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
            ("rd_kafka_destroy", None, [pointer]),
            ("rd_kafka_handle_mock_cluster", pointer, [pointer]),
            ("rd_kafka_mock_broker_add", number, [pointer, ctypes.c_int32]),
            ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
            ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError:
        version = confluent_kafka.libversion()[0]
        raise OSError(f"the embedded broker needs librdkafka 2.10, and this is {version}") from None
    return library
