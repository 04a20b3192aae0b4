"""What shippers put around a Zeek record: Filebeat, Elastic Agent, Logstash.

They hand on the line that Zeek wrote as text in ``event.original`` or ``message``, its fields as an object
``json`` (Filebeat's decoding of JSON without ``keys_under_root``), or its fields among their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from threathunting.records import Record

_ABSENT = msgspec.Raw()

# fmt: off
_OBJECTS = frozenset((
    "agent", "aws", "azure", "cloud", "container", "data_stream", "docker", "ecs", "elastic_agent", "error",
    "event", "fields", "fileset", "gcp", "host", "input", "kubernetes", "labels", "log", "observer",
    "orchestrator", "organization", "process", "related", "service",
))
"""Fields of shippers, that are objects: Zeek has strings under some of the names (``host``, ``service``)."""
# fmt: on

_SHARED = _OBJECTS | {"@timestamp", "@metadata", "@version", "tags"}


class Envelope(msgspec.Struct, gc=False):
    """The fields by which a record in an envelope, and a record without one, are told. Nothing is decoded yet."""

    zeek_path: msgspec.Raw = msgspec.field(default=_ABSENT, name="_path")
    ts: msgspec.Raw = _ABSENT
    timestamp: msgspec.Raw = msgspec.field(default=_ABSENT, name="@timestamp")
    metadata: msgspec.Raw = msgspec.field(default=_ABSENT, name="@metadata")
    agent: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    event: msgspec.Raw = _ABSENT
    json: msgspec.Raw = _ABSENT
    log: msgspec.Raw = _ABSENT

    @property
    def log_name(self) -> str | None:
        """The log that ``_path`` tells."""
        return None if self.zeek_path is _ABSENT else _text(bytes(self.zeek_path))

    @property
    def wraps(self) -> bool:
        """Whether there is something of a shipper's. Zeek's own records have ``message`` and ``event``, too."""
        return (
            self.timestamp is not _ABSENT
            or self.metadata is not _ABSENT
            or (self.ts is _ABSENT and (self.message is not _ABSENT or self.event is not _ABSENT))
        )

    @property
    def bare(self) -> bool:
        """Whether it has neither ``ts`` nor ``_path``."""
        return self.ts is _ABSENT and self.zeek_path is _ABSENT

    @property
    def file(self) -> str | None:
        """The path of the file that the record was read from."""
        return None if self.log is _ABSENT else _file(bytes(self.log))

    def inner(self) -> bytes | None:
        """The record's own JSON; None where its fields stand among the envelope's (see ``merged``)."""
        for raw in (self._original(), self.message):
            if (
                raw is not _ABSENT
                and bytes(raw).startswith(b'"{')
                and (text := _decoded_text(raw)) is not None
            ):
                data = text.encode()
                if self.ts is _ABSENT or self._same_time(data):
                    return data
        if self.json is not _ABSENT and bytes(self.json).startswith(b"{"):
            return bytes(self.json)
        return None

    def _original(self) -> msgspec.Raw:
        if self.event is _ABSENT:
            return _ABSENT
        try:
            return _event_decoder.decode(self.event).original
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _ABSENT

    def _same_time(self, data: bytes) -> bool:
        """Whether a text is the same record as the fields at the root: syslog.log's own ``message`` isn't."""
        try:
            return bytes(_envelope_decoder.decode(data).ts) == bytes(self.ts)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False


class _Event(msgspec.Struct, gc=False):
    original: msgspec.Raw = _ABSENT


class _File(msgspec.Struct, gc=False):
    path: str | None = None


class _Log(msgspec.Struct, gc=False):
    file: _File | None = None


_envelope_decoder = msgspec.json.Decoder(Envelope)
_event_decoder = msgspec.json.Decoder(_Event)
_log_decoder = msgspec.json.Decoder(_Log)
_text_decoder = msgspec.json.Decoder(str)


def _decoded_text(raw: msgspec.Raw | bytes) -> str | None:
    try:
        return _text_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


@lru_cache(maxsize=1024)
def _text(raw: bytes) -> str | None:
    """A short JSON string; None where it is something else."""
    return _decoded_text(raw) or None if len(raw) <= 256 else None


def _file(raw: bytes) -> str | None:
    try:
        log = _log_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return log.file.path if log.file is not None else None


def merged(root: Mapping[str, Any]) -> Record:
    """Zeek's fields among a shipper's; empty where there are none. ``@timestamp`` stands in for a missing ``ts``."""
    record = {
        name: value for name, value in root.items() if name not in _SHARED or not _shippers(name, value)
    }
    if record.keys() <= {"message", "stream"}:
        return {}
    if "ts" not in record and "@timestamp" in root:
        record["ts"] = root["@timestamp"]
    return record


def _shippers(name: str, value: object) -> bool:
    """Whether a field of a name in ``_SHARED`` is the shipper's."""
    if name == "tags":
        # http.log has tags, too; they are values of an enum.
        return not (isinstance(value, list) and all(isinstance(tag, str) and "::" in tag for tag in value))
    return name not in _OBJECTS or isinstance(value, dict)
