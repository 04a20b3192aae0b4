"""The host in a URL or a Host header, only as precisely as it takes to narrow down."""

from __future__ import annotations

import re

UNSURE = "[\u00bf"
"""In place of a host that isn't plain to see. Like a bracketed address and a name not in ASCII, it passes all gates."""

_ANY = re.compile(r"(?:\s*(?:[a-z][a-z0-9+.\-]*://|[^/?#]*@))*\s*([^/?#:*]*)")
_USUAL = re.compile(
    # With a scheme a path may follow; without, a slash would be part of an odd host.
    r"^(?:https?://|(?![^/\n]*/))([a-z0-9._\-]*[a-z0-9_\-])\.*(?::\d+)?(?=/|$)(?!.*://)|^",
    re.M,
)


def host_name(text: str) -> str:
    """The host, lower-case, without scheme, user info, port and final dots.

    Of an IPv6 address in brackets it is the part before the first colon.
    """
    match = _ANY.match(text.strip().lower())
    return match.group(1).rstrip(". ") if match else ""


def hosts_of(texts: list[str]) -> list[str]:
    """The host of each text: empty for paths (``/x``), ``UNSURE`` for what else isn't of the usual form."""
    names: list[str] = _USUAL.findall("\n".join(texts).lower()) if texts else []
    if len(names) != len(texts):
        # A text with a line end in it.
        names = [_USUAL.findall(text.lower().replace("\n", " "))[0] for text in texts]
    if "" in names:
        return [name or ("" if text[:1] == "/" else UNSURE) for name, text in zip(names, texts, strict=True)]
    return names
