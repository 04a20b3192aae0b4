"""The names that others give to our types: MISP, abuse.ch, OTX, OpenCTI and plain habit."""

from __future__ import annotations

import re

from threathunting.intel.formats._shape import Shape, address, name
from threathunting.intel.types import IndicatorType

_NAMES: dict[IndicatorType, str] = {
    # Squeezed: "ip-dst", "ip_dst" and "IP dst" are one.
    IndicatorType.ADDR: """
        addr address ip ipv4 ipv6 ipsrc ipdst ipport ipdstport ipsrcport ipaddr ipaddress ipv4addr ipv6addr
        ipv4address ipv6address dstip srcip destip sourceip destinationip remoteip c2ip hostip
        """,
    IndicatorType.SUBNET: "subnet cidr netblock network ipv4cidr ipv6cidr ipnet iprange",
    IndicatorType.URL: "url uri urls weburl phishingurl urlpath",
    IndicatorType.DOMAIN: "domain domainname hostname host fqdn dns dnsname hostnameport domainport",
    IndicatorType.EMAIL: """
        email emailaddr emailaddress mail emailsrc emaildst emailreplyto emailfrom emailsender envelopefrom
        bodyfrom sender sourceemailaddress senderaddress
        """,
    IndicatorType.FILE_HASH: """
        filehash hash malwarehash samplehash md5 sha1 sha224 sha256 sha384 sha512
        md5hash sha1hash sha224hash sha256hash sha384hash sha512hash
        filehashmd5 filehashsha1 filehashsha224 filehashsha256 filehashsha384 filehashsha512
        filemd5 filesha1 filesha256 filesha512 hashmd5 hashsha1 hashsha256 hashsha512
        """,
    IndicatorType.FILE_NAME: "filename file name attachmentname",
    IndicatorType.SOFTWARE: "software useragent httpuseragent ua",
    IndicatorType.USER_NAME: "username user useraccount accountname account login",
    IndicatorType.CERT_HASH: """
        certhash certsha1 certsha256 certfingerprint certificatehash certificatefingerprint x509fingerprintmd5
        x509fingerprintsha1 x509fingerprintsha256 sslcertfingerprint sslcertificatefingerprint
        """,
    IndicatorType.PUBKEY_HASH: "pubkeyhash sshfingerprint sshhostkey",
    IndicatorType.JA3: "ja3 ja3md5 ja3hash ja3fingerprint ja3fingerprintmd5",
    IndicatorType.JA4: "ja4 ja4fingerprint ja4hash",
    IndicatorType.HASSH: "hassh hasshmd5 hasshserver hasshservermd5 hasshhash",
}
TYPE_OF_NAME = {name: type for type, names in _NAMES.items() for name in names.split()}
"""Squeezed names (``squeezed``) of types."""

_SHAPED = {
    IndicatorType.ADDR: address,
    IndicatorType.SUBNET: address,
    IndicatorType.DOMAIN: name,
}
_FILE_NAMED = frozenset(("filename", "malwaresample"))


def squeezed(text: str) -> str:
    """A name without what people separate words by, lower-case: ``FileHash-SHA256`` is ``filehashsha256``."""
    return re.sub(r"[^a-z0-9|]", "", text.lower())


def usual_type(type_name: str) -> IndicatorType | None:
    """Our type of that name, or None where it isn't hunted."""
    return TYPE_OF_NAME.get(squeezed(type_name.lower().removeprefix("intel::")))


def typed(type_name: str, value: str) -> list[Shape]:
    """What a value of that type is to us; ValueError for a type that isn't hunted.

    Pairs of MISP: of ``filename|md5`` only the hash is taken, since names such as ``invoice.pdf`` are
    everybody's; of ``ip-dst|port`` the address; ``domain|ip`` gives both.
    """
    first, pair, second = squeezed(type_name).partition("|")
    if first == "malwaresample":
        pair, second = "|", second or "md5"
    if not pair:
        return [_typed(type_name, value)]
    left, bar, right = value.rpartition("|")
    if not bar:
        raise ValueError(f"is no pair, as its type {type_name[:40]} says")
    if first in _FILE_NAMED:
        return [_typed(second, right, type_name)]
    if second == "port":
        return [_typed(first, left, type_name)]
    return [_typed(first, left, type_name), _typed(second, right, type_name)]


def _typed(part: str, value: str, type_name: str | None = None) -> Shape:
    type = usual_type(part)
    if type is None:
        raise ValueError(f"type not hunted: {(type_name or part)[:40]}")
    shaped = _SHAPED.get(type)
    return shaped(value) if shaped else Shape(type, value)
