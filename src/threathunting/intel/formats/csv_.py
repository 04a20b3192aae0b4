"""CSV with a header: columns by their usual names. Exports of abuse.ch, MISP, OTX, and handmade sheets."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from threathunting.intel import canonical
from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._csv_rows import is_comment, rows, split
from threathunting.intel.formats._lines import text_lines
from threathunting.intel.formats._shape import Shape, shape
from threathunting.intel.formats._tell import Teller
from threathunting.intel.formats._type_names import TYPE_OF_NAME, squeezed, typed
from threathunting.intel.types import IndicatorType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VALUE_COLUMNS = _words(
    "ioc iocvalue indicator indicatorvalue value observable observablevalue attributevalue"
)
TYPE_COLUMNS = _words("type ioctype indicatortype observabletype valuetype attributetype")
META_COLUMNS = {
    "desc": "description desc comment comments note notes context threat malwareprintable malware"
    " malwarefamily listingreason reason signature threattype title info eventinfo",
    "source": "source sourcename feed feedname provider",
    "level": "level severity threatlevel risk risklevel priority criticality",
    "confidence": "confidence confidencelevel",
    "tags": "tags tag labels label attributetag",
    "expire": "expire ttl",
    "valid_until": "validuntil expires expiresat expireat expiry expirydate expiration expirationdate",
    "id": "id iocid uuid indicatorid attributeuuid phishid",
    "url": "reference references referenceurl ref externalreference urlhauslink phishdetailurl link",
}
"""Squeezed names of the columns that tell of an indicator, by our name in ``meta``; the first set counts."""

_NO_VALUE_COLUMNS = _words(
    "name file user useraccount username account accountname login network sender mail"
)
"""Names of types that, as the name of a column, tell of something else."""

_TYPED_COLUMNS = {name: type for name, type in TYPE_OF_NAME.items() if name not in _NO_VALUE_COLUMNS}
_KNOWN_COLUMNS = frozenset(
    (*VALUE_COLUMNS, *TYPE_COLUMNS, *_TYPED_COLUMNS, *_words(" ".join(META_COLUMNS.values())))
)
_UNSET = frozenset(("", "-", "none", "null", "n/a", "na", "nan"))
_LEVELS = {"info": "low", "informational": "low", "moderate": "medium", "med": "medium", "severe": "high"}
_CONFIDENCES = {"none": "0", "low": "15", "med": "50", "medium": "50", "high": "85"}
"""The middle of each step, STIX 2.1, appendix A, "None / Low / Med / High"."""

_DELIMITERS = ",;\t|"
_FALSE = frozenset(("0", "false", "no", "f"))


@dataclass(frozen=True)
class _Header:
    """Where what stands, as indexes of columns."""

    delimiter: str
    width: int
    value: int | None
    """The column of indicators of every type, where there is one."""
    type: int | None
    typed: tuple[tuple[int, IndicatorType], ...]
    """Columns whose name tells the type of their indicators."""
    meta: tuple[tuple[str, tuple[int, ...]], ...]
    to_ids: int | None


def looks_like(name: str, head: bytes) -> bool:
    """Whether the first line, or the last comment before it, is a header with a column of indicators."""
    if b"\0" in head:
        return False
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    return _find_header(iter(enumerate(text.splitlines(), 1)))[0] is not None


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every row below the header.

    A row may have several indicators. What only tells of another one is not armed: the host and address
    beside a URL, and the file name beside a hash.
    """
    teller = Teller(context)
    lines = text_lines(stream, context)
    header, ahead = _find_header(lines)
    if header is None:
        yield teller.refuse(
            0, "has no header with a column of indicators (ioc, indicator, value, url, ip ...)"
        )
        return
    for row in rows(chain(ahead, lines), header.delimiter, context):
        if isinstance(row, Refusal):
            yield row
        else:
            yield from _told(row[0], row[1], header, teller, context)


def _find_header(
    lines: Iterator[tuple[int, str] | Refusal],
) -> tuple[_Header | None, Sequence[tuple[int, str] | Refusal]]:
    """The header and what was read after it. abuse.ch makes it a comment, so the last comment counts."""
    commented: str | None = None
    refused: list[tuple[int, str] | Refusal] = []
    for line in lines:
        if isinstance(line, Refusal):
            refused.append(line)
            continue
        text = line[1]
        if not text.strip():
            continue
        if is_comment(text):
            commented = text.lstrip().lstrip("#").strip()
            continue
        if commented is not None and (header := _header(commented)) is not None:
            first = _split_or_none(text, header.delimiter)
            if header.width > 1 and first is not None and len(first) == header.width:
                return header, [*refused, line]
        return _header(text), refused
    return (_header(commented) if commented is not None and _width(commented) > 1 else None), refused


def _width(text: str) -> int:
    header = _header(text)
    return header.width if header is not None else 0


