"""Records in the Elastic Common Schema, version 9.4 (https://www.elastic.co/docs/reference/ecs).

A plugin says which field becomes which ECS name (``Log.ecs``); here values get the form and type that the
name asks for. What has no ECS name, or no value of its type, stands under ``zeek.<log>.``, so that no record
is lost to a mapping error and nothing of it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from threathunting.intel.canonical import addr
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins._api import COMMON_ECS, Log
from threathunting.plugins._values import emails_in, is_addr
from threathunting.records import Record

ECS_VERSION = "9.4.0"

_LONG = 1 << 63
_HOST_AND_PORT = re.compile(r"([^:]+|\[[^\]]*\]):(\d{1,4}|[1-5]\d{4})", re.A)
_HOST_NAME = re.compile(r"[a-z0-9_\-.]+")
_MAC_DIGITS = re.compile(r"(?:[0-9A-F]{12}|[0-9A-F]{16})")
_TLS_VERSION = re.compile(r"(SSL|TLS|DTLS)[v ]?(\d)\.?(\d?)", re.I)
_TLP = re.compile(r"tlp:(clear|white|green|amber|amber\+strict|red)", re.I)


def normalize(log: Log, record: Record) -> dict[str, Any]:
    """A record as an ECS event, with flat dotted names."""
    event: dict[str, Any] = {
        "ecs.version": ECS_VERSION,
        "event.kind": "event",
        "event.module": "zeek",
        "event.dataset": f"zeek.{log.name}",
        **log.constants,
    }
    for name, value in record.items():
        target = log.ecs.get(name) or COMMON_ECS.get(name)
        own = f"zeek.{log.name}.{name}"
        if target is None:
            event[own] = value
            continue
        try:
            event[target] = converted = _CONVERT.get(target, _keyword)(value)
        except (ValueError, OverflowError, OSError):
            event[own] = value
            continue
        if target in _LOSSY and converted not in (value, [value]):
            event[own] = value
    _derive(event)
    _relate(event, log, record)
    return event


def ecs_name(log: Log, field: str) -> str:
    """The name that a log's field has in ECS output, provided that its value is of the right type."""
    return log.ecs.get(field) or COMMON_ECS.get(field) or f"zeek.{log.name}.{field}"


def _derive(event: dict[str, Any]) -> None:
    """Fields that ECS wants apart and Zeek writes as one."""
    answers = event.pop("dns.answers.data", None)
    ttls = event.pop("dns.answers.ttl", None) or []
    if answers is not None:
        event["dns.answers"] = [
            {"data": data} | ({"ttl": ttls[place]} if place < len(ttls) else {})
            for place, data in enumerate(answers)
        ]
        event["dns.resolved_ip"] = [addr(data) for data in answers if is_addr(data)]
    if "url.domain" in event and (parts := _HOST_AND_PORT.fullmatch(event["url.domain"])):
        event["url.domain"], event["url.port"] = parts.group(1), int(parts.group(2))
    version = event.get("tls.version")
    if version is not None:
        event["tls.version_protocol"], event["tls.version"] = version


def _relate(event: dict[str, Any], log: Log, record: Record) -> None:
    """Gather what the event is about under ``related.*``, where SIEMs pivot."""
    ips = {
        event[name]: None
        for name in ("source.ip", "destination.ip", "client.ip", "server.ip")
        if name in event
    }
    hosts: dict[str, None] = {}
    users: dict[str, None] = {}
    hashes: dict[str, None] = {}
    for type_, value, _ in log.observables(record):
        if type_ is IndicatorType.ADDR:
            ips[value] = None
        elif type_ is IndicatorType.DOMAIN and _HOST_NAME.fullmatch(value) and not is_addr(value):
            hosts[value] = None
        elif type_ is IndicatorType.USER_NAME:
            users[value] = None
        elif type_ in _HASHES:
            hashes[value] = None
    for name, found in (("ip", ips), ("hosts", hosts), ("user", users), ("hash", hashes)):
        if found:
            event[f"related.{name}"] = list(found)


_HASHES = frozenset(
    {
        IndicatorType.FILE_HASH,
        IndicatorType.CERT_HASH,
        IndicatorType.PUBKEY_HASH,
        IndicatorType.JA3,
        IndicatorType.JA4,
        IndicatorType.HASSH,
    }
)


