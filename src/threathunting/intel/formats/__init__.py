"""The intel formats, in the order in which a file is tried."""

from __future__ import annotations

import codecs

from threathunting.intel.formats import csv_, messages, misp, plain, stix, zeek_intel
from threathunting.intel.formats._api import Context, Format, Refusal, Told

__all__ = ["FORMATS", "Context", "Format", "Refusal", "Told", "by_name", "sniff"]

FORMATS: tuple[Format, ...] = (
    messages.FORMAT,
    stix.FORMAT,
    misp.FORMAT,
    zeek_intel.FORMAT,
    csv_.FORMAT,
    plain.FORMAT,  # last, since almost any text could be one
)


def sniff(name: str, head: bytes) -> Format | None:
    """The format of a file of that name that begins with ``head`` (64 KiB will do), or None."""
    head = head.removeprefix(codecs.BOM_UTF8)
    return next((format for format in FORMATS if format.looks_like(name, head)), None)


def by_name(name: str) -> Format:
    """The format of that name; ValueError with the names there are."""
    for format in FORMATS:
        if format.name == name:
            return format
    raise ValueError(f"unknown intel format '{name}' (known: {', '.join(format.name for format in FORMATS)})")
