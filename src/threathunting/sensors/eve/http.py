"""``http`` (1 and 2): http.log."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from threathunting.records import Record
from threathunting.sensors.eve.files import FileLinks
from threathunting.sensors.eve.values import Converted, Event, child, digits, objects, put, text, whole

PROXY_HEADERS = frozenset(
    (
        "FORWARDED",
        "X-FORWARDED-FOR",
        "X-FORWARDED-FROM",
        "CLIENT-IP",
        "TRUE-CLIENT-IP",
        "CF-CONNECTING-IP",
        "X-REAL-IP",
        "X-CLIENT-IP",
        "VIA",
        "XROXY-CONNECTION",
        "PROXY-CONNECTION",
    )
)
"""Headers that go to ``proxied`` as ``NAME -> value``: Zeek's, and more that name a client behind a proxy."""

_CUSTOM = (("xff", "X-FORWARDED-FOR"), ("true_client_ip", "TRUE-CLIENT-IP"))
"""Fields that EVE has where it logs single headers (``custom``) instead of all."""

NOT_SEEN = "libhtp::request_uri_not_seen"
"""Stands in Suricata's URL where a capture begins after the request."""


def http(event: Event, base: Record, links: FileLinks) -> Converted:
    """Convert an http event; files that it carried and that were already told are linked."""
    event_http = child(event, "http")
    headers = _headers(event_http)
    version = text(event_http, "protocol") or text(event_http, "version")
    transaction = whole(event, "tx_id")
    put(
        base,
        trans_depth=None if transaction is None else transaction + 1,
        method=text(event_http, "http_method"),
        host=_host(event_http, headers),
        referrer=text(event_http, "http_refer"),
        version=None if version is None else version.rpartition("/")[2].strip(),
        user_agent=text(event_http, "http_user_agent"),
        origin=headers.get("ORIGIN", [None])[-1],
        request_body_len=_length(headers),
        response_body_len=whole(event_http, "length"),
        status_code=whole(event_http, "status"),
        status_msg=text(event_http, "status_string"),
        username=_basic_user(headers),
        proxied=_proxied(event, event_http, headers),
    )
    _put_uri(base, text(event_http, "url"))
    base.update(links.take(base.get("uid"), transaction))
    yield "http", base


def _headers(event_http: Event) -> dict[str, list[str]]:
    """The request's headers by upper-case name, each with its values in order."""
    headers: dict[str, list[str]] = {}
    for header in objects(event_http, "request_headers"):
        name, value = text(header, "name"), text(header, "value")
        if name is not None and value is not None:
            headers.setdefault(name.upper(), []).append(value)
    return headers


def _host(event_http: Event, headers: dict[str, list[str]]) -> str | None:
    """The Host header as sent, with its port; without headers Suricata's host name, and the port."""
    for name in ("HOST", ":AUTHORITY"):
        if name in headers:
            return headers[name][-1]
    host = text(event_http, "hostname")
    port = whole(event_http, "http_port")
    if host is None or not port:
        return host
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _put_uri(record: Record, url: str | None) -> None:
    """The URI with its escapes undone, as Zeek has it; as sent in ``original_uri`` where that differs."""
    if url is None or NOT_SEEN in url:
        return
    record["uri"] = url
    if "%" in url:
        decoded = unquote_to_bytes(url).decode("utf-8", "backslashreplace")
        if decoded != url:
            record["uri"] = decoded
            record["original_uri"] = url


def _length(headers: dict[str, list[str]]) -> int | None:
    return digits(headers.get("CONTENT-LENGTH", [""])[-1].strip())


def _basic_user(headers: dict[str, list[str]]) -> str | None:
    """The user name of basic authentication (RFC 7617). The password is left where it is."""
    scheme, _, coded = headers.get("AUTHORIZATION", [""])[-1].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return plain.partition(b":")[0].decode("utf-8", "backslashreplace") or None


def _proxied(event: Event, event_http: Event, headers: dict[str, list[str]]) -> list[str]:
    found = [f"{name} -> {value}" for name in headers if name in PROXY_HEADERS for value in headers[name]]
    for field, name in _CUSTOM:
        value = text(event_http, field)
        if value is not None and name not in headers:
            found.append(f"{name} -> {value}")
    forwarded = text(event, "xff")
    if forwarded is not None and not any(entry.startswith("X-FORWARDED-FOR -> ") for entry in found):
        found.append(f"X-FORWARDED-FOR -> {forwarded}")
    return found