def _keyword(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueError("is not one text")


def _keywords(value: object) -> list[str]:
    return [_keyword(element) for element in value] if isinstance(value, list) else [_keyword(value)]


def _lower(value: object) -> str:
    return _keyword(value).lower()


def _long(value: object) -> int:
    if isinstance(value, str):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_LONG <= value < _LONG:
        raise ValueError("is not a 64-bit number")
    return value


def _port(value: object) -> int:
    number = _long(value)
    if not 0 <= number <= 65535:
        raise ValueError("is not a port")
    return number


def _longs(value: object) -> list[int]:
    if not isinstance(value, list):
        raise ValueError("is not a list")  # noqa: TRY004
    return [_long(element) for element in value]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is not true or false")  # noqa: TRY004
    return value


def _ip(value: object) -> str:
    return addr(_keyword(value))


def _date(value: object) -> str:
    """RFC 3339 in UTC with microseconds, of seconds since the epoch or of an ISO 8601 text."""
    if isinstance(value, bool):
        raise ValueError("is not a time")  # noqa: TRY004
    if isinstance(value, int | float):
        return _rfc3339(datetime.fromtimestamp(value, UTC))
    moment = datetime.fromisoformat(_keyword(value))
    return _rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _mail_date(value: object) -> str:
    """RFC 3339 of a Date header (RFC 5322, 3.3)."""
    try:
        moment = parsedate_to_datetime(_keyword(value))
    except (TypeError, IndexError) as error:
        raise ValueError("is not a mail's date") from error
    return _rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"


def _nanoseconds(value: object) -> int:
    """Nanoseconds of an interval in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not an interval")  # noqa: TRY004
    return _long(round(value * 1_000_000_000))


def _outcome(value: object) -> str:
    if isinstance(value, bool):
        return "success" if value else "failure"
    outcome = {"success": "success", "failure": "failure", "failed": "failure", "unknown": "unknown"}
    if not isinstance(value, str) or value.lower() not in outcome:
        raise ValueError("is no outcome that ECS has")
    return outcome[value.lower()]


def _mac(value: object) -> str:
    """The form of RFC 7042: ``00-00-5E-00-53-23``."""
    digits = re.sub(r"[:.\-]", "", _keyword(value)).upper()
    if not _MAC_DIGITS.fullmatch(digits):
        raise ValueError("is not a MAC address")
    return "-".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def _hash(length: int) -> Callable[[object], str]:
    pattern = re.compile(rf"[0-9a-fA-F]{{{length}}}")

    def convert(value: object) -> str:
        text = _keyword(value)
        if not pattern.fullmatch(text):
            raise ValueError(f"has not {length} hex digits")
        return text.lower()

    return convert


def _email_address(value: object) -> str:
    found = _email_addresses(value)
    if len(found) != 1:
        raise ValueError("is not one e-mail address")
    return found[0]


def _email_addresses(value: object) -> list[str]:
    found = emails_in(value)
    if not found:
        raise ValueError("holds no e-mail address")
    return list(dict.fromkeys(found))


def _tls_version(value: object) -> tuple[str, str]:
    """(``tls``, ``1.2``) of Zeek's ``TLSv12``; ``_derive`` puts each where it belongs."""
    match = _TLS_VERSION.fullmatch(_keyword(value))
    if match is None:
        raise ValueError("is no version of TLS")
    protocol, major, minor = match.groups()
    return protocol.lower(), f"{major}.{minor}" if minor else major


_CONVERT: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(
        (
            "@timestamp",
            "email.delivery_timestamp",
            "event.created",
            "event.end",
            "event.ingested",
            "event.start",
            "file.accessed",
            "file.created",
            "file.ctime",
            "file.mtime",
            *(
                f"{holder}.x509.not_{side}"
                for holder in ("file", "tls.client", "tls.server")
                for side in ("before", "after")
            ),
            *(f"tls.{end}.not_{side}" for end in ("client", "server") for side in ("before", "after")),
        ),
        _date,
    ),
    "email.origination_timestamp": _mail_date,
    "event.duration": _nanoseconds,
    "event.outcome": _outcome,
    **dict.fromkeys(
        (
            *(
                f"{end}.{unit}"
                for end in ("source", "destination", "client", "server")
                for unit in ("bytes", "packets")
            ),
            "event.sequence",
            "event.severity",
            "file.size",
            "http.request.body.bytes",
            "http.request.bytes",
            "http.response.body.bytes",
            "http.response.bytes",
            "http.response.status_code",
            "log.syslog.facility.code",
            "log.syslog.priority",
            "log.syslog.severity.code",
            "network.bytes",
            "network.packets",
            *(
                f"{holder}.x509.public_key_{what}"
                for holder in ("file", "tls.client", "tls.server")
                for what in ("exponent", "size")
            ),
        ),
        _long,
    ),
    **dict.fromkeys(
        (
            *(
                f"{end}.{what}"
                for end in ("source", "destination", "client", "server")
                for what in ("port", "nat.port")
            ),
            "url.port",
        ),
        _port,
    ),
    **dict.fromkeys(
        (
            *(
                f"{end}.{what}"
                for end in ("source", "destination", "client", "server")
                for what in ("ip", "nat.ip")
            ),
            "network.forwarded_ip",
        ),
        _ip,
    ),
    **dict.fromkeys(("tls.established", "tls.resumed"), _boolean),
    **dict.fromkeys((f"{end}.mac" for end in ("source", "destination", "client", "server")), _mac),
    **dict.fromkeys(
        (f"network.{what}" for what in ("application", "direction", "protocol", "transport", "type")), _lower
    ),
    **{
        f"{holder}.hash.{algorithm}": _hash(length)
        for holder in ("file", "tls.client", "tls.server")
        for algorithm, length in (("md5", 32), ("sha1", 40), ("sha256", 64), ("sha384", 96), ("sha512", 128))
    },
    "email.sender.address": _email_address,
    **dict.fromkeys(
        (f"email.{who}.address" for who in ("from", "to", "cc", "bcc", "reply_to")), _email_addresses
    ),
    "tls.version": _tls_version,
    "dns.answers.data": _keywords,
    "dns.answers.ttl": _longs,
    **dict.fromkeys(
        (
            "dns.header_flags",
            "event.category",
            "event.type",
            "file.attributes",
            "tags",
            *(f"{holder}.x509.alternative_names" for holder in ("file", "tls.client", "tls.server")),
            "tls.client.certificate_chain",
            "tls.client.supported_ciphers",
            "tls.server.certificate_chain",
        ),
        _keywords,
    ),
}
"""How the value of an ECS name is made, by name; names that aren't here hold one text."""

