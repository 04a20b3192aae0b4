"""What is in a certificate beyond Suricata's own fields: its hashes, and its alternative names.

Suricata 7 tells only the subject of the first certificate; most names of a site stand in the extension
``subjectAltName``. Reading it takes a walk through a few levels of DER (X.690), done by hand here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_NAMES = 2000
"""Alternative names that are read of one certificate."""

_SEQUENCE, _OCTETS, _EXTENSIONS = 0x30, 0x04, 0xA3
_EMAIL, _DNS, _URI, _IP = 0x81, 0x82, 0x86, 0x87
_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
"""Object identifier 2.5.29.17, with its tag and length (RFC 5280, 4.2.1.6)."""


@dataclass(frozen=True)
class Certificate:
    """A certificate: hashes in hex, and the names in ``subjectAltName``."""

    md5: str
    sha1: str
    sha256: str
    size: int
    dns: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    uri: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def from_base64(coded: str) -> Certificate | None:
    """Read a certificate in base64 of DER; None where it isn't base64. Broken DER gives no names."""
    try:
        der = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not der:
        return None
    names: dict[int, list[str]] = {_DNS: [], _EMAIL: [], _URI: [], _IP: []}
    for number, (tag, value) in enumerate(_alternative_names(der)):
        if number >= MAX_NAMES:
            break
        if tag == _IP and len(value) in (4, 16):
            names[_IP].append(str(ipaddress.ip_address(value)))
        elif tag in (_DNS, _EMAIL, _URI) and (name := value.decode("utf-8", "backslashreplace").strip()):
            names[tag].append(name)
    return Certificate(
        md5=hashlib.md5(der, usedforsecurity=False).hexdigest(),
        sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(der).hexdigest(),
        size=len(der),
        dns=tuple(names[_DNS]),
        email=tuple(names[_EMAIL]),
        uri=tuple(names[_URI]),
        ip=tuple(names[_IP]),
    )


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (tag, content) of each DER element in ``data``, up to the first that is broken or cut short."""
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4 or at + octets > len(data):
                return
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            return
        yield tag, data[at : at + length]
        at += length


def _inside(data: bytes, tag: int) -> bytes:
    """The content of the first element with a tag; empty where there is none."""
    return next((content for found, content in _elements(data) if found == tag), b"")


def _alternative_names(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The general names (RFC 5280, 4.2.1.6) of a certificate, as (tag, value)."""
    to_be_signed = _inside(_inside(der, _SEQUENCE), _SEQUENCE)
    for tag, extension in _elements(_inside(_inside(to_be_signed, _EXTENSIONS), _SEQUENCE)):
        if tag == _SEQUENCE and extension.startswith(_SUBJECT_ALT_NAME):
            yield from _elements(_inside(_inside(extension, _OCTETS), _SEQUENCE))
