"""Zeek's ``intel.dat``: tab-separated columns that a ``#fields`` line names, in any order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from threathunting.intel import message
from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._lines import text_lines
from threathunting.intel.formats._tell import Teller

WRITTEN_META = tuple(
    f"meta.{name}"
    for name in (
        "source",
        "desc",
        "url",
        "level",
        "confidence",
        "id",
        "tags",
        "valid_until",
        "subdomains",
    )
)
"""Columns that we write. The first three are Zeek's own; it passes over what it doesn't know."""

META = {name: name.removeprefix("meta.") for name in (*WRITTEN_META, "meta.expire")}
"""Columns that we take, with their names in our messages."""

UNSET = "-"
EMPTY = "(empty)"

_FIELDS = re.compile(rb"^#fields[\t ](?:[^\n]*[\t ])?indicator(?=[\t\r\n ]|$)", re.M)
_SPECIAL = r"\x00-\x1f\x7f\\"
_ESCAPED = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")


def looks_like(name: str, head: bytes) -> bool:
    """Whether the head has a ``#fields`` line that names an indicator."""
    return _FIELDS.search(head) is not None


class _Layout:
    """What the lines that begin with ``#`` say of the columns."""

    def __init__(self) -> None:
        self.separator = "\t"
        self.unset = UNSET
        self.empty = EMPTY
        self.fields: list[str] = []

    def take(self, line: str) -> None:
        """Take a line that begins with ``#``; one that is a comment changes nothing."""
        word, _, rest = line.partition(" ")
        if word == "#separator":
            self.separator = unescaped(rest.strip()) or "\t"
            return
        word, *values = line.split(self.separator)
        if word == "#fields":
            self.fields = [value.strip() for value in values]
        elif word == "#unset_field" and values:
            self.unset = values[0]
        elif word == "#empty_field" and values:
            self.empty = values[0]


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every line below ``#fields``. Columns that a line lacks at its end are unset."""
    teller = Teller(context)
    layout = _Layout()
    for line in text_lines(stream, context):
        if isinstance(line, Refusal):
            yield line
            continue
        number, text = line
        if text.startswith("#"):
            layout.take(text)
        elif text.strip():
            yield _told(number, text, layout, teller)


def _told(number: int, text: str, layout: _Layout, teller: Teller) -> Told | Refusal:
    if "indicator" not in layout.fields or "indicator_type" not in layout.fields:
        return teller.refuse(number, "no #fields line above names indicator and indicator_type", text)
    row: dict[str, Any] = {}
    values = text.split(layout.separator)
    if len(values) > len(layout.fields):
        return teller.refuse(number, f"has {len(values)} columns, #fields names {len(layout.fields)}", text)
    for field, value in zip(layout.fields, values, strict=False):
        if value not in (layout.unset, layout.empty, ""):
            # A tag may hold an escaped comma.
            row[field] = tuple(map(unescaped, value.split(","))) if field == "meta.tags" else unescaped(value)
    if "indicator" not in row or "indicator_type" not in row:
        return teller.refuse(number, "has no indicator or no indicator_type", text)
    try:
        type = message.indicator_type(row["indicator_type"])
    except ValueError as error:
        return teller.refuse(number, str(error), text)
    meta = {META[field]: value for field, value in row.items() if field in META}
    return teller.tell(number, type, row["indicator"], meta)


def escaped(text: str | None, more: str = "") -> str:
    r"""Text as Zeek reads it back: control characters, backslashes and ``more`` as ``\xHH``, None unset."""
    if text is None:
        return UNSET
    if text in (UNSET, EMPTY, ""):
        return "".join(_hex(character) for character in text) or EMPTY
    return re.sub(f"[{_SPECIAL}{more}]", lambda match: _hex(match[0]), text)


def _hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def unescaped(text: str) -> str:
    r"""Zeek's ``\xHH``, each a byte, undone."""
    return _ESCAPED.sub(_bytes_to_text, text) if "\\x" in text else text


def _bytes_to_text(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "replace")


FORMAT = Format("zeek", looks_like, read)
