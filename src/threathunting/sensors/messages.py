"""Values of Kafka messages as batches: Zeek's records as zeek-kafka, Zeek's JSON writer and shippers send them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import msgspec

from threathunting.records import Batch, ReadReport, Record, Wanted
from threathunting.sensors.batches import json_batch, repaired
from threathunting.sensors.envelopes import Envelope, merged
from threathunting.sensors.log_names import UNKNOWN, from_fields, from_file_name, from_first_words
from threathunting.sensors.zeek_json import fields_wanted, flat

NOT_TAGS = frozenset({"agent", "event", "fields", "id", "json", "log", "message", "meta"})
"""Names of objects in records and in what shippers put around them: never the tag of a message."""

_TAG = re.compile(rb'\{\s*"([A-Za-z][A-Za-z0-9_.\-]{0,63})"\s*:\s*')
_TAG_BYTES = 80
"""Within so many bytes the record of a tagged message begins."""

_NO_FILE = Path()
_envelopes = msgspec.json.Decoder(Envelope)
_encode = msgspec.json.Encoder().encode


class Rows(NamedTuple):
    """A batch, and for each of its rows the place of its message among the values."""

    batch: Batch
    messages: Sequence[int]


class Refused(NamedTuple):
    """A value that gave no record: its place among the values, and why."""

    message: int
    reason: str


@dataclass
class Decoded:
    """What some messages gave: each stands once in ``rows`` or once in ``refused``."""

    rows: list[Rows] = field(default_factory=list)
    """One or a few batches a log; within each the messages are in order."""
    refused: list[Refused] = field(default_factory=list)
    repaired: int = 0
    """Records hunted without a field (wrong type) or with replaced characters (bad UTF-8)."""


def decode(values: Sequence[bytes | None], wanted: Wanted, topic_log: str | None = None) -> Decoded:
    """Read the values of messages; bad ones are refused with a reason, and nothing is raised.

    Understood are zeek-kafka's tagged form ``{"conn": {...}}``, a record of Zeek's JSON writer, and what
    Filebeat, Elastic Agent and Logstash make of it (see ``envelopes``). A record's log is told by its tag,
    else by ``_path``, else by ``topic_log``, else by the name of the file that Filebeat read, else by its
    fields. Objects in a record (``{"id": {"orig_h": ...}}``) become Zeek's flat names.
    """
    decoding = _Decoding(values, wanted, topic_log)
    decoding.run()
    return decoding.done


class _Lines:
    """Records' JSON, and the message that each is of. Two lists are faster than one of pairs."""

    __slots__ = ("data", "messages")

    def __init__(self) -> None:
        self.messages: list[int] = []
        self.data: list[bytes] = []

    def add(self, message: int, data: bytes) -> None:
        self.messages.append(message)
        self.data.append(data)


