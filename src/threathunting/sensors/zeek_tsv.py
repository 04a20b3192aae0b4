"""Zeek logs in the tab-separated form of its ASCII writer (base/frameworks/logging/writers/ascii.zeek)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from threathunting.records import Batch, ReadReport, Record, Rejected, Wanted
from threathunting.sensors.batches import KEPT_BYTES, column_value
from threathunting.sensors.lines import WHOLE, Span, blocks

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Header:
    """What the ``#`` lines of a log say. It may change within a file that was put together from several."""

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str | None = None
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def read(self, line: str) -> Header:
        """The header after one more ``#`` line; lines that say nothing of the form change nothing."""
        if line.startswith("#separator "):
            return replace(
                self, separator=unescaped(line.removeprefix("#separator ").rstrip("\r"), whole=True) or "\t"
            )
        name, _, rest = line.rstrip("\r").partition(self.separator)
        values = tuple(rest.split(self.separator)) if rest else ()
        match name:
            case "#fields":
                return replace(self, fields=values, types=())
            case "#types":
                return replace(self, types=values)
            case "#set_separator":
                return replace(self, set_separator=unescaped(rest, whole=True) or ",")
            case "#empty_field":
                return replace(self, empty=rest)
            case "#unset_field":
                return replace(self, unset=rest)
            case "#path":
                return replace(self, path=rest.removesuffix("-investigation"))
        return self


@dataclass(frozen=True)
class TsvForm:
    """A Zeek log in TSV: its first header, and its log's name for where no ``#path`` tells it."""

    header: Header
    log: str


def header_of(text: bytes) -> Header | None:
    """The header that the first lines of a file give, or None where they are no Zeek header."""
    header = Header()
    for line in text.decode("utf-8", "replace").lstrip("\ufeff").split("\n"):
        if not line.startswith("#"):
            break
        header = header.read(line)
    return header if header.fields else None


def unescaped(text: str, *, whole: bool = False) -> str:
    r"""Undo the writer's ``\xHH``, but for bytes that JSON logs show as ``\xHH`` too, so that both forms agree."""

    def byte(match: re.Match[str]) -> str:
        code = int(match.group(1), 16)
        return chr(code) if whole or 0x20 <= code < 0x7F or code in (8, 9, 10, 12, 13) else match.group(0)

    return _ESCAPE.sub(byte, text)


class TsvReader:
    """Reads blocks of lines of a Zeek log in TSV, one after the other, as the header may change in between.

    ``header`` is the one in force where the next block begins. ``log`` is the log's name where no ``#path``
    tells it.
    """

    def __init__(self, header: Header, log: str) -> None:
        """Begin with ``header``."""
        self.header = header
        self.log = log

    def read(self, block: bytes, offset: int, path: Path, report: ReadReport) -> Iterator[Batch]:
        """The records of a block that begins at ``offset`` of ``path``."""
        header = self.header
        try:
            text = block.decode()
        except UnicodeDecodeError:
            # The line ends stay where they are, so that lines and their bytes can be told together below.
            text = block.decode("utf-8", "backslashreplace")
            report.repaired_records += sum(1 for line in block.split(b"\n") if not _is_utf8(line))
        rows: list[list[str]] = []
        batch = _TsvBatch(header.path or self.log, header, rows)
        at = offset
        raw_lines = None if len(text) == len(block) else block.split(b"\n")
        lines = text.split("\n")
        last = len(lines) - 1
        for number, line in enumerate(lines):
            here = at
            at += (len(line) if raw_lines is None else len(raw_lines[number])) + 1
            if line.startswith("#"):
                if rows:
                    yield batch
                self.header = header = header.read(line)
                rows = []
                batch = _TsvBatch(header.path or self.log, header, rows)
            elif line.strip("\r\x00 "):
                values = line.rstrip("\r").split(header.separator)
                if len(values) == len(header.fields):
                    rows.append(values)
                    report.records += 1
                elif number == last:
                    report.unfinished += 1
                else:
                    reason = (
                        f"{len(values)} values where #fields names {len(header.fields)}"
                        if header.fields
                        else "a line before any #fields"
                    )
                    report.reject(
                        Rejected(str(path), here, reason, line.encode("utf-8", "replace")[:KEPT_BYTES])
                    )
        if rows:
            yield batch


