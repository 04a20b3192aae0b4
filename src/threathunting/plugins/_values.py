"""Reading values out of texts that logs hold: hosts, addresses, e-mail addresses, file and user names.

Every function takes text as it came over the wire and yields what it finds; nothing is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from threathunting.intel import canonical
from threathunting.plugins._api import strings

_SEPARATORS = re.compile(r"[\s,;=\"'<>()]+")
_NOT_IN_EMAIL = re.compile(r"[\s<>,;:\"()\[\]\\]+")
_NOT_IN_ZEEKS_EMAIL = re.compile(r"[\s<>,;:]+")
_URL_HOST = re.compile(r"[^/?#\\]*")
_HEX_ESCAPES = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"\\(.)", re.S)


def attribute(*names: str) -> re.Pattern[str]:
    """A pattern for the values of an attribute in a distinguished name, by one of its ``names``."""
    return re.compile(rf"(?:^|(?<!\\)[,+])\s*(?:{'|'.join(names)})\s*=((?:\\.|[^,+\\])*)", re.I | re.S)


_COMMON_NAME = attribute("CN")
_EMAIL_ADDRESS = attribute("emailAddress")


def is_addr(text: str) -> bool:
    """Whether a text is an IP address."""
    if not text or not (text[-1].isdigit() or ":" in text):
        return False
    try:
        canonical.addr(text)
    except ValueError:
        return False
    return True


def bare_host(text: str) -> str:
    """A host without its port: ``a.example:80`` -> ``a.example``, ``[2001:db8::1]:80`` -> ``2001:db8::1``."""
    text = text.strip()
    if text.startswith("["):
        inside, closed, _ = text[1:].partition("]")
        return inside if closed else text
    host, colon, port = text.rpartition(":")
    if colon and ":" not in host and (port.isdigit() or not port):
        return host
    return text


def host_names(*values: object) -> list[str]:
    """The hosts in these fields that are names; a port is left out."""
    return [
        host
        for value in values
        if value is not None
        for text in strings(value)
        if (host := bare_host(text)) and not is_addr(host)
    ]


def host_addrs(*values: object) -> list[str]:
    """The hosts in these fields that are addresses; a port is left out."""
    return [
        host
        for value in values
        if value is not None
        for text in strings(value)
        if is_addr(host := bare_host(text))
    ]


def url_host(url: str) -> str:
    """The host of a URL with a scheme, with its port; empty where the text is no such URL."""
    _, scheme, rest = url.partition("://")
    if not scheme:
        return ""
    found = _URL_HOST.match(rest)
    return found.group().rpartition("@")[2] if found else ""


def addrs_in(*values: object) -> list[str]:
    """The addresses in free text, each set off by spaces, brackets, quotes, ``,`` ``;`` or ``=``."""
    return [
        host
        for value in values
        if value is not None
        for text in strings(value)
        for token in _SEPARATORS.split(text)
        if token and is_addr(host := bare_host(token))
    ]


def emails_in(*values: object) -> list[str]:
    """The e-mail addresses in header texts: ``Name <a@b.example>, "c@d.example"``."""
    # Inside an address an apostrophe is meant (o'hara@), around it hardly ever.
    return [token.strip("'") for token in _around_at(_NOT_IN_EMAIL, values)]


def emails_with_marks(*values: object) -> list[str]:
    """The same, and as Zeek cuts them: at fewer marks, so that quotes and brackets stay part of them."""
    return emails_in(*values) + _around_at(_NOT_IN_ZEEKS_EMAIL, values)


def _around_at(separators: re.Pattern[str], values: tuple[object, ...]) -> list[str]:
    return [
        token
        for value in values
        if value is not None
        for text in strings(value)
        if "@" in text
        for token in separators.split(text)
        if 0 < token.find("@") < len(token) - 1
    ]


def base_name(path: str) -> str:
    r"""The last component of a path: ``\dir\file.txt`` -> ``file.txt``."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def file_names(*values: object) -> Iterator[str]:
    """File names in these fields, and where they are paths their last component too."""
    for value in values:
        for text in strings(value):
            yield text
            base = base_name(text)
            if base != text:
                yield base


def user_names(*values: object) -> Iterator[str]:
    r"""User names in these fields, as they stand and bare: ``DOMAIN\user``, ``user@realm`` -> ``user``."""
    for value in values:
        for text in strings(value):
            yield text
            bare = text.rpartition("\\")[2].partition("@")[0]
            if bare and bare != text:
                yield bare


def common_names(subject: object) -> list[str]:
    """The common names in a certificate's subject."""
    return dn_values(_COMMON_NAME, subject)


def subject_emails(subject: object) -> list[str]:
    """The e-mail addresses in a certificate's subject."""
    return dn_values(_EMAIL_ADDRESS, subject)


def dn_values(attribute: re.Pattern[str], dn: object) -> list[str]:
    """The values of an attribute in a distinguished name (RFC 4514), escapes undone."""
    return [_unescaped(value) for value in attribute.findall(dn)] if isinstance(dn, str) else []


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    value = _HEX_ESCAPES.sub(
        lambda match: bytes.fromhex(match.group().replace("\\", "")).decode("utf-8", "replace"), value
    )
    return _ESCAPE.sub(r"\1", value)
