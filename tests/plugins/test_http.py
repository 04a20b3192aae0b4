from __future__ import annotations

from typing import Any

import pytest

from threathunting.plugins import Registry, http

LOG = Registry([http.PLUGIN]).log("http")


def seen(where: str, **fields: Any) -> set[str]:
    record = {name.replace("__", "."): value for name, value in fields.items()}
    return {f"{type_}:{value}" for type_, value, at in LOG.observables(record) if at == f"HTTP::{where}"}


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("A.Example", {"domain:a.example"}),
        ("a.example:8080", {"domain:a.example"}),
        ("a.example.", {"domain:a.example"}),
        ("192.0.2.1", {"addr:192.0.2.1"}),
        ("192.0.2.1:80", {"addr:192.0.2.1"}),
        # Zeek takes an address in brackets for a name: that form is here, too.
        ("[2001:DB8::1]:80", {"addr:2001:db8::1", "domain:[2001:db8::1]"}),
        ("2001:db8::1", {"addr:2001:db8::1"}),
        ("", set()),
    ],
)
def test_host_header(host: str, found: set[str]) -> None:
    assert seen("IN_HOST_HEADER", host=host) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"host": "a.example", "uri": "/x?y=1", "id__resp_p": 80}, {"url:a.example/x?y=1"}),
        (
            {"host": "a.example:8080", "uri": "/x", "id__resp_p": 8080},
            {"url:a.example:8080/x", "url:a.example:8080:8080/x"},
        ),
        ({"host": "a.example", "uri": "/x", "id__resp_p": 8080}, {"url:a.example/x", "url:a.example:8080/x"}),
        ({"host": "a.example", "uri": "/x", "id__resp_p": 443}, {"url:a.example/x"}),
        ({"host": "a.example", "uri": "/x"}, {"url:a.example/x"}),
        ({"host": "a.example", "uri": "/"}, {"url:a.example/"}),
        ({"uri": "/x", "id__resp_h": "192.0.2.1", "id__resp_p": 80}, {"url:192.0.2.1/x"}),
        ({"uri": "/x", "id__resp_h": "2001:db8::1", "id__resp_p": 81}, {"url:[2001:db8::1]:81/x"}),
        ({"host": "a.example", "uri": "http://b.example/x"}, {"url:b.example/x"}),
        ({"host": "a.example", "uri": "HTTP://b.example:80/x?y"}, {"url:b.example/x?y"}),
        ({"host": "a.example", "uri": "*", "id__resp_p": 80}, {"url:a.example*"}),
        ({"uri": "*", "id__resp_h": "192.0.2.1", "id__resp_p": 80}, {"url:192.0.2.1*"}),
        ({"uri": "*", "id__resp_h": "192.0.2.1", "id__resp_p": 81}, {"url:192.0.2.1*", "url:192.0.2.1:81*"}),
        ({"host": "a.example"}, set()),
        ({"host": "", "uri": "/x"}, set()),
    ],
)
def test_url(fields: dict[str, Any], found: set[str]) -> None:
    assert seen("IN_URL", **fields) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"host": "a.example", "uri": "/x?y=1"}, {"url:a.example/x", "url:/x?y=1", "url:/x"}),
        ({"host": "a.example", "uri": "/x"}, {"url:/x"}),
        ({"host": "a.example", "uri": "/"}, set()),
        ({"host": "a.example", "uri": "/?x"}, {"url:a.example/", "url:/?x"}),
        ({"uri": "http://b.example/x?y"}, {"url:b.example/x"}),
        # All that Zeek reads of a URI with a second URL in it.
        ({"host": "a.example", "uri": "/r?u=http://b/"}, {"url:a.example/r", "url:/r?u=http://b/", "url:/r"}),
        ({"uri": "*"}, set()),
    ],
)
def test_parts_of_urls(fields: dict[str, Any], found: set[str]) -> None:
    assert seen("IN_URL_PATH", **fields) == found


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("a.example:443", {"domain:a.example"}),
        ("192.0.2.1:443", {"addr:192.0.2.1"}),
        ("[2001:db8::1]:443", {"addr:2001:db8::1"}),
        ("mail.example:25 /", {"domain:mail.example"}),
        ("http://a.example:8080/x", {"domain:a.example"}),
        ("http://192.0.2.1/x", {"addr:192.0.2.1"}),
        ("/x", set()),
        ("*", set()),
    ],
)
def test_host_asked_of_a_proxy(uri: str, found: set[str]) -> None:
    assert seen("IN_URI_HOST", uri=uri) == found


def test_referrer() -> None:
    url = "https://a.example/r?u=http://b.example/x"
    assert seen("IN_REFERRER_HEADER", referrer=url) == {
        "url:a.example/r?u=http://b.example/x",
        "url:b.example/x",
    }
    assert seen("IN_REFERRER_PATH", referrer=url) == {"url:a.example/r"}
    assert seen("IN_REFERRER_HOST", referrer=url) == {"domain:a.example"}
    assert seen("IN_REFERRER_HOST", referrer="http://192.0.2.1:81/") == {"addr:192.0.2.1"}
    assert seen("IN_REFERRER_HEADER", referrer="a.example/x") == {"url:a.example/x"}


def test_proxy_headers() -> None:
    proxied = [
        "X-FORWARDED-FOR -> 192.0.2.1, 192.0.2.2:1234, unknown",
        'FORWARDED -> for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8:cafe::17]:4711"',
        "TRUE-CLIENT-IP -> 192.0.2.3",
        "X-REAL-IP -> 192.0.2.4",
        "CLIENT-IP -> 192.0.2.5",
        "VIA -> 1.1 proxy.example (squid), 1.0 192.0.2.6:3128",
        "PROXY-CONNECTION -> keep-alive",
    ]
    assert seen("IN_X_FORWARDED_FOR_HEADER", proxied=proxied) == {"addr:192.0.2.1", "addr:192.0.2.2"}
    assert seen("IN_FORWARDED_HEADER", proxied=proxied) == {
        "addr:192.0.2.60",
        "addr:203.0.113.43",
        "addr:2001:db8:cafe::17",
    }
    assert seen("IN_TRUE_CLIENT_IP_HEADER", proxied=proxied) == {"addr:192.0.2.3"}
    assert seen("IN_X_REAL_IP_HEADER", proxied=proxied) == {"addr:192.0.2.4"}
    assert seen("IN_CLIENT_IP_HEADER", proxied=proxied) == {"addr:192.0.2.5"}
    assert seen("IN_VIA_HEADER", proxied=proxied) == {"domain:proxy.example", "addr:192.0.2.6"}


def test_other_fields() -> None:
    assert seen("IN_USER_AGENT_HEADER", user_agent="Evil/1.0") == {"software:evil/1.0"}
    assert seen("IN_ORIGIN_HEADER", origin="https://a.example:8443") == {"domain:a.example"}
    assert seen("IN_FILE_NAME", orig_filenames=["a.exe"], resp_filenames=["x/b.exe"]) == {
        "file_name:a.exe",
        "file_name:x/b.exe",
        "file_name:b.exe",
    }
    assert seen("IN_USER_NAME", username="Bob") == {"user_name:bob"}
