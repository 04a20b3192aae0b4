"""Batches of records in the forms that sensors give them: JSON lines, and dictionaries."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from threathunting.records import ReadReport, Record, Rejected

KEPT_BYTES = 4096
"""Of a rejected line, as many bytes are kept aside."""

_any_json = msgspec.json.Decoder()
_raw_json = msgspec.json.Decoder(msgspec.Raw)


def column_value(value: object) -> str | list[str | None] | None:
    """A field's value as a column has it: a string, a list of strings, or None."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [element for element in value if isinstance(element, str)]
    return None


class DictBatch:
    """Records held as dictionaries: what sensors give that have to make each record anyhow."""

    def __init__(self, log: str, records: list[Record]) -> None:
        """Hold ``records`` of one log."""
        self.log = log
        self._records = records

    def __len__(self) -> int:
        """Number of records."""
        return len(self._records)

    def column(self, name: str) -> Sequence[Any]:
        """See ``records.Batch``."""
        return [column_value(record.get(name)) for record in self._records]

    def values(self, name: str) -> Iterable[Any]:
        """See ``records.Batch``."""
        return self.column(name)

    def record(self, row: int) -> Record:
        """See ``records.Batch``."""
        return self._records[row]

    def raw(self, row: int) -> bytes | None:
        """None: these records were not JSON objects in Zeek's names."""
        return None

    def slim(self) -> _Packed:
        """See ``records.Batch``."""
        return _Packed(self.log, list(map(marshal.dumps, self._records)))


class _Packed:
    """Records packed for a while: a dictionary takes five times as much memory. Unlike JSON it keeps all texts."""

    def __init__(self, log: str, lines: list[bytes]) -> None:
        self.log = log
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def column(self, name: str) -> Sequence[Any]:
        raise LookupError(f"no column {name}: this batch has records only")

    def values(self, name: str) -> Iterable[Any]:
        return self.column(name)

    def record(self, row: int) -> Record:
        record: Record = marshal.loads(self._lines[row])
        return record

    def raw(self, row: int) -> bytes | None:
        return None

    def slim(self) -> _Packed:
        return self


class JsonBatch:
    """JSON lines of one log, of which only the wanted fields are decoded until a row is asked for."""

    def __init__(
        self,
        log: str,
        fields: tuple[str, ...],
        rows: Sequence[Any],
        block: bytes,
        lines: list[bytes] | None = None,
        fixed: dict[int, Record] | None = None,
    ) -> None:
        """Hold ``rows`` of ``block``. ``lines`` are the rows' lines where they are known; ``fixed`` are records
        of lines that had to be repaired.
        """
        self.log = log
        self._index = {name: f"f{number}" for number, name in enumerate(fields)}
        self._rows = rows
        self._block = block
        self._lines = lines
        self._fixed = fixed or {}

    def __len__(self) -> int:
        """Number of records."""
        return len(self._rows)

    def column(self, name: str) -> Sequence[Any]:
        """See ``records.Batch``."""
        return list(map(attrgetter(self._index[name]), self._rows))

    def values(self, name: str) -> Iterable[Any]:
        """See ``records.Batch``."""
        return map(attrgetter(self._index[name]), self._rows)

    def record(self, row: int) -> Record:
        """See ``records.Batch``."""
        if row in self._fixed:
            return self._fixed[row]
        line = self._line(row)
        try:
            record: Record = _any_json.decode(line)
        except (ValueError, RecursionError):
            # Bad UTF-8, a number out of range or too deep an object in a field that nobody looked at.
            try:
                record = repaired(line)
            except ValueError:
                record = {name: getattr(self._rows[row], field, None) for name, field in self._index.items()}
        return record

    def raw(self, row: int) -> bytes | None:
        """The row's JSON object as it stands in the log; None where it had to be repaired or isn't UTF-8."""
        if row in self._fixed:
            return None
        line = self._line(row).strip()
        try:
            line.decode()
        except UnicodeDecodeError:
            return None
        return line

    def slim(self) -> JsonBatch:
        """See ``records.Batch``."""
        lines = self._lines if not self._block else None
        return JsonBatch(self.log, (), range(len(self)), self._block, lines, self._fixed)

    def _line(self, row: int) -> bytes:
        if self._lines is None:
            self._lines = self._block.split(b"\n")
            if self._block.endswith(b"\n"):
                self._lines.pop()
            if len(self._lines) != len(self._rows):
                # Empty lines, or several objects on one: the objects one by one are what the rows were made of.
                self._lines = [bytes(raw) for raw in _raw_json.decode_lines(self._block)]
        return self._lines[row]


@lru_cache(maxsize=256)
def _row_decoder(fields: tuple[str, ...]) -> tuple[Any, Any]:
    """A decoder that reads only these fields of a JSON object, and the struct it makes."""
    names = [f"f{number}" for number in range(len(fields))]
    struct = msgspec.defstruct(
        "Row",
        [(name, str | list[str | None] | None, None) for name in names],
        rename=dict(zip(names, fields, strict=True)),
        gc=False,
    )
    return msgspec.json.Decoder(struct), struct


def json_batch(
    log: str,
    fields: tuple[str, ...],
    block: bytes,
    offset: int,
    path: Path,
    report: ReadReport,
    lines: Iterable[tuple[int, bytes]] | None = None,
) -> JsonBatch:
    """Decode a block of JSON lines; what can't be decoded is counted in the report and left out.

    ``lines`` names the lines and their offsets where they don't simply follow each other in ``block``.
    """
    decoder, struct = _row_decoder(fields)
    try:
        rows = decoder.decode_lines(block)
        report.records += len(rows)
        return JsonBatch(log, fields, rows, block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return _line_by_line(
        log, fields, decoder, struct, _numbered(block, offset) if lines is None else lines, path, report
    )


def _numbered(block: bytes, offset: int) -> list[tuple[int, bytes]]:
    lines = []
    for line in block.split(b"\n"):
        lines.append((offset, line))
        offset += len(line) + 1
    if block.endswith(b"\n"):
        lines.pop()
    return lines


def _line_by_line(
    log: str,
    fields: tuple[str, ...],
    decoder: Any,
    struct: Any,
    lines: Iterable[tuple[int, bytes]],
    path: Path,
    report: ReadReport,
) -> JsonBatch:
    rows: list[Any] = []
    kept: list[bytes] = []
    fixed: dict[int, Record] = {}
    for offset, line in lines:
        if not line.strip():
            continue
        try:
            rows.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            try:
                record = repaired(line)
            except ValueError as error:
                report.reject(Rejected(str(path), offset, str(error), line[:KEPT_BYTES]))
                continue
            report.repaired_records += 1
            fixed[len(rows)] = record
            rows.append(struct(*[column_value(record.get(name)) for name in fields]))
        kept.append(line)
    report.records += len(rows)
    return JsonBatch(log, fields, rows, b"", kept, fixed)


def repaired(line: bytes) -> Record:
    """The record of a line that isn't quite right: bad UTF-8 replaced, NUL bytes around it taken off.

    Raises ValueError with the reason where it is no JSON object even so.
    """
    text = line.strip(b"\x00 \t\r\n")
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode("utf-8", "replace").encode()
    try:
        try:
            record = _any_json.decode(text)
        except msgspec.ValidationError:
            # A number out of range: it becomes infinity.
            record = json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"not a JSON object but {type(record).__name__}")  # noqa: TRY004
    return record
