"""Writing intel: our messages, and Zeek's ``intel.dat``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from threathunting.intel import message
from threathunting.intel.formats import zeek_intel
from threathunting.intel.types import Indicator, IndicatorType, Item

_FIELDS = ("indicator", "indicator_type", *zeek_intel.WRITTEN_META)
_NOT_ZEEKS = frozenset((IndicatorType.JA3, IndicatorType.JA4, IndicatorType.HASSH))


@dataclass
class Written:
    """How many items were written, and how many of each type the format has no place for."""

    items: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def write(items: Iterable[tuple[Indicator, Item]], format: str, out: BinaryIO) -> Written:
    """Write items as ``messages`` or ``zeek``, one a line; ValueError where that format can't be written.

    Zeek stops at a type that it doesn't know, so JA3, JA4 and HASSH are skipped there, and counted.
    """
    try:
        header, line = WRITERS[format]
    except KeyError:
        raise ValueError(f"can't write '{format}' (known: {', '.join(WRITERS)})") from None
    out.write(header)
    written = Written()
    for indicator, item in items:
        if format == "zeek" and indicator.type in _NOT_ZEEKS:
            written.skipped[indicator.type.value] += 1
            continue
        out.write(line(indicator, item) + b"\n")
        written.items += 1
    return written


def _zeek_line(indicator: Indicator, item: Item) -> bytes:
    meta = {
        "source": item.source,
        "desc": item.desc,
        "url": item.url,
        "level": item.level,
        "confidence": None if item.confidence is None else str(item.confidence),
        "id": item.id,
        "valid_until": None if item.expires is None else message.timestamp(item.expires),
        "subdomains": "T" if item.subdomains else None,
    }
    value = zeek_intel.escaped(indicator.value)
    if value.startswith("#"):  # would begin a comment
        value = "\\x23" + value[1:]
    columns = [value, indicator.type.zeek_name]
    for name in zeek_intel.WRITTEN_META:
        field = name.removeprefix("meta.")
        if field == "tags":
            columns.append(",".join(zeek_intel.escaped(tag, ",") for tag in item.tags) or zeek_intel.UNSET)
        else:
            columns.append(zeek_intel.escaped(meta[field] or None))
    return "\t".join(columns).encode("utf-8", "replace")


WRITERS: dict[str, tuple[bytes, Callable[[Indicator, Item], bytes]]] = {
    "messages": (b"", message.encode),
    "zeek": (("#fields\t" + "\t".join(_FIELDS) + "\n").encode(), _zeek_line),
}
"""Per format what stands above the items, and the line of an item."""
