"""HTTP: host, URL, user agent, referrer, proxy headers, file and user names (http.log)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen, strings
from threathunting.plugins._values import (
    addrs_in,
    bare_host,
    file_names,
    host_addrs,
    host_names,
    is_addr,
    url_host,
)
from threathunting.records import Record

PROXY_HEADERS = (
    "X-FORWARDED-FOR",
    "X-FORWARDED-FROM",
    "FORWARDED",
    "CLIENT-IP",
    "TRUE-CLIENT-IP",
    "CF-CONNECTING-IP",
    "X-REAL-IP",
    "X-CLIENT-IP",
    "VIA",
)
"""Headers that tell the client behind a proxy. Zeek's ``HTTP::proxy_headers`` says which of them it logs."""


_FINAL_PORT = re.compile(r":[0-9]+$")


def header_names(host: object) -> Iterable[str]:
    """The host of a Host header, if it is a name; Zeek takes an IPv6 address in brackets for one, too."""
    names = host_names(host)
    if isinstance(host, str) and (names or host.startswith("[")):
        names.append(_FINAL_PORT.sub("", host))
    return names


def site_urls(host: object, uri: object, port: object) -> Iterable[str]:
    """The URL by its Host header, and as Zeek makes it: with every port but 80 put behind the header."""
    if not isinstance(host, str) or not isinstance(uri, str) or not host or _is_absolute(uri):
        return ()
    found = [host + uri] if _keeps_host(uri) else []
    if isinstance(port, int) and port != 80:
        found.append(f"{host}:{port}{uri}")
    return found


def asks_of_the_server(record: Record) -> bool:
    """Whether a request is for no path (``OPTIONS *``, and the ``PRI *`` that HTTP/2 begins with)."""
    return record.get("uri") == "*"


def server_urls(host: object) -> Iterable[str]:
    """Zeek's URL of a request for no path on port 80."""
    return (f"{host}*",) if isinstance(host, str) and host[:1] != "/" else ()


def site_paths(host: object, uri: object) -> Iterable[str]:
    """The URL by its Host header, without the query."""
    if (
        not isinstance(host, str)
        or not isinstance(uri, str)
        or not host
        or "?" not in uri
        or _is_absolute(uri)
    ):
        return ()
    return (host + uri.partition("?")[0],)


def hostless_urls(host: object, uri: object, responder: object, port: object) -> Iterable[str]:
    """The URL of a request that names no host: the responder's address stands in."""
    if host or not isinstance(uri, str) or not isinstance(responder, str) or _is_absolute(uri):
        return ()
    if ":" in responder:
        responder = f"[{responder}]"
    if isinstance(port, int) and port != 80:
        return (f"{responder}:{port}{uri}",)
    return (responder + uri,) if _keeps_host(uri) else ()


def absolute_urls(uri: object) -> Iterable[str]:
    """The URL that a request to a proxy names whole."""
    if not isinstance(uri, str) or not _is_absolute(uri):
        return ()
    return (uri,)


def paths(uri: object) -> Iterable[str]:
    """What indicators without a host are asked for (``/gate.php``): the path with and without the query."""
    if not isinstance(uri, str) or uri[:1] != "/" or uri == "/":
        return ()
    path = uri.partition("?")[0]
    return (uri,) if len(path) in (1, len(uri)) else (uri, path)


def absolute_paths(uri: object) -> Iterable[str]:
    """The URL that a request to a proxy names whole, without its query."""
    if not isinstance(uri, str) or not _is_absolute(uri) or "?" not in uri:
        return ()
    return (uri.partition("?")[0],)


def redirect_targets(url: object) -> Iterable[str]:
    """What follows a URL's last ``://``: where an open redirect goes, and all that Zeek reads of it."""
    if not isinstance(url, str):
        return ()
    rest = url.partition("://")[2]
    target = rest.rpartition("://")[2]
    return (target,) if target != rest else ()


def referrer_paths(referrer: object) -> Iterable[str]:
    """The referrer without its query."""
    if not isinstance(referrer, str) or "?" not in referrer:
        return ()
    return (referrer.partition("?")[0],)


def url_host_names(url: object) -> Iterable[str]:
    """The host of a URL, if it is a name."""
    return host_names(url_host(url)) if isinstance(url, str) else ()


def url_host_addrs(url: object) -> Iterable[str]:
    """The host of a URL, if it is an address."""
    return host_addrs(url_host(url)) if isinstance(url, str) else ()


def uri_host_names(uri: object) -> Iterable[str]:
    """The host in a request to a proxy (``http://host/``, ``CONNECT host:443``), if it is a name."""
    if not isinstance(uri, str) or not uri or uri[0] in "/*":
        return ()
    return host_names(url_host(uri) or _connect_host(uri))


def uri_host_addrs(uri: object) -> Iterable[str]:
    """The host in a request to a proxy, if it is an address."""
    if not isinstance(uri, str) or not uri or uri[0] in "/*":
        return ()
    return host_addrs(url_host(uri) or _connect_host(uri))


def header_values(header: str, proxied: object) -> Iterable[str]:
    """The values of one header among ``NAME -> value`` texts."""
    if proxied is None:
        return ()
    start = f"{header} -> "
    return [text[len(start) :] for text in strings(proxied) if text.startswith(start)]


