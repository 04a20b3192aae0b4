"""What an indicator without a type is, told by its shape."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from threathunting.intel import canonical
from threathunting.intel.types import IndicatorType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Shape(NamedTuple):
    """A value (not yet canonical) with its type. ``subdomains``: a domain written as ``*.evil.example``."""

    type: IndicatorType
    value: str
    subdomains: bool = False


PRIVATE_SUFFIXES = _words("bit corp example home i2p internal invalid lan local localhost onion test")
"""Last labels of names that no public registry sells but traffic shows (RFC 6761, RFC 7686 and habit)."""

FILE_ENDINGS = _words(
    # What mail, the web and file shares carry as a file; an ending that is also a top-level domain
    # (com, zip, mov, sh, py, pl, rs ...) makes a domain.
    "7z ace apk appx arj asp aspx bat bin bz2 cgi chm class cmd cpl csv dat db dex dll dmg doc docm docx dotm"
    " drv eml elf exe gif gz hta htm html img inf ini iso jar jpeg jpg js jse json jsp jspx lnk log lz lzh"
    " mht msc msg msi msix ocx odt pdf php phtml pif png ppam pps ppt pptm pptx ps1 psd psm1 pyc r00 rar reg"
    " rtf scr sct sqlite svg swf sys tar tgz tmp txt url vbe vbs vhd vhdx war wsf wsh xhtml xla xlam xll xls"
    " xlsb xlsm xlsx xml xps xsl xz z"
)

_TYPES = {type.value: type for type in IndicatorType}
_NAME = re.compile(r"(?P<star>\*?\.)?(?P<name>[\w\-]+(?:\.[\w\-]+)+)\.?(?::\d{1,5})?")
_DOTTED_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.A)
_NETWORK = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*)/[\d.]+", re.A | re.I)
_BRACKETED = re.compile(r"\[([0-9a-f:.]+)\](?::\d{1,5})?", re.I)
_HASH = re.compile(r"(?:(?:md5|sha-?(?:1|224|256|384|512)):)?([0-9a-f]+)", re.I)
_HASH_LENGTHS = frozenset((32, 40, 56, 64, 96, 128))
_MD5_OCTETS = re.compile(r"(?:md5:)?[0-9a-f]{2}(?::[0-9a-f]{2}){15}", re.I)
_LONGER_OCTETS = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){19}(?:(?::[0-9a-f]{2}){12})?", re.I)
_OPENSSH = re.compile(r"sha256:[a-z0-9+/]{43}=?", re.I)
_JA4 = re.compile(r"[a-z][a-z0-9]{2}[a-z]\d{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}", re.I | re.A)
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*)://", re.I)
_EMAIL = re.compile(r"[^\s/@:]+@[^\s/@:]+")


def shape(text: str) -> Shape:
    """What ``text`` is, defanged or not; ValueError with the reason where its shape doesn't tell.

    A port is dropped. One of our types may stand before it: ``ja3:e7d705a3286e19ea42f587b344ee6865``.
    """
    if len(text) > canonical.MAX_LENGTH:
        raise ValueError(f"is longer than {canonical.MAX_LENGTH} characters")
    value = canonical.refang(text if text.isascii() else text.replace("\u3002", "."))
    if "." in value and (named := _NAME.fullmatch(value)):
        return _dotted(named, value)
    if (digits := _HASH.fullmatch(value)) and len(digits[1]) in _HASH_LENGTHS:
        return Shape(IndicatorType.FILE_HASH, digits[1])
    if not value:
        raise ValueError("is empty")
    prefix, colon, rest = value.partition(":")
    if colon and rest.strip() and (type := _TYPES.get(prefix.strip().lower())):
        return Shape(type, rest.strip())
    if (scheme := _SCHEME.match(value)) and not _OPENSSH.fullmatch(value):
        if scheme[1].lower() in ("tcp", "udp"):
            return shape(value[scheme.end() :].rstrip("/"))
        return Shape(IndicatorType.URL, value)
    if value.startswith("mailto:") or _EMAIL.fullmatch(value):
        return Shape(IndicatorType.EMAIL, value)
    if re.search(r"\s", value):
        raise ValueError("holds a space, so that its type can't be told (write it before, as software:...)")
    if colon and (found := _with_colons(value)):
        return found
    if "/" in value:
        return _with_slash(value)
    if _JA4.fullmatch(value):
        return Shape(IndicatorType.JA4, value)
    raise ValueError("has no shape that tells its type (write it before, as user_name:...)")


def address(text: str) -> Shape:
    """What is told to be an address or subnet; a port is dropped. ``canonical`` refuses what is none."""
    value = canonical.refang(text).removesuffix("/")
    if bracketed := _BRACKETED.fullmatch(value):
        value = bracketed[1]
    elif "." in value and value.count(":") == 1:
        value = value.partition(":")[0]
    network, slash, bits = value.partition("/")
    if slash and bits != ("128" if ":" in network else "32"):
        return Shape(IndicatorType.SUBNET, value)
    return Shape(IndicatorType.ADDR, value)


def name(text: str) -> Shape:
    """What is told to be a domain: ``*.x.example``, ``.x.example`` mean subdomains too; a port is dropped."""
    value = canonical.refang(text)
    for star in ("*.", "."):
        if value.startswith(star):
            return Shape(IndicatorType.DOMAIN, value[len(star) :], subdomains=True)
    host, colon, port = value.rpartition(":")
    return Shape(IndicatorType.DOMAIN, host if colon and port.isdecimal() and ":" not in host else value)


def _dotted(named: re.Match[str], value: str) -> Shape:
    star, text = named["star"], named["name"]
    if _DOTTED_QUAD.fullmatch(text) and not star:
        return Shape(IndicatorType.ADDR, text)
    last = text.rpartition(".")[2].lower()
    if last.isdecimal():
        raise ValueError("is no address, and no domain ends in a number")
    if _is_suffix(last):
        return Shape(IndicatorType.DOMAIN, text, subdomains=star is not None)
    if last in FILE_ENDINGS and text == value:
        return Shape(IndicatorType.FILE_NAME, text)
    raise ValueError(f"ends in .{last[:20]}, which is no known top-level domain or file ending")


def _with_colons(value: str) -> Shape | None:
    if _OPENSSH.fullmatch(value) or _MD5_OCTETS.fullmatch(value):
        return Shape(IndicatorType.PUBKEY_HASH, value)
    if _LONGER_OCTETS.fullmatch(value):
        # SSH writes MD5 this way and SHA-256 another; 20 and 32 octets are how certificates are shown.
        return Shape(IndicatorType.CERT_HASH, value)
    if _BRACKETED.fullmatch(value):
        return address(value)
    if "/" not in value:
        try:
            return Shape(IndicatorType.ADDR, canonical.addr(value))
        except ValueError:
            pass
    return None


def _with_slash(value: str) -> Shape:
    if _NETWORK.fullmatch(value):
        return address(value)
    if value.startswith("/"):
        return Shape(IndicatorType.URL, value)
    host = re.split(r"[/?#]", value, maxsplit=1)[0]
    if _BRACKETED.fullmatch(host):
        return Shape(IndicatorType.URL, value)
    if named := _NAME.fullmatch(host):
        found = _dotted(named, host)
        if found.type in (IndicatorType.DOMAIN, IndicatorType.ADDR) and not found.subdomains:
            return Shape(IndicatorType.URL, value)
    raise ValueError("holds a '/' but begins with no host, so that it is no URL")


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


@lru_cache(maxsize=10_000)
def _is_suffix(last: str) -> bool:
    if last in PRIVATE_SUFFIXES:
        return True
    if not last.isascii():
        try:
            last = canonical.domain(last)
        except ValueError:
            return False
    return bool(_suffixes().publicsuffix(f"any.{last}"))
