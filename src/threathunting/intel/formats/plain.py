"""Plain lists: one value a line, its type told by its shape. Also hosts files and ad-block domains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._lines import text_lines
from threathunting.intel.formats._shape import Shape, shape
from threathunting.intel.formats._tell import Teller

SINKS = frozenset(("0.0.0.0", "127.0.0.1", "::", "::1", "0"))
"""Addresses that a hosts file sends a bad name to."""

OWN_NAMES = re.compile(
    r"localhost|localhost\.localdomain|local|broadcasthost|ip6-[a-z]+|0\.0\.0\.0|127\.0\.0\.1|::1", re.I
)
"""What a hosts file holds of its own machine: neither armed nor refused."""

WHOLE_DOMAIN_OPTIONS = frozenset(("all", "doc", "document", "important", "popup", "third-party", "3p"))
"""Options of an ad-block rule that leave it a rule on the whole domain."""

_COMMENT = re.compile(r"(?:^|\s)(?:#|;|//).*$|^!.*$|^\[Adblock.*$", re.I)
_HOSTS_LINE = re.compile(r"(\S+)\s+(\S.*)")
_CHECKSUM_LINE = re.compile(r"(?=\S{32})([0-9a-f]{32,128})\s+\*?\S.*", re.I)
_COUNTED_LINE = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?)\s+\d+", re.A)
_ADBLOCK = re.compile(r"\|\|([^/^$|*]+)\^?\|?(?:\$(.*))?")


def looks_like(name: str, head: bytes) -> bool:
    """Whether a line of the head is an indicator, or the head has nothing but comments."""
    if b"\0" in head or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[{")):
        return False
    lines = head.decode("utf-8", "replace").splitlines()
    told = [text for line in lines[:1000] if (text := _without_comment(line))]
    return not told or any(_is_told(text) for text in told)


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every value of the file. Comments begin with ``#``, ``;`` or ``//``, at the start or after a space."""
    teller = Teller(context)
    for line in text_lines(stream, context):
        if isinstance(line, Refusal):
            yield line
            continue
        number, text = line
        if not (text := _without_comment(text)):
            continue
        try:
            shapes = _shapes(text)
        except ValueError as error:
            yield teller.refuse(number, f"'{text[:80]}' {error}", text)
            continue
        for found in shapes:
            meta: dict[str, Any] = {"subdomains": True} if found.subdomains else {}
            yield teller.tell(number, found.type, found.value, meta)


def _without_comment(line: str) -> str:
    text = line.strip()
    if "#" in text or ";" in text or "//" in text or text[:1] in "![":
        text = _COMMENT.sub("", text)
    return text.strip().rstrip(",").strip("\"'").strip()


def _is_told(text: str) -> bool:
    try:
        _shapes(text)
    except ValueError:
        return False
    return True


def _shapes(text: str) -> list[Shape]:
    """What a line without its comment holds; ValueError where that can't be told."""
    if text.startswith(("||", "@@")) or "##" in text:
        return [_adblock(text)]
    if (hosts := _HOSTS_LINE.fullmatch(text)) and hosts[1] in SINKS:
        return [shape(name) for name in hosts[2].split() if not OWN_NAMES.fullmatch(name)]
    for columns in (_CHECKSUM_LINE, _COUNTED_LINE):
        # What sha256sum writes, and address lists with a count.
        if found := columns.fullmatch(text):
            return [shape(found[1])]
    return [shape(text)]


def _adblock(text: str) -> Shape:
    rule = _ADBLOCK.fullmatch(text)
    if rule is None:
        raise ValueError("is an ad-block rule, but not one on a whole domain (||evil.example^)")
    options = set((rule[2] or "all").lower().split(","))
    if not options <= WHOLE_DOMAIN_OPTIONS:
        raise ValueError("is an ad-block rule with an option that narrows it")
    found = shape(rule[1])
    return found._replace(subdomains=found.type == "domain")


FORMAT = Format("plain", looks_like, read)