class _Decoding:
    def __init__(self, values: Sequence[bytes | None], wanted: Wanted, topic_log: str | None) -> None:
        self.done = Decoded()
        self._values = values
        self._wanted = wanted
        self._known = frozenset(wanted)
        self._topic_log = topic_log
        self._tagged: dict[str, _Lines] = {}
        self._sorted: dict[str, _Lines] = {}

    def run(self) -> None:
        plain = _Lines()
        self._by_tag(plain)
        for log, lines in self._tagged.items():
            self._decode(log, lines, plain)
        if plain.data:
            self._sort(plain)
        for log, lines in self._sorted.items():
            self._decode(log, lines, None)

    # By tag

    def _by_tag(self, plain: _Lines) -> None:
        """Sort the tagged messages by their tags. The rest of each must turn out to be one object when decoded."""
        known: dict[bytes, _Lines] = {}
        for message, value in enumerate(self._values):
            if not value:
                self._refuse(message, "an empty message")
                continue
            at = value.find(b"{", 1, _TAG_BYTES)
            if at > 0 and value.endswith(b"}}"):
                prefix = value[:at]
                lines = known.get(prefix)
                if lines is None and (tag := _TAG.fullmatch(prefix)) is not None:
                    log = tag[1].decode()
                    if log not in NOT_TAGS:
                        lines = known[prefix] = self._tagged.setdefault(log, _Lines())
                if lines is not None:
                    lines.messages.append(message)
                    lines.data.append(value[at:-1])
                    continue
            plain.add(message, value.strip())

    # By what they say themselves

    def _sort(self, plain: _Lines) -> None:
        envelopes = _decoded_together(plain.data)
        for number, (message, data) in enumerate(zip(plain.messages, plain.data, strict=True)):
            envelope = _decoded(data) if envelopes is None else envelopes[number]
            if envelope is None:
                self._repair(message, data)
            elif envelope.wraps:
                self._unwrap(message, data, envelope)
            else:
                self._name(message, data, envelope, None)

    def _unwrap(self, message: int, data: bytes, outer: Envelope) -> None:
        inner = outer.inner()
        if inner is not None:
            envelope = _decoded(inner)
            if envelope is None:
                self._repair(message, inner, outer.file)
            else:
                self._name(message, inner, envelope, outer.file)
        elif (root := self._record(message, data)) is not None:
            record = merged(root)
            if record:
                self._name(message, _encode(record), outer, outer.file)
            else:
                self._refuse(
                    message, "no record of Zeek's: neither message, event.original nor json hold one"
                )

    def _repair(self, message: int, data: bytes, file: str | None = None) -> None:
        record = self._record(message, data)
        if record is not None:
            self.done.repaired += 1
            data = _encode(record)
            self._name(message, data, _envelopes.decode(data), file)

    def _name(self, message: int, data: bytes, envelope: Envelope, file: str | None) -> None:
        """Sort a record by its log."""
        log = envelope.log_name
        if log is None and envelope.bare:
            # It may bear a tag in a form that the quick look didn't know.
            record = self._record(message, data)
            if record is None:
                return
            if (tagged := _tagged(record)) is not None:
                log, data = tagged[0], _encode(tagged[1])
        log = log or self._topic_log or (_log_of(file, self._known) if file else None)
        if log is None:
            record = self._record(message, data)
            if record is None:
                return
            log = from_fields(flat(record))
            if log == UNKNOWN and "event_type" in record and "timestamp" in record:
                self._refuse(
                    message, "an event of Suricata's EVE, which is read from files and not from topics"
                )
                return
            if log == UNKNOWN and file:
                log = from_file_name(file) or UNKNOWN
        lines = self._sorted.get(log)
        if lines is None:
            lines = self._sorted[log] = _Lines()
        lines.add(message, data)

    def _record(self, message: int, data: bytes) -> Record | None:
        """The whole record; None, and the message refused, where there is none."""
        try:
            return repaired(data)
        except ValueError as error:
            self._refuse(message, str(error))
            return None

    def _refuse(self, message: int, reason: str) -> None:
        self.done.refused.append(Refused(message, reason))

    # Into batches

    def _decode(self, log: str, lines: _Lines, plain: _Lines | None) -> None:
        """Decode the records of a log together. What fails is read again as one of ``plain``, if that is given."""
        block = b"\n".join(lines.data)
        if block.count(b"{") > len(lines.data):
            lines.data = [_flattened(data) if data.count(b"{") > 1 else data for data in lines.data]
            block = b"\n".join(lines.data)
        report = _AllRejected()
        fields = fields_wanted(self._wanted, log)
        batch = json_batch(log, fields, block, 0, _NO_FILE, report, enumerate(lines.data))
        good = [True] * len(lines.data)
        if len(batch) + len(report.rejected) > len(good):
            # Several objects in one message: which row is of which isn't known.
            good = [False] * len(good)
        for rejected in report.rejected:
            good[rejected.offset] = False
            if plain is None:
                self._refuse(lines.messages[rejected.offset], rejected.reason)
        if plain is not None and not all(good):
            for message in compress(lines.messages, [not is_good for is_good in good]):
                plain.add(message, (self._values[message] or b"").strip())
        if any(good):
            self.done.repaired += report.repaired_records
            self.done.rows.append(Rows(batch, list(compress(lines.messages, good))))


class _AllRejected(ReadReport):
    KEEP = sys.maxsize


def _decoded(data: bytes) -> Envelope | None:
    try:
        return _envelopes.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _tagged(record: Record) -> tuple[str, Record] | None:
    """The tag and the record of a tagged message, with what zeek-kafka's additional_message_values put beside it."""
    inside = [(name, value) for name, value in record.items() if isinstance(value, dict)]
    if len(inside) != 1 or inside[0][0] in NOT_TAGS:
        return None
    tag, found = inside[0]
    beside = {name: value for name, value in record.items() if name != tag}
    if beside and not ("ts" in found and "ts" not in beside):
        return None
    return tag, beside | found


def _decoded_together(lines: list[bytes]) -> list[Envelope] | None:
    """An envelope for each line; None where they have to be decoded one by one."""
    # An object begins and ends on one line then: together they can only be as many if each line is one object.
    if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return None
    try:
        found = _envelopes.decode_lines(b"\n".join(lines))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if len(found) == len(lines) else None


def _flattened(data: bytes) -> bytes:
    """A record in Zeek's flat names; the same bytes where it has them already, or is none."""
    # Within a text the quote would be escaped, which looks alike.
    if b'":{' not in data and b'": {' not in data:
        return data
    try:
        record = repaired(data)
    except ValueError:
        return data
    return _encode(flat(record)) if any(isinstance(value, dict) for value in record.values()) else data


@lru_cache(maxsize=4096)
def _log_of(file: str, known: frozenset[str]) -> str | None:
    """The known log that a file's name tells."""
    name = from_file_name(file)
    return name if name in known else from_first_words(file, known)
