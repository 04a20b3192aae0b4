"""Zeek logs in JSON: one log a file, or several in one stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from threathunting.records import Batch, ReadReport, Record, Rejected, Wanted
from threathunting.sensors.batches import KEPT_BYTES, DictBatch, json_batch, repaired
from threathunting.sensors.lines import WHOLE, Span, blocks
from threathunting.sensors.log_names import from_fields


class _Path(msgspec.Struct, gc=False):
    path: str | None = msgspec.field(default=None, name="_path")


_path_decoder = msgspec.json.Decoder(_Path)
_any_decoder = msgspec.json.Decoder()

_DEEPEST = 16


def fields_wanted(wanted: Wanted, log: str) -> tuple[str, ...]:
    """The fields of a log whose columns are wanted."""
    return tuple(wanted.get(log, wanted.get("*", ())))


@dataclass(frozen=True)
class JsonForm:
    """How the lines of a Zeek log in JSON are to be read.

    ``log`` is the log's name where the whole file is of one; else each record tells: by ``_path``
    (``by_path``), or by its fields, and by ``fallback`` where these say nothing. ``nested`` is for streams that
    made objects of Zeek's dotted names (``{"id": {"orig_h": ...}}``).
    """

    log: str | None
    by_path: bool = False
    nested: bool = False
    fallback: str = "unknown"

    def read(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport
    ) -> Iterator[Batch]:
        """The records of a block of lines that begins at ``offset`` of ``path``.

        A line without an end, which can only be alone, is read if it is whole.
        """
        if not block.endswith(b"\n") and not _whole(block):
            report.unfinished += 1
        elif self.nested:
            yield from self._nested(block, offset, path, report)
        elif self.log is not None:
            yield json_batch(self.log, fields_wanted(wanted, self.log), block, offset, path, report)
        else:
            yield from self._mixed(block, offset, path, wanted, report)

    def _mixed(
        self, block: bytes, offset: int, path: Path, wanted: Wanted, report: ReadReport
    ) -> Iterator[Batch]:
        by_log: dict[str, list[tuple[int, bytes]]] = {}
        names = self._names(block) if self.by_path else None
        number = 0
        for line in block.split(b"\n"):
            if line.strip():
                log = names[number] if names is not None else self._name(line)
                number += 1
                by_log.setdefault(log or self.fallback, []).append((offset, line))
            offset += len(line) + 1
        for log, lines in by_log.items():
            joined = b"\n".join(line for _, line in lines)
            yield json_batch(log, fields_wanted(wanted, log), joined, 0, path, report, lines)

    def _names(self, block: bytes) -> list[str | None] | None:
        """Each line's ``_path``; None where the block has lines that make it hard to tell."""
        try:
            names = [row.path for row in _path_decoder.decode_lines(block)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return names if len(names) == block.count(b"\n") + (not block.endswith(b"\n")) else None

    def _name(self, line: bytes) -> str:
        try:
            record = repaired(line)
        except ValueError:
            return self.fallback
        path = record.get("_path")
        if isinstance(path, str):
            return path
        found = from_fields(record)
        return self.fallback if found == "unknown" else found

    def _nested(self, block: bytes, offset: int, path: Path, report: ReadReport) -> Iterator[Batch]:
        by_log: dict[str, list[Record]] = {}
        for line in block.split(b"\n"):
            if line.strip():
                try:
                    record = flat(repaired(line))
                except ValueError as error:
                    report.reject(Rejected(str(path), offset, str(error), line[:KEPT_BYTES]))
                else:
                    name = record.get("_path")
                    log = self.log or (name if isinstance(name, str) else from_fields(record))
                    by_log.setdefault(self.fallback if log == "unknown" else log, []).append(record)
            offset += len(line) + 1
        for log, records in by_log.items():
            report.records += len(records)
            yield DictBatch(log, records)


@dataclass(frozen=True)
class JsonLog:
    """A Zeek log in JSON, or a part of one. See ``records.Unit``."""

    file: Path
    size: int
    form: JsonForm
    span: Span = WHOLE

    @property
    def path(self) -> str:
        """See ``records.Unit``."""
        return str(self.file)

    def logs(self) -> frozenset[str] | None:
        """See ``records.Unit``."""
        return None if self.form.log is None else frozenset({self.form.log})

    def batches(self, wanted: Wanted, report: ReadReport) -> Iterator[Batch]:
        """See ``records.Unit``."""
        for offset, block in blocks(self.file, self.span, report):
            report.bytes += len(block)
            yield from self.form.read(block, offset, self.file, wanted, report)


def flat(record: dict[str, Any], prefix: str = "") -> Record:
    """Zeek's flat names from nested objects: ``{"id": {"orig_h": x}}`` becomes ``{"id.orig_h": x}``.

    Names of more than ``_DEEPEST`` parts are no log's; what is nested deeper stays as it is.
    """
    found: Record = {}
    for name, value in record.items():
        if isinstance(value, dict) and prefix.count(".") < _DEEPEST:
            found.update(flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


def _whole(line: bytes) -> bool:
    """Whether a last line without an end is a whole JSON value."""
    try:
        _any_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