def _split_or_none(text: str, delimiter: str) -> list[str] | None:
    try:
        return split([text], delimiter)
    except csv.Error:
        return None


def _header(text: str) -> _Header | None:
    """The header that a line is, or None where no column holds indicators, or the line itself does."""
    best: _Header | None = None
    for delimiter in _DELIMITERS:
        fields = _split_or_none(text, delimiter)
        if not fields or any(squeezed(field) not in _KNOWN_COLUMNS and _is_told(field) for field in fields):
            continue
        if found := _columns([squeezed(field) for field in fields], delimiter):
            best = found if best is None or found.width > best.width else best
    return best


def _is_told(field: str) -> bool:
    try:
        shape(field)
    except ValueError:
        return False
    return True


def _columns(names: list[str], delimiter: str) -> _Header | None:
    def first(usual: Sequence[str]) -> int | None:
        return next((names.index(name) for name in usual if name in names), None)

    value = first(VALUE_COLUMNS)
    by_type: tuple[tuple[int, IndicatorType], ...] = ()
    if value is None:
        by_type = tuple((i, _TYPED_COLUMNS[name]) for i, name in enumerate(names) if name in _TYPED_COLUMNS)
        if not by_type:
            return None
        if "listingreason" in names:
            # abuse.ch SSLBL: its SHA-1s are those of certificates.
            certs = {IndicatorType.FILE_HASH: IndicatorType.CERT_HASH}
            by_type = tuple((i, certs.get(type, type)) for i, type in by_type)
    meta = tuple(
        (ours, found)
        for ours, usual in META_COLUMNS.items()
        if (found := tuple(names.index(name) for name in usual.split() if name in names))
    )
    return _Header(delimiter, len(names), value, first(TYPE_COLUMNS), by_type, meta, first(("toids",)))


def _told(
    number: int, row: list[str], header: _Header, teller: Teller, context: Context
) -> Iterator[Told | Refusal]:
    text = header.delimiter.join(row)
    if len(row) > header.width and any(row[header.width :]):
        yield teller.refuse(number, f"has {len(row)} columns, the header {header.width}", text)
        return
    row += [""] * (header.width - len(row))
    if header.to_ids is not None and row[header.to_ids].lower() in _FALSE and not context.all_attributes:
        yield teller.refuse(number, "to_ids is false", text)
        return
    shapes: list[Shape] = []
    try:
        if header.value is not None:
            value = row[header.value]
            if not _is_set(value):
                raise ValueError("has no indicator")  # noqa: TRY301
            type_name = row[header.type] if header.type is not None else ""
            shapes = typed(type_name, value) if _is_set(type_name) else [shape(value)]
        else:
            told = [_in_column(type, row[i]) for i, type in header.typed if _is_set(row[i])]
            shapes = _without_details(told)
            if not shapes:
                raise ValueError("has no indicator")  # noqa: TRY301
    except ValueError as error:
        yield teller.refuse(number, str(error), text)
        return
    meta = _meta(row, header)
    for type, found, subdomains in shapes:
        yield teller.tell(number, type, found, meta | {"subdomains": True} if subdomains else meta)


def _is_set(value: str) -> bool:
    return value.lower() not in _UNSET


def _in_column(type: IndicatorType, value: str) -> Shape:
    """What a column whose name tells the type holds; hosts may be addresses."""
    if type is IndicatorType.DOMAIN:
        try:
            return Shape(IndicatorType.ADDR, canonical.addr(canonical.refang(value)))
        except ValueError:
            pass
    return typed(type.value, value)[0]


def _without_details(shapes: list[Shape]) -> list[Shape]:
    types = {found.type for found in shapes}
    details: set[IndicatorType] = set()
    if IndicatorType.URL in types:
        details |= {IndicatorType.ADDR, IndicatorType.DOMAIN}
    if IndicatorType.FILE_HASH in types:
        details.add(IndicatorType.FILE_NAME)
    return [found for found in shapes if found.type not in details]


def _meta(row: list[str], header: _Header) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for name, columns in header.meta:
        value = next((row[i] for i in columns if _is_set(row[i])), None)
        if value is None:
            continue
        if name == "tags":
            meta[name] = tuple(tag.strip() for tag in re.split(r"[,;|]", value) if tag.strip())
        elif name == "level":
            meta[name] = _LEVELS.get(value.lower(), value)
        elif name == "confidence":
            meta[name] = _CONFIDENCES.get(value.lower(), value.removesuffix("%"))
        elif name == "expire" and not re.fullmatch(r"\d{1,9}", value):
            meta["valid_until"] = value.removesuffix(" UTC")
        elif name == "valid_until":
            meta[name] = value.removesuffix(" UTC")
        else:
            meta[name] = value
    return meta


FORMAT = Format("csv", looks_like, read)
