"""Values in the form that ECS asks for."""

from __future__ import annotations

from typing import Any

import pytest

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Log, Registry, ecs

REGISTRY = Registry(BUILTIN)


def event(log: str, record: dict[str, Any]) -> dict[str, Any]:
    return ecs.normalize(REGISTRY.log(log), record)


def test_what_every_event_has() -> None:
    assert event("weird", {}) == {
        "ecs.version": "9.4.0",
        "event.kind": "event",
        "event.module": "zeek",
        "event.dataset": "zeek.weird",
    }
    assert event("http", {})["event.category"] == ["network", "web"]


def test_http() -> None:
    found = event(
        "http",
        {
            "ts": 1262626166.927934,
            "uid": "C1",
            "id.orig_h": "192.0.2.1",
            "id.orig_p": 1234,
            "id.resp_h": "2001:DB8::1",
            "id.resp_p": 8080,
            "method": "GET",
            "host": "a.example:8080",
            "uri": "/x?y",
            "referrer": "http://b.example/",
            "user_agent": "Evil/1.0",
            "status_code": 200,
            "request_body_len": 0,
            "response_body_len": 17,
            "trans_depth": 1,
            "tags": [],
        },
    )
    assert found == {
        "ecs.version": "9.4.0",
        "event.kind": "event",
        "event.module": "zeek",
        "event.dataset": "zeek.http",
        "event.category": ["network", "web"],
        "event.type": ["access", "protocol"],
        "network.protocol": "http",
        "@timestamp": "2010-01-04T17:29:26.927934Z",
        "trace.id": "C1",
        "source.ip": "192.0.2.1",
        "source.port": 1234,
        "destination.ip": "2001:db8::1",
        "destination.port": 8080,
        "http.request.method": "GET",
        "url.domain": "a.example",
        "url.port": 8080,
        "url.original": "/x?y",
        "http.request.referrer": "http://b.example/",
        "user_agent.original": "Evil/1.0",
        "http.response.status_code": 200,
        "http.request.body.bytes": 0,
        "http.response.body.bytes": 17,
        "zeek.http.trans_depth": 1,
        "zeek.http.tags": [],
        "related.ip": ["192.0.2.1", "2001:db8::1"],
        "related.hosts": ["a.example", "b.example"],
    }


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1.5, "1969-12-31T23:59:58.500000Z"),
        ("2024-05-06T07:08:09.123456Z", "2024-05-06T07:08:09.123456Z"),
        ("2024-05-06T09:08:09+02:00", "2024-05-06T07:08:09.000000Z"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09.000000Z"),
    ],
)
def test_times(ts: object, expected: str) -> None:
    assert event("conn", {"ts": ts})["@timestamp"] == expected


@pytest.mark.parametrize(
    ("log", "field", "value"),
    [
        ("conn", "ts", "yesterday"),
        ("conn", "ts", 1e300),
        ("conn", "ts", True),
        ("conn", "ts", float("nan")),
        ("conn", "id.orig_h", "a.example"),
        ("conn", "id.orig_h", "fe80::1%eth0"),
        ("conn", "id.orig_h", 7),
        ("conn", "id.orig_p", 70000),
        ("conn", "id.orig_p", "ssh"),
        ("conn", "duration", "long"),
        ("conn", "duration", float("inf")),
        ("conn", "duration", 1e30),
        ("conn", "orig_bytes", 1 << 63),
        ("conn", "orig_bytes", 1.5),
        ("conn", "orig_bytes", False),
        ("conn", "orig_l2_addr", "00:11"),
        ("conn", "proto", ["tcp", "udp"]),
        ("conn", "proto", None),
        ("conn", "proto", {"a": 1}),
        ("ssl", "established", "T"),
        ("ssl", "version", "unknown-64282"),
        ("ssh", "auth_success", "maybe"),
        ("files", "sha256", "abc"),
        ("files", "total_bytes", "many"),
        ("smtp", "date", "soon"),
        ("smtp", "mailfrom", "nobody"),
        ("smtp", "to", ["undisclosed-recipients:;"]),
        ("dns", "TTLs", ["x"]),
    ],
)
def test_a_value_of_another_type_breaks_no_mapping(log: str, field: str, value: object) -> None:
    found = event(log, {field: value})
    assert repr(found[f"zeek.{log}.{field}"]) == repr(value)
    assert ecs.ecs_name(REGISTRY.log(log), field) not in found


