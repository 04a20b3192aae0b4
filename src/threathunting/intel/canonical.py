"""One canonical form per indicator type, the same for intel and for what traffic shows.

Every function takes text and returns the canonical text, or raises ValueError with the reason.
Each is idempotent. Lower-casing is ASCII only, as Zeek's Intelligence Framework does it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import idna

from threathunting.intel.types import Indicator, IndicatorType

MAX_LENGTH = 8192
"""Longest canonical value in characters; longer ones are refused (a URL of that length is an attack)."""

MIN_PREFIX_V4 = 8
MIN_PREFIX_V6 = 16
"""Wider subnets than these would match a good part of the internet and are refused."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\x85]")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.A)
_HEX = re.compile(r"[0-9a-f]+")
# Possessive quantifiers (``*+``): what traffic shows can't make these go back and forth over it.
_BEFORE_HOST = re.compile(r"(?:\s*+(?:[a-z][a-z0-9+.\-]*+://|[^/?#@]*+@))*+\s*+")
_USUAL_DOMAIN = re.compile(r"[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*")
_USUAL_URL = re.compile(r"(?:https?://)?((?:[a-z0-9_\-]+\.)+[a-z0-9_\-]+/[!-~]*)")
_USUAL_HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}")
_HOST = re.compile(r"(?:[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_NAMED_EMAIL = re.compile(r"<\s*+(?:mailto:)?([^<>]*+)>[^<>]*+$")
_OPENSSH_FINGERPRINT = re.compile(r"sha256:[a-z0-9+/]{20,64}")
_JA4 = re.compile(r"[a-z][a-z0-9]{2}[a-z]\d{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}")

_HASH_LENGTHS = {32: "MD5", 40: "SHA-1", 56: "SHA-224", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512"}


def lower(text: str) -> str:
    """Lower-case A to Z only, as Zeek's ``to_lower``; other letters stay as they are."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _text(value: str) -> str:
    value = lower(value.strip())
    if not value:
        raise ValueError("is empty")
    if len(value) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    if _CONTROL.search(value):
        raise ValueError("holds a control character")
    return value


def addr(value: str) -> str:
    """An IP address: compressed, lower-case; IPv4 mapped in IPv6 becomes IPv4 (RFC 5952, RFC 4291)."""
    if _IPV4.fullmatch(value):
        return value
    value = value.strip()
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
    if "/" in value:
        net, _, bits = value.partition("/")
        if bits != ("128" if ":" in net else "32"):
            raise ValueError("is a subnet, not an address")
        value = net
    if "%" in value:
        raise ValueError("has a zone index")
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("is not an IP address") from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip)


def subnet(value: str) -> str:
    """A subnet in CIDR form, host bits masked off; refused where it is wider than /8 (IPv4) or /16 (IPv6)."""
    value = value.strip()
    if "/" not in value:
        raise ValueError("has no prefix length (give 192.0.2.0/24)")
    if "%" in value:
        raise ValueError("has a zone index")
    try:
        net: ipaddress.IPv4Network | ipaddress.IPv6Network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("is not a subnet") from None
    if isinstance(net, ipaddress.IPv6Network):
        mapped = net.network_address.ipv4_mapped
        if mapped is not None and net.prefixlen >= 96:
            net = ipaddress.ip_network((int(mapped), net.prefixlen - 96), strict=False)
    least = MIN_PREFIX_V4 if net.version == 4 else MIN_PREFIX_V6
    if net.prefixlen < least:
        raise ValueError(f"is too wide (the widest taken is /{least})")
    return str(net)


def _domain_text(value: str) -> str:
    if not value.isascii():
        try:
            value = ".".join(
                label if label.isascii() else idna.encode(label, uts46=True).decode()
                for label in re.split(r"[.\u3002\uff0e\uff61]", value)
            )
        except (idna.IDNAError, UnicodeError):
            raise ValueError("is not a valid internationalised name") from None
    return value.lower()


def domain(value: str) -> str:
    """A DNS name: lower-case, A-labels (RFC 5890), no final dot. Odd but real names (mDNS, NetBIOS) pass."""
    # Most are like this; the rest of the function gives the same. So in url and any_hash.
    if len(value) <= 255 and _USUAL_DOMAIN.fullmatch(value):
        return value
    value = _domain_text(_text(value)).rstrip(". ")
    if not value:
        raise ValueError("is empty")
    if "://" in value or value.startswith("/"):
        raise ValueError("is a URL, not a domain")
    if len(value) > 255:
        raise ValueError("is longer than 255 characters")
    if ".." in value or value.startswith("."):
        raise ValueError("has an empty label")
    return value


def url(value: str) -> str:
    """A URL as Zeek matches it: lower-case, no scheme, no user info, no port 80 or 443.

    A host alone gets the path ``/``. A value that begins with ``/`` is a path on any host.
    """
    value = _text(value)
    if usual := _USUAL_URL.fullmatch(value):
        return usual.group(1)
    if value.startswith("/"):
        if value.strip("/") == "":
            raise ValueError("is a bare '/', which every site has")
        return value
    if before := _BEFORE_HOST.match(value):  # at the start only: a page's query may hold another URL
        value = value[before.end() :]
    end = len(value)
    for mark in "/?#":
        found = value.find(mark)
        if 0 <= found < end:
            end = found
    host, rest = value[:end], value[end:]
    if not host.isascii():
        host = _domain_text(host)
    while host.endswith((":80", ":443", ":", ".", " ")):
        host = host[: host.rindex(":")] if host[-1] in "03" else host[:-1]
    if not host:
        raise ValueError("has no host")
    if not rest.startswith("/") and _HOST.fullmatch(host):
        rest = "/" + rest
    return host + rest


def email(value: str) -> str:
    """An e-mail address: the part in angle brackets where there is one, lower-case."""
    value = _text(value)
    named = _NAMED_EMAIL.search(value)
    if named:
        value = named.group(1)
    value = value.strip()
    while value.startswith("mailto:"):
        value = value.removeprefix("mailto:").strip()
    local, at, host = value.rpartition("@")
    if not at or not local or not host or re.search(r"[\s<>]", value):
        raise ValueError("is not an e-mail address")
    if not host.isascii():
        host = _domain_text(host)
    return f"{local}@{host}"


def plain(value: str) -> str:
    """Text matched as a whole: lower-case, no space around it (software, user and file names)."""
    return _text(value)


def _hex(value: str) -> str:
    value = lower(value.strip())
    if ":" in value or "-" in value or " " in value:
        value = value.replace(":", "").replace("-", "").replace(" ", "")
    if not _HEX.fullmatch(value):
        raise ValueError("is not hexadecimal")
    return value


def any_hash(value: str) -> str:
    """A hash in hex, lower-case without separators; MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512 long."""
    if _USUAL_HASH.fullmatch(value):
        return value
    value = _hex(value)
    if len(value) not in _HASH_LENGTHS:
        raise ValueError(f"has {len(value)} hex digits, which is no known hash")
    return value


def md5(value: str) -> str:
    """An MD5 in hex, as JA3 and HASSH are."""
    value = _hex(value)
    if len(value) != 32:
        raise ValueError(f"has {len(value)} hex digits, not 32")
    return value


def pubkey_hash(value: str) -> str:
    """An SSH host key's fingerprint: ``aa:bb:...`` (MD5, Zeek's) or ``sha256:...`` (OpenSSH's, lowered).

    Of a SHA-256 the first 32 of the 43 characters are kept: Zeek 8.2 logs no more (``fingerprint_sha256`` in its
    ssh-analyzer.pac), and 192 bits tell keys apart as well.
    """
    value = _text(value)
    if value.startswith("sha256:"):
        value = value.rstrip("=")
        if not _OPENSSH_FINGERPRINT.fullmatch(value):
            raise ValueError("is not an OpenSSH fingerprint")
        return value[: len("sha256:") + 32]
    digits = md5(value.removeprefix("md5:"))
    return ":".join(digits[i : i + 2] for i in range(0, 32, 2))


def ja4(value: str) -> str:
    """A JA4 TLS client fingerprint, e.g. ``t13d1516h2_8daaf6152771_e5627efa2ab1``."""
    value = _text(value)
    if not _JA4.fullmatch(value):
        raise ValueError("is not a JA4 fingerprint")
    return value


CANONICAL: dict[IndicatorType, Callable[[str], str]] = {
    IndicatorType.ADDR: addr,
    IndicatorType.SUBNET: subnet,
    IndicatorType.URL: url,
    IndicatorType.SOFTWARE: plain,
    IndicatorType.EMAIL: email,
    IndicatorType.DOMAIN: domain,
    IndicatorType.USER_NAME: plain,
    IndicatorType.CERT_HASH: any_hash,
    IndicatorType.PUBKEY_HASH: pubkey_hash,
    IndicatorType.FILE_HASH: any_hash,
    IndicatorType.FILE_NAME: plain,
    IndicatorType.JA3: md5,
    IndicatorType.JA4: ja4,
    IndicatorType.HASSH: md5,
}


def canonical(type: IndicatorType, value: str) -> str:
    """The canonical form of ``value``; ValueError with the reason where it can't be of that type."""
    return CANONICAL[type](value)


_DEFANGED = re.compile(
    r"(?<!\[)\[++\.\]*+|\.\]++|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}"
    r"|\[:\]|\[://\]|\[/\]|\[@\]|\(@\)|\[at\]|\(at\)|\\\.",
    re.I,
)
_DEFANGED_SCHEME = re.compile(r"(?:h[tx]{2}p(s?)|fxp)(?=:|\[:)", re.I)
_DEFANGED_DEPTH = 8
_FULL_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")
_REFANGED = {"dot": ".", "at": "@"}
_REFANGABLE = frozenset(
    {IndicatorType.ADDR, IndicatorType.SUBNET, IndicatorType.URL, IndicatorType.DOMAIN, IndicatorType.EMAIL}
)


def refang(value: str) -> str:
    """Undo what people do to an indicator so that nobody clicks on it: ``hxxp``, ``[.]``, ``[at]`` ..."""
    value = value.strip()
    if value[:1] in "hHfF" and not value.startswith("http") and (scheme := _DEFANGED_SCHEME.match(value)):
        value = ("ftp" if scheme[0].lower() == "fxp" else f"http{scheme[1]}") + value[scheme.end() :]
    if "[" in value or "(" in value or "{" in value or "\\" in value or ".]" in value:
        for _ in range(_DEFANGED_DEPTH):
            before, value = value, _DEFANGED.sub(_refanged, value)
            if value == before:
                break
    return value


def _refanged(match: re.Match[str]) -> str:
    inner = match.group(0).strip("[](){}\\").lower()
    return _REFANGED.get(inner, inner)


def indicator(type: IndicatorType, text: str) -> Indicator:
    """The indicator that someone wrote as ``text``, defanged or not; ValueError with the reason."""
    if type in _REFANGABLE:
        if not text.isascii():
            text = text.translate(_FULL_STOPS)
        text = refang(text)
    return Indicator(type, CANONICAL[type](text))