_LOSSY = frozenset(f"email.{who}.address" for who in ("from", "to", "cc", "bcc", "reply_to"))
"""Names of which the field is kept as well, where the value lost something (the name beside an address)."""

Match = tuple[Indicator, str, str, Item]
"""A matched indicator, the ``where`` and the value that it was seen with, and one of its items."""


def enrichments(
    matches: Iterable[Match], log: Log | None = None, record: Record | None = None
) -> list[dict[str, Any]]:
    """``threat.enrichments`` of an event: one object for each match.

    With the event's ``log`` and ``record``, a match of that very record names the field that it was in.
    """
    fields: dict[tuple[str, str], str] = {}
    if log is not None and record is not None:
        for seen in log.seen:
            for _, value, where in replace(log, seen=(seen,)).observables(record):
                fields.setdefault((where, value), ecs_name(log, seen.fields[0]))
    return [_enrichment(match, fields.get((match[1], match[2]))) for match in matches]


def _enrichment(match: Match, field: str | None) -> dict[str, Any]:
    indicator, where, value, item = match
    told: dict[str, Any] = {
        "type": _indicator_type(indicator),
        "name": indicator.value,
        "provider": item.source,
        "confidence": _confidence(item.confidence),
        **_indicator_value(indicator),
    }
    if item.desc:
        told["description"] = item.desc
    if item.url:
        told["reference"] = item.url
    for tag in item.tags:
        if tlp := _TLP.fullmatch(tag):
            told["marking"] = {"tlp": tlp.group(1).upper()}
    matched = {"atomic": value, "type": where}
    if field is not None:
        matched["field"] = field
    if item.id:
        matched["id"] = item.id
    return {"indicator": told, "matched": matched}


_INDICATOR_TYPES = {
    IndicatorType.URL: "url",
    IndicatorType.SOFTWARE: "software",
    IndicatorType.EMAIL: "email-addr",
    IndicatorType.DOMAIN: "domain-name",
    IndicatorType.USER_NAME: "user-account",
    IndicatorType.CERT_HASH: "x509-certificate",
    IndicatorType.FILE_HASH: "file",
    IndicatorType.FILE_NAME: "file",
}

_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def _indicator_type(indicator: Indicator) -> str:
    """The name that ECS expects in ``threat.indicator.type``, which are STIX 2's."""
    if indicator.type in (IndicatorType.ADDR, IndicatorType.SUBNET):
        return "ipv6-addr" if ":" in indicator.value else "ipv4-addr"
    return _INDICATOR_TYPES.get(indicator.type, "artifact")


def _indicator_value(indicator: Indicator) -> dict[str, Any]:
    """The indicator in the field of its kind, where ECS has one."""
    type_, value = indicator
    if type_ is IndicatorType.ADDR:
        return {"ip": value}
    if type_ is IndicatorType.DOMAIN:
        return {"url": {"domain": value}}
    if type_ is IndicatorType.URL:
        return {"url": {"path": value} if value.startswith("/") else {"original": value}}
    if type_ is IndicatorType.EMAIL:
        return {"email": {"address": value}}
    if type_ is IndicatorType.FILE_NAME:
        return {"file": {"name": value}}
    if type_ in (IndicatorType.FILE_HASH, IndicatorType.CERT_HASH) and len(value) in _ALGORITHMS:
        return {"file": {"hash": {_ALGORITHMS[len(value)]: value}}}
    return {}


def _confidence(confidence: int | None) -> str:
    """The words of ECS for a number of STIX (2.1, appendix A, None / Low / Med / High)."""
    if confidence is None:
        return "Not Specified"
    for least, word in ((70, "High"), (30, "Medium"), (1, "Low")):
        if confidence >= least:
            return word
    return "None"


__all__ = ["ECS_VERSION", "Match", "ecs_name", "enrichments", "normalize"]
