"""``tls`` and ``quic``: ssl.log, and of the certificates x509.log and files.log."""

from __future__ import annotations

import re

from threathunting.records import Record
from threathunting.sensors.eve.certificate import Certificate, from_base64
from threathunting.sensors.eve.files import named_fuid
from threathunting.sensors.eve.values import Converted, Event, child, epoch, first, flag, put, text, texts

MAX_CHAIN = 16
"""Certificates of one side that are read."""

VERSIONS = {
    "SSLv2": "SSLv2",
    "SSLv3": "SSLv3",
    "TLSv1": "TLSv10",
    "TLS 1.0": "TLSv10",
    "TLS 1.1": "TLSv11",
    "TLS 1.2": "TLSv12",
    "TLS 1.3": "TLSv13",
}

OF_THE_FLOW = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "community_id")

_IN_NAME = re.compile(r", ?(?=[A-Za-z][A-Za-z0-9\-]*=|[0-9]+(?:\.[0-9]+)+=)")
_ATTRIBUTES = {"Email": "emailAddress", "1.2.840.113549.1.9.1": "emailAddress", "S": "ST"}
_SPECIAL = re.compile(r'([,+"\\<>;])')
_HOST_NAME = re.compile(r"[\w*.\-]+")


def tls(event: Event, base: Record) -> Converted:
    """Convert a tls event. Certificates need EVE's ``chain`` or ``certificate`` to show more than a SHA-1."""
    told = child(event, "tls")
    client = child(told, "client")
    version = text(told, "version")
    put(
        base,
        version=None if version is None else VERSIONS.get(version, version),
        server_name=text(told, "sni"),
        resumed=flag(told, "session_resumed"),
        next_protocol=first(texts(told, "server_alpns")),
        subject=zeek_name(text(told, "subject")),
        issuer=zeek_name(text(told, "issuerdn")),
        client_subject=zeek_name(text(client, "subject")),
        client_issuer=zeek_name(text(client, "issuerdn")),
        **_fingerprints(told),
    )
    servers, clients = _chain(told), _chain(client)
    put(
        base,
        cert_chain_fps=_chain_fingerprints(told, servers),
        client_cert_chain_fps=_chain_fingerprints(client, clients),
    )
    yield "ssl", base
    yield from _certificates(told, servers, base, is_client=False)
    yield from _certificates(client, clients, base, is_client=True)


def quic(event: Event, base: Record) -> Converted:
    """Convert a quic event: Zeek has quic.log, and ssl.log for the handshake inside."""
    told = child(event, "quic")
    handshake = _fingerprints(told)
    put(handshake, server_name=text(told, "sni"))
    if handshake:
        yield "ssl", base | {"version": "TLSv13"} | handshake
    quic_record = dict(base)
    put(
        quic_record,
        version=text(told, "version"),
        server_name=text(told, "sni"),
        user_agent=text(told, "ua"),
    )
    yield "quic", quic_record


def _fingerprints(told: Event) -> Record:
    fields: Record = {}
    put(
        fields,
        ja3=text(child(told, "ja3"), "hash"),
        ja3s=text(child(told, "ja3s"), "hash"),
        ja4=text(told, "ja4"),
    )
    return fields


def _chain(side: Event) -> list[Certificate]:
    """The certificates that a side sent, its own first."""
    coded = texts(side, "chain")[:MAX_CHAIN]
    if not coded and (own := text(side, "certificate")) is not None:
        coded = [own]
    return [certificate for part in coded if (certificate := from_base64(part)) is not None]


def _chain_fingerprints(side: Event, chain: list[Certificate]) -> list[str]:
    """SHA-256 of each certificate; without the chain the first one's SHA-1, all that Suricata tells."""
    if chain:
        return [certificate.sha256 for certificate in chain]
    told = _told_fingerprint(side)
    return [] if told is None else [told]


def _told_fingerprint(side: Event) -> str | None:
    value = text(side, "fingerprint")
    return None if value is None else value.replace(":", "").lower()


def _certificates(side: Event, chain: list[Certificate], base: Record, is_client: bool) -> Converted:
    """x509.log of a side's own certificate (as with Zeek's log-hostcerts-only), files.log of all."""
    fingerprint = chain[0].sha256 if chain else _told_fingerprint(side)
    if fingerprint is None:
        return
    record: Record = {"fingerprint": fingerprint, "host_cert": not is_client, "client_cert": is_client}
    names = chain[0] if chain else None
    fields = {
        "ts": base.get("ts"),
        "certificate.subject": zeek_name(text(side, "subject")),
        "certificate.issuer": zeek_name(text(side, "issuerdn")),
        "certificate.serial": _serial(text(side, "serial")),
        "certificate.not_valid_before": epoch(side.get("notbefore")),
        "certificate.not_valid_after": epoch(side.get("notafter")),
        "san.dns": list(names.dns) if names else _dns_names(texts(side, "subjectaltname")),
        "san.email": list(names.email) if names else None,
        "san.uri": list(names.uri) if names else None,
        "san.ip": list(names.ip) if names else None,
    }
    put(record, **fields)
    yield "x509", record
    for number, certificate in enumerate(chain):
        file = {name: base[name] for name in OF_THE_FLOW if name in base}
        put(
            file,
            fuid=named_fuid(base.get("uid"), is_client, number, certificate.sha256),
            source="SSL",
            mime_type="application/x-x509-ca-cert" if number else "application/x-x509-user-cert",
            is_orig=is_client,
            seen_bytes=certificate.size,
            total_bytes=certificate.size,
            md5=certificate.md5,
            sha1=certificate.sha1,
            sha256=certificate.sha256,
        )
        yield "files", file


def zeek_name(name: str | None) -> str | None:
    """A distinguished name as Zeek writes it (RFC 4514, last part first): ``CN=R3,O=Example,C=US``."""
    if name is None:
        return None
    parts = []
    for part in reversed(_IN_NAME.split(name)):
        attribute, _, value = part.partition("=")
        escaped = _SPECIAL.sub(r"\\\1", value)
        parts.append(f"{_ATTRIBUTES.get(attribute, attribute)}={escaped}")
    return ",".join(parts)


def _serial(serial: str | None) -> str | None:
    """A serial number as Zeek writes it: no colons, no zero bytes in front."""
    if serial is None:
        return None
    digits = serial.replace(":", "").upper()
    while len(digits) > 2 and digits.startswith("00"):
        digits = digits[2:]
    return digits


def _dns_names(names: list[str]) -> list[str]:
    """The host names among Suricata's ``subjectaltname``, where addresses, URIs and others are too."""
    return [name for name in names if _HOST_NAME.fullmatch(name)]