@pytest.mark.parametrize(
    ("log", "record", "expected"),
    [
        ("conn", {"duration": 0.25}, {"event.duration": 250_000_000}),
        ("conn", {"duration": 3}, {"event.duration": 3_000_000_000}),
        ("conn", {"orig_l2_addr": "00:0c:29:61:f5:5f"}, {"source.mac": "00-0C-29-61-F5-5F"}),
        (
            "conn",
            {"proto": "TCP", "service": "HTTP"},
            {"network.transport": "tcp", "network.protocol": "http"},
        ),
        ("conn", {"vlan": 7, "orig_bytes": 5.0}, {"network.vlan.id": "7", "source.bytes": 5}),
        ("conn", {"id.orig_h": "::ffff:192.0.2.1"}, {"source.ip": "192.0.2.1", "related.ip": ["192.0.2.1"]}),
        ("ssh", {"auth_success": True}, {"event.outcome": "success"}),
        ("ssh", {"auth_success": False}, {"event.outcome": "failure"}),
        ("radius", {"result": "failed"}, {"event.outcome": "failure"}),
        ("ssl", {"version": "TLSv12"}, {"tls.version": "1.2", "tls.version_protocol": "tls"}),
        ("ssl", {"version": "SSLv3"}, {"tls.version": "3", "tls.version_protocol": "ssl"}),
        ("ssl", {"version": "DTLSv10"}, {"tls.version": "1.0", "tls.version_protocol": "dtls"}),
        ("x509", {"certificate.exponent": "65537"}, {"file.x509.public_key_exponent": 65537}),
        ("x509", {"certificate.version": 3}, {"file.x509.version_number": "3"}),
        (
            "x509",
            {"certificate.not_valid_after": 4e9},
            {"file.x509.not_after": "2096-10-02T07:06:40.000000Z"},
        ),
        (
            "smtp",
            {"date": "Sun, 24 Jun 2007 10:56:03 +0200"},
            {"email.origination_timestamp": "2007-06-24T08:56:03.000000Z"},
        ),
        (
            "http",
            {"host": "[2001:db8::1]:81"},
            {"url.domain": "[2001:db8::1]", "url.port": 81, "related.ip": ["2001:db8::1"]},
        ),
        ("http", {"host": "2001:db8::1"}, {"url.domain": "2001:db8::1", "related.ip": ["2001:db8::1"]}),
        (
            "dns",
            {"qtype_name": "A", "answers": ["a.example", "192.0.2.1"], "TTLs": [60.0, 5.0]},
            {
                "dns.question.type": "A",
                "dns.answers": [{"data": "a.example", "ttl": 60}, {"data": "192.0.2.1", "ttl": 5}],
                "dns.resolved_ip": ["192.0.2.1"],
                "related.ip": ["192.0.2.1"],
                "related.hosts": ["a.example"],
            },
        ),
        (
            "dns",
            {"answers": ["a.example"]},
            {"dns.answers": [{"data": "a.example"}], "dns.resolved_ip": [], "related.hosts": ["a.example"]},
        ),
        (
            "ntlm",
            {"username": "Bob", "domainname": "CORP"},
            {
                "user.name": "Bob",
                "user.domain": "CORP",
                "related.user": ["bob", "corp\\bob"],
                "related.hosts": ["corp"],
            },
        ),
        ("files", {"md5": "A" * 32}, {"file.hash.md5": "a" * 32, "related.hash": ["a" * 32]}),
    ],
)
def test_values(log: str, record: dict[str, Any], expected: dict[str, Any]) -> None:
    found = event(log, record)
    without = event(log, {})
    assert {name: value for name, value in found.items() if name not in without} == expected


def test_a_display_name_is_kept_beside_the_address() -> None:
    found = event("smtp", {"from": "Boss <evil@a.example>", "to": ["b@c.example"]})
    assert found["email.from.address"] == ["evil@a.example"]
    assert found["zeek.smtp.from"] == "Boss <evil@a.example>"
    assert found["email.to.address"] == ["b@c.example"]
    assert "zeek.smtp.to" not in found


