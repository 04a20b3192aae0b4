"""The host in a URL or a Host header, only as precisely as it takes to narrow down."""

from __future__ import annotations

import re
from collections.abc import Collection

UNSURE = "[\u00bf"
"""In place of a host that isn't plain to see. Like a bracketed address and a name not in ASCII, it passes all gates."""

_ANY = re.compile(r"(?:\s*(?:[a-z][a-z0-9+.\-]*://|[^/?#]*@))*\s*([^/?#:]*)")
_USUAL = re.compile(r"^(?:https?://)?([a-z0-9._\-]+)(?::\d+)?(?=/|$)(?!.*://)|^", re.M)


def host_name(text: str) -> str:
    """The host, lower-case, without scheme, user info, port and final dots.

    Of an IPv6 address in brackets it is the part before the first colon.
    """
    match = _ANY.match(text.strip().lower())
    return match.group(1).rstrip(". ") if match else ""


def hosts_of(texts: Collection[str]) -> dict[str, list[str]]:
    """The hosts in texts, each with the texts that have it; under ``UNSURE`` those that aren't of the usual form."""
    given = list(texts)
    names = _USUAL.findall("\n".join(given).lower()) if given else []
    if len(names) != len(given):
        # A text with a line end in it.
        names = [_USUAL.findall(text.lower().replace("\n", " "))[0] for text in given]
    hosts: dict[str, list[str]] = {}
    for text, name in zip(given, names, strict=True):
        if name and name[-1] == ".":
            name = name.rstrip(".")  # noqa: PLW2901
        hosts.setdefault(name or UNSURE, []).append(text)
    return hosts