def header_addrs(header: str, proxied: object) -> Iterable[str]:
    """The addresses in one header among ``NAME -> value`` texts."""
    return addrs_in(*header_values(header, proxied)) if proxied is not None else ()


def via_hosts(proxied: object) -> Iterable[str]:
    """The proxies' names in a Via header: ``1.1 proxy.example (squid), 1.0 other`` (RFC 9110, 7.6.3)."""
    return [
        words[1]
        for value in header_values("VIA", proxied)
        for hop in value.split(",")
        if len(words := hop.split()) > 1 and "." in words[1] and not is_addr(bare_host(words[1]))
    ]


def _is_absolute(uri: str) -> bool:
    return uri[:1] != "/" and "://" in uri


def _keeps_host(uri: str) -> bool:
    """Whether a host is still the same with this behind it."""
    return uri[:1] in ("/", "?", "#")


def _connect_host(uri: str) -> str:
    target = uri.partition(" ")[0]
    return target if ":" in target and "/" not in target else ""


PLUGIN = Plugin(
    module="HTTP",
    logs=(
        Log(
            name="http",
            seen=(
                Seen("HTTP::IN_HOST_HEADER", IndicatorType.DOMAIN, ("host",), header_names, host="host"),
                Seen("HTTP::IN_HOST_HEADER", IndicatorType.ADDR, ("host",), host_addrs, host="host"),
                Seen("HTTP::IN_URL", IndicatorType.URL, ("host", "uri", "id.resp_p"), site_urls, host="host"),
                Seen(
                    "HTTP::IN_URL",
                    IndicatorType.URL,
                    ("host", "uri", "id.resp_h", "id.resp_p"),
                    hostless_urls,
                    unless="host",
                ),
                Seen("HTTP::IN_URL", IndicatorType.URL, ("uri",), absolute_urls, host="uri"),
                Seen(
                    "HTTP::IN_URL",
                    IndicatorType.URL,
                    ("host",),
                    server_urls,
                    host="host",
                    when=asks_of_the_server,
                ),
                Seen(
                    "HTTP::IN_URL",
                    IndicatorType.URL,
                    ("id.resp_h",),
                    server_urls,
                    unless="host",
                    when=asks_of_the_server,
                ),
                Seen("HTTP::IN_URL_PATH", IndicatorType.URL, ("host", "uri"), site_paths, host="host"),
                Seen("HTTP::IN_URL_PATH", IndicatorType.URL, ("uri",), absolute_paths, host="uri"),
                Seen("HTTP::IN_URL_PATH", IndicatorType.URL, ("uri",), paths, paths=True),
                Seen("HTTP::IN_URI_HOST", IndicatorType.DOMAIN, ("uri",), uri_host_names, host="uri"),
                Seen("HTTP::IN_URI_HOST", IndicatorType.ADDR, ("uri",), uri_host_addrs, host="uri"),
                Seen("HTTP::IN_USER_AGENT_HEADER", IndicatorType.SOFTWARE, ("user_agent",)),
                Seen("HTTP::IN_REFERRER_HEADER", IndicatorType.URL, ("referrer",), host="referrer"),
                Seen(
                    "HTTP::IN_REFERRER_HEADER",
                    IndicatorType.URL,
                    ("referrer",),
                    redirect_targets,
                    host="referrer",
                ),
                Seen(
                    "HTTP::IN_REFERRER_PATH",
                    IndicatorType.URL,
                    ("referrer",),
                    referrer_paths,
                    host="referrer",
                ),
                Seen(
                    "HTTP::IN_REFERRER_HOST",
                    IndicatorType.DOMAIN,
                    ("referrer",),
                    url_host_names,
                    host="referrer",
                ),
                Seen(
                    "HTTP::IN_REFERRER_HOST",
                    IndicatorType.ADDR,
                    ("referrer",),
                    url_host_addrs,
                    host="referrer",
                ),
                Seen("HTTP::IN_ORIGIN_HEADER", IndicatorType.DOMAIN, ("origin",), url_host_names),
                Seen("HTTP::IN_ORIGIN_HEADER", IndicatorType.ADDR, ("origin",), url_host_addrs),
                *(
                    Seen(
                        f"HTTP::IN_{header.replace('-', '_')}_HEADER",
                        IndicatorType.ADDR,
                        ("proxied",),
                        partial(header_addrs, header),
                    )
                    for header in PROXY_HEADERS
                ),
                Seen("HTTP::IN_VIA_HEADER", IndicatorType.DOMAIN, ("proxied",), via_hosts),
                Seen("HTTP::IN_FILE_NAME", IndicatorType.FILE_NAME, ("orig_filenames",), file_names),
                Seen("HTTP::IN_FILE_NAME", IndicatorType.FILE_NAME, ("resp_filenames",), file_names),
                Seen("HTTP::IN_USER_NAME", IndicatorType.USER_NAME, ("username",)),
            ),
            links=("orig_fuids", "resp_fuids"),
            ecs={
                "host": "url.domain",
                "uri": "url.original",
                "username": "user.name",
                "method": "http.request.method",
                "version": "http.version",
                "referrer": "http.request.referrer",
                "user_agent": "user_agent.original",
                "request_body_len": "http.request.body.bytes",
                "response_body_len": "http.response.body.bytes",
                "status_code": "http.response.status_code",
            },
            constants={
                "event.category": ["network", "web"],
                "event.type": ["access", "protocol"],
                "network.protocol": "http",
            },
        ),
    ),
)