def test_a_users_own_log_needs_no_table() -> None:
    log = Log("mqtt_publish", ecs={"topic": "event.action"})
    assert ecs.normalize(log, {"topic": "house/bulb", "qos": 1})["zeek.mqtt_publish.qos"] == 1


def match(type_: IndicatorType, value: str, item: Item) -> dict[str, Any]:
    return ecs.enrichments([(Indicator(type_, value), "SOME::WHERE", "seen", item)])[0]


@pytest.mark.parametrize(
    ("type_", "value", "kind", "place"),
    [
        (IndicatorType.ADDR, "192.0.2.1", "ipv4-addr", {"ip": "192.0.2.1"}),
        (IndicatorType.ADDR, "2001:db8::1", "ipv6-addr", {"ip": "2001:db8::1"}),
        (IndicatorType.SUBNET, "192.0.2.0/24", "ipv4-addr", {}),
        (IndicatorType.DOMAIN, "a.example", "domain-name", {"url": {"domain": "a.example"}}),
        (IndicatorType.URL, "a.example/x", "url", {"url": {"original": "a.example/x"}}),
        (IndicatorType.URL, "/gate.php", "url", {"url": {"path": "/gate.php"}}),
        (IndicatorType.EMAIL, "a@b.example", "email-addr", {"email": {"address": "a@b.example"}}),
        (IndicatorType.FILE_NAME, "x.exe", "file", {"file": {"name": "x.exe"}}),
        (IndicatorType.FILE_HASH, "a" * 40, "file", {"file": {"hash": {"sha1": "a" * 40}}}),
        (IndicatorType.FILE_HASH, "a" * 56, "file", {}),
        (IndicatorType.CERT_HASH, "a" * 64, "x509-certificate", {"file": {"hash": {"sha256": "a" * 64}}}),
        (IndicatorType.SOFTWARE, "evil/1.0", "software", {}),
        (IndicatorType.USER_NAME, "bob", "user-account", {}),
        (IndicatorType.JA3, "0" * 32, "artifact", {}),
    ],
)
def test_an_indicator_has_a_place_in_ecs(
    type_: IndicatorType, value: str, kind: str, place: dict[str, Any]
) -> None:
    told = match(type_, value, Item("feed"))["indicator"]
    assert told == {"type": kind, "name": value, "provider": "feed", "confidence": "Not Specified", **place}


@pytest.mark.parametrize(
    ("confidence", "word"),
    [(0, "None"), (1, "Low"), (29, "Low"), (30, "Medium"), (69, "Medium"), (70, "High"), (100, "High")],
)
def test_confidence(confidence: int, word: str) -> None:
    assert (
        match(IndicatorType.ADDR, "192.0.2.1", Item("f", confidence=confidence))["indicator"]["confidence"]
        == word
    )


def test_what_a_source_told() -> None:
    item = Item("feed", "why", "high", 80, "id-1", "https://feed.example/1", ("tlp:amber", "apt"))
    found = match(IndicatorType.ADDR, "192.0.2.1", item)
    assert found["indicator"]["description"] == "why"
    assert found["indicator"]["reference"] == "https://feed.example/1"
    assert found["indicator"]["marking"] == {"tlp": "AMBER"}
    assert found["matched"] == {"atomic": "seen", "type": "SOME::WHERE", "id": "id-1"}


def test_the_field_that_matched() -> None:
    log = REGISTRY.log("files")
    record = {"source": "HTTP", "md5": "a" * 32, "sha1": "b" * 40}
    indicator = Indicator(IndicatorType.FILE_HASH, "b" * 40)
    other = Indicator(IndicatorType.DOMAIN, "a.example")
    found = ecs.enrichments(
        [
            (indicator, "Files::IN_HASH", "b" * 40, Item("feed")),
            (other, "HTTP::IN_HOST_HEADER", "a.example", Item("feed")),
        ],
        log,
        record,
    )
    assert found[0]["matched"]["field"] == "file.hash.sha1"
    # Another record of the conversation matched this one.
    assert "field" not in found[1]["matched"]
