"""Where results go: topics, files, or both, as the configuration has it now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from threathunting.hunt.live import Line
from threathunting.hunt.passes import SIGHTINGS
from threathunting.service.config_schema import Output
from threathunting.sinks.append import Appender

ROOM = 2_000
"""Bytes of a Kafka message that are not its value: key, headers, and the record batch around it."""

DEFAULT_LIMIT = 1_048_588
"""Kafka's own default of a topic's ``max.message.bytes``."""

_ASK_AGAIN = 60.0

_decoder = msgspec.json.Decoder()


class Out(NamedTuple):
    """A message to be written."""

    topic: str
    value: bytes
    key: str
    headers: dict[str, str]


class Outputs:
    """Turns lines into messages, and appends them to files.

    A record that is larger than its topic takes (``know_limits``) loses its longest fields, and says so.
    """

    def __init__(self, output: Output) -> None:
        self._kafka = output.kafka
        self._tag = output.format == "zeek"
        self._files = None if output.files is None else Appender(Path(output.files.folder))
        self._limits: dict[str, int] = {}
        self._ask_at = 0.0 if self.topics else float("inf")
        self.cut = 0
        """Messages that were too large and lost fields."""

    @property
    def topic_of(self) -> dict[str, str]:
        """The topics that sightings and investigations go to."""
        if self._kafka is None:
            return {}
        named = {"sightings": self._kafka.sightings, "investigations": self._kafka.investigations}
        return {what: topic for what, topic in named.items() if topic is not None}

    @property
    def topics(self) -> list[str]:
        """The same without what they are for."""
        return list(self.topic_of.values())

    @property
    def folder(self) -> str | None:
        """The folder that results go to."""
        return None if self._files is None else str(self._files.folder)

    def limits_wanted(self) -> bool:
        """Whether somebody should ask for the topics' limits now: once a minute until they are known."""
        now = time.monotonic()
        wanted = now >= self._ask_at
        if wanted:
            self._ask_at = now + _ASK_AGAIN
        return wanted

    def know_limits(self, limits: dict[str, int]) -> None:
        """``max.message.bytes`` of the topics, in bytes."""
        self._limits = limits
        if limits:
            self._ask_at = float("inf")

    def messages(self, lines: Iterable[Line]) -> Iterator[Out]:
        """The messages to be written for these lines, none where no topic is for them."""
        if self._kafka is None:
            return
        for log, key, level, _, data in lines:
            topic = self._kafka.sightings if log == SIGHTINGS else self._kafka.investigations
            if topic is None:
                continue
            value = data
            if self._tag and log != SIGHTINGS and b'"_path":' not in value:
                # In a topic no file's name tells what log a record is of.
                value = b'%b,"_path":"%b"}' % (value[:-1], log.encode("utf-8", "replace"))
            limit = self._limits.get(topic, DEFAULT_LIMIT) - ROOM
            if len(value) > limit:
                value = fitted(value, limit)
                self.cut += 1
            yield Out(topic, value, key, {"log": log, "level": level})

    def append(self, lines: Sequence[Line]) -> None:
        """Append the lines to files, where there are to be any. Raises OSError."""
        if self._files is None:
            return
        by_log: dict[str, list[bytes]] = {}
        for line in lines:
            by_log.setdefault(line.log, []).append(line.data)
        for log, data in by_log.items():
            self._files.write(log, data)

    def sync(self) -> None:
        """Return once what was appended is on the disk. Raises OSError."""
        if self._files is not None:
            self._files.sync()

    def close(self) -> None:
        """Close the files."""
        if self._files is not None:
            self._files.close()


def fitted(value: bytes, limit: int) -> bytes:
    """A JSON object without its longest fields, so that it is at most ``limit`` bytes; it names them.

    Intel and ids are kept as long as can be: they are what an analyst needs to find the rest.
    """
    record: dict[str, Any] = _decoder.decode(value)
    sizes = {name: len(msgspec.json.encode(inner)) for name, inner in record.items()}
    # Unless it is the intel that leaves no room.
    kept_longest = {name for name in ("intel", "threat.enrichments") if sizes.get(name, 0) < limit // 2}
    cut: list[str] = []
    for name in sorted(sizes, key=lambda name: (name in kept_longest, -sizes[name])):
        if len(msgspec.json.encode(record)) <= limit:
            break
        del record[name]
        cut.append(name)
        record["threathunting_truncated"] = cut
    return msgspec.json.encode(record)