@dataclass(frozen=True)
class TsvLog:
    """A Zeek log in TSV, or a part of one. See ``records.Unit``.

    ``header`` is the one in force where the span begins. ``log`` is the log's name where no ``#path`` tells it.
    """

    file: Path
    size: int
    log: str
    header: Header = field(default_factory=Header)
    span: Span = WHOLE

    @property
    def path(self) -> str:
        """See ``records.Unit``."""
        return str(self.file)

    def logs(self) -> frozenset[str] | None:
        """See ``records.Unit``."""
        return None if self.header.path is None else frozenset({self.header.path})

    def batches(self, wanted: Wanted, report: ReadReport) -> Iterator[Batch]:
        """See ``records.Unit``."""
        reader = TsvReader(self.header, self.log)
        for offset, block in blocks(self.file, self.span, report):
            report.bytes += len(block)
            yield from reader.read(block, offset, self.file, report)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _TsvBatch:
    def __init__(self, log: str, header: Header, rows: Sequence[list[str]]) -> None:
        self.log = log
        self.header = header
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, name: str) -> Iterable[Any]:
        return self.column(name)

    def column(self, name: str) -> Sequence[Any]:
        try:
            at = self.header.fields.index(name)
        except ValueError:
            return [None] * len(self.rows)
        header = self.header
        unset, empty = header.unset, header.empty
        texts = [row[at] for row in self.rows]
        if _kind(header, at) not in _SCALARS and not _is_list(_kind(header, at)):
            return [
                None
                if text == unset
                else text
                if "\\x" not in text and text != empty
                else _string(text, header)
                for text in texts
            ]
        convert = _converter(header, at)
        return [None if text == unset else column_value(convert(text)) for text in texts]

    def slim(self) -> _TsvBatch:
        return _TsvBatch(self.log, self.header, _JoinedRows(self.rows, self.header.separator))

    def record(self, row: int) -> Record:
        header = self.header
        record: Record = {}
        for at, (name, text) in enumerate(zip(header.fields, self.rows[row], strict=True)):
            if text != header.unset:
                record[name] = _converter(header, at)(text)
        return record

    def raw(self, row: int) -> bytes | None:
        return None


class _JoinedRows(Sequence[list[str]]):
    """Rows as one text each, cut into values again when asked for."""

    def __init__(self, rows: Sequence[list[str]], separator: str) -> None:
        self._separator = separator
        self._rows = [separator.join(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        return self._rows[row].split(self._separator)


def _kind(header: Header, at: int) -> str:
    return header.types[at] if at < len(header.types) else "string"


def _is_list(kind: str) -> bool:
    return kind.startswith(("set[", "vector["))


def _converter(header: Header, at: int) -> Callable[[str], Any]:
    """How the text of a field becomes a value, by its Zeek type; what doesn't fit its type stays text."""
    kind = _kind(header, at)
    if _is_list(kind):
        element = _SCALARS.get(kind[kind.index("[") + 1 : -1], _string)
        return lambda text: (
            []
            if text == header.empty
            else [element(part, header) for part in text.split(header.set_separator) if part != header.unset]
        )
    scalar = _SCALARS.get(kind, _string)
    return lambda text: scalar(text, header)


def _string(text: str, header: Header) -> str:
    if text == header.empty:
        return ""
    return unescaped(text) if "\\x" in text else text


def _integer(text: str, header: Header) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _real(text: str, header: Header) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _flag(text: str, header: Header) -> bool | str:
    return text == "T" if text in ("T", "F") else text


_SCALARS: dict[str, Callable[[str, Header], Any]] = {
    "count": _integer,
    "int": _integer,
    "port": _integer,
    "double": _real,
    "time": _real,
    "interval": _real,
    "bool": _flag,
}
