"""STIX: patterns, what they mean, and bundles."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.formats import _stix_pattern
from threathunting.intel.formats._stix_pattern import alternatives
from threathunting.intel.formats.stix import FORMAT
from threathunting.intel.types import Item

from ..reading import added, armed, items, only_reason, read, refused, removed

SHA256, SHA1, MD5 = "a" * 64, "b" * 40, "c" * 32
ID = "indicator--00000000-0000-4000-8000-000000000001"


def indicator(pattern: object, **fields: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": ID,
        "pattern_type": "stix",
        "pattern": pattern,
    } | fields


def bundle(*objects: dict[str, Any]) -> str:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects})


def told(pattern: str) -> list[tuple[str, str]]:
    return armed(read(FORMAT, bundle(indicator(pattern))))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '192.0.2.1']", [("addr", "192.0.2.1")]),
        ("[ipv4-addr:value = '192.0.2.1/32']", [("addr", "192.0.2.1")]),
        ("[ipv4-addr:value = '192.0.2.0/24']", [("subnet", "192.0.2.0/24")]),
        ("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", [("subnet", "192.0.2.0/24")]),
        ("[ipv6-addr:value = '2001:db8::1']", [("addr", "2001:db8::1")]),
        ("[domain-name:value = 'evil[.]com']", [("domain", "evil.com")]),
        ("[domain-name:value = '*.evil.com']", [("domain", "*.evil.com")]),
        ("[hostname:value = 'evil.com']", [("domain", "evil.com")]),
        ("[url:value = 'http://evil.com/x']", [("url", "evil.com/x")]),
        (r"[url:value = 'http://evil.com/it\'s\\x']", [("url", "evil.com/it's\\x")]),
        ("[email-addr:value = 'bad@evil.com']", [("email", "bad@evil.com")]),
        ("[email-message:from_ref.value = 'bad@evil.com']", [("email", "bad@evil.com")]),
        ("[email-message:sender_ref.value = 'bad@evil.com']", [("email", "bad@evil.com")]),
        ("[email-message:to_refs[*].value = 'bad@evil.com']", [("email", "bad@evil.com")]),
        ("[file:name = 'Evil.exe']", [("file_name", "evil.exe")]),
        (f"[file:hashes.'SHA-256' = '{SHA256}']", [("file_hash", SHA256)]),
        (f"[file:hashes.SHA256 = '{SHA256}']", [("file_hash", SHA256)]),
        (f"[file:hashes.MD5 = '{MD5}']", [("file_hash", MD5)]),
        (f"[x509-certificate:hashes.'SHA-1' = '{SHA1}']", [("cert_hash", SHA1)]),
        ("[user-account:user_id = 'root']", [("user_name", "root")]),
        ("[user-account:account_login = 'root']", [("user_name", "root")]),
        ("[software:name = 'EvilAgent/1']", [("software", "evilagent/1")]),
        ("[network-traffic:dst_ref.value = '192.0.2.1']", [("addr", "192.0.2.1")]),
        ("[network-traffic:src_ref.value = 'evil.com']", [("domain", "evil.com")]),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Evil Agent']",
            [("software", "evil agent")],
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_value = '/gate.php']",
            [("url", "/gate.php")],
        ),
        # IN and OR: any of them
        ("[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]", [("addr", "192.0.2.1"), ("addr", "192.0.2.2")]),
        (
            "[domain-name:value = 'evil.com' OR ipv4-addr:value = '192.0.2.1'] OR [url:value = 'http://evil.com/']",
            [("domain", "evil.com"), ("addr", "192.0.2.1"), ("url", "evil.com/")],
        ),
        # AND that only narrows
        (
            f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-256' = '{SHA256}' AND file:name = 'invoice.pdf']",
            [("file_hash", MD5), ("file_hash", SHA256)],
        ),
        (
            f"[file:name = 'x.exe' AND (file:hashes.MD5 = '{MD5}' OR file:hashes.SHA1 = '{SHA1}')]",
            [("file_hash", MD5), ("file_hash", SHA1)],
        ),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1'"
            " AND network-traffic:dst_port = 443 AND network-traffic:protocols[*] = 'tcp']",
            [("addr", "192.0.2.1")],
        ),
        # START and STOP
        (
            "[ipv4-addr:value = '192.0.2.1'] START t'2020-01-01T00:00:00Z' STOP t'2030-01-01T00:00:00Z'",
            [("addr", "192.0.2.1")],
        ),
        (
            "([ipv4-addr:value = '192.0.2.1'])START t'2020-01-01T00:00:00Z' STOP t'2030-01-01T00:00:00Z'",
            [("addr", "192.0.2.1")],
        ),
    ],
)
def test_what_is_taken(pattern: str, expected: list[tuple[str, str]]) -> None:
    assert told(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[ipv4-addr:value = '192.0.2.1'] AND [domain-name:value = 'evil.com']", "together"),
        ("[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [domain-name:value = 'evil.com']", "in turn"),
        ("[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'evil.com']", "together"),
        (f"[file:hashes.MD5 = '{MD5}' AND artifact:hashes.'SHA-256' = '{SHA256}']", "together"),
        (
            "[email-message:from_ref.value = 'a@b.com' AND email-message:subject = 'x']",
            "asks for more than we hunt",
        ),
        (
            "[domain-name:value = 'evil.com' AND domain-name:resolves_to_refs[*].value = '192.0.2.1']",
            "asks for more",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:src_ref.value = '192.0.2.2']",
            "together",
        ),
        ("[network-traffic:dst_port = 443 AND network-traffic:protocols[*] = 'tcp']", "is not hunted"),
        (f"[file:hashes.MD5 = '{MD5}' AND file:parent_directory_ref.path = 'C:\\\\x']", "asks for more"),
        ("[ipv4-addr:value != '192.0.2.1']", "NOT and !="),
        ("[ipv4-addr:value NOT = '192.0.2.1']", "NOT and !="),
        ("[NOT ipv4-addr:value = '192.0.2.1']", "not a STIX pattern"),
        ("[domain-name:value LIKE '%evil.com']", "LIKE is not hunted"),
        ("[domain-name:value MATCHES '.*evil']", "MATCHES is not hunted"),
        ("[ipv4-addr:value ISSUPERSET '192.0.2.0/24']", "ISSUPERSET is not hunted"),
        ("[url:value ISSUBSET '192.0.2.0/24']", "ISSUBSET is hunted on addresses only"),
        ("[file:size > 5]", "file:size is not hunted"),
        ("[EXISTS file:name]", "EXISTS is not hunted"),
        ("[file:hashes.SSDEEP = 'x']", "file:hashes.ssdeep is not hunted"),
        (f"[file:hashes.'SHA3-256' = '{SHA256}']", "file:hashes.sha3-256 is not hunted"),
        ("[windows-registry-key:key = 'x']", "windows-registry-key:key is not hunted"),
        ("[ipv4-addr:value = '192.0.2.1'] WITHIN 5 SECONDS", "WITHIN is not hunted"),
        ("[ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES", "REPEATS is not hunted"),
        ("[ipv4-addr:value = 'nonsense']", "not an IP address"),
        ("[file:hashes.MD5 = 'xyz']", "not hexadecimal"),
        ("nonsense", "not a STIX pattern"),
        ("", "not a STIX pattern"),
        ("[" + "(" * 3000 + "ipv4-addr:value = '192.0.2.1'" + ")" * 3000 + "]", "nested too deeply"),
        ("x" * (1 << 19), "longer than"),
        (
            "[" + " AND ".join(["(a:b = '1' OR a:b = '2')"] * 20) + "]",
            "multiplies out to 1048576 alternatives",
        ),
    ],
)
def test_what_is_refused(pattern: str, reason: str) -> None:
    entries = read(FORMAT, bundle(indicator(pattern)))
    assert reason in only_reason(entries)
    assert only_reason(entries).startswith(f"indicator {ID}: ") or "'" in reason or reason.startswith("not ")
    assert added(entries) == []


def test_of_alternatives_the_good_ones_are_taken() -> None:
    entries = read(
        FORMAT, bundle(indicator("[domain-name:value = 'evil.com' OR domain-name:value LIKE '%x']"))
    )
    assert added(entries) == [("domain", "evil.com")]
    assert refused(entries) == [(0, f"indicator {ID}: LIKE is not hunted")]


def test_thousands_of_alternatives() -> None:
    pattern = " OR ".join(f"ipv4-addr:value = '10.0.{n // 256}.{n % 256}'" for n in range(2000))
    assert len(told(f"[{pattern}]")) == 2000


@given(st.text("ab'\\ .:=[]()*", max_size=12))
def test_the_short_cut_reads_as_the_parser_does(value: str) -> None:
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    quick = alternatives(f"[file:name = {quoted}]")
    parsed = alternatives(f"[(file:name = {quoted})]")
    assert quick == parsed
    assert quick[0].tests[0].values == (value,)


def test_without_the_parser_simple_patterns_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("stix2patterns"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    data = bundle(
        indicator("[ipv4-addr:value = '192.0.2.1']"),
        indicator("[ipv4-addr:value IN ('192.0.2.2')]", id="indicator--2"),
    )
    entries = read(FORMAT, data)
    assert added(entries) == [("addr", "192.0.2.1")]
    assert "pip install 'threathunting[stix]'" in only_reason(entries)


def test_all_that_an_indicator_tells() -> None:
    identity = {"type": "identity", "id": "identity--1", "name": "CERT"}
    data = bundle(
        indicator(
            "[domain-name:value = 'evil.com']",
            name="Bad domain",
            description="It is bad.",
            created_by_ref="identity--1",
            confidence=90,
            valid_from="2020-01-01T00:00:00Z",
            valid_until="2030-01-01T00:00:00Z",
            labels=["tlp:amber"],
            indicator_types=["malicious-activity", "tlp:amber"],
            external_references=[
                {"source_name": "x"},
                {"url": "https://cert.example/1"},
                {"url": "https://two/"},
            ],
        ),
        identity,
    )
    assert items(read(FORMAT, data)) == [
        Item(
            "CERT",
            desc="Bad domain",
            level="high",
            confidence=90,
            id=ID,
            url="https://cert.example/1",
            tags=("tlp:amber", "malicious-activity"),
            expires=1893456000.0,
        )
    ]


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, "low"),
        ({"confidence": 49}, "low"),
        ({"confidence": 50}, "medium"),
        ({"confidence": 85}, "high"),
        ({"confidence": 100, "labels": ["severity:low"]}, "low"),
        ({"labels": ["Threat-Level=Critical"]}, "critical"),
        ({"labels": ["level:bogus"]}, "low"),
        ({"severity": "Critical", "labels": ["severity:low"]}, "critical"),
    ],
)
def test_levels(fields: dict[str, Any], level: str) -> None:
    (item,) = items(read(FORMAT, bundle(indicator("[domain-name:value = 'evil.com']", **fields))))
    assert item.level == level


def test_descriptions() -> None:
    def desc(**fields: Any) -> str:
        (item,) = items(read(FORMAT, bundle(indicator("[domain-name:value = 'evil.com']", **fields))))
        return item.desc

    assert desc(name="evil.com", description="bad") == "bad"
    assert desc(description="bad") == "bad"
    assert desc(name="Bad") == "Bad"
    assert desc() == ""


def test_the_sooner_end_counts() -> None:
    pattern = "[domain-name:value = 'evil.com'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'"
    for until in (None, "2030-01-01T00:00:00Z"):
        (item,) = items(read(FORMAT, bundle(indicator(pattern, valid_until=until))))
        assert item.expires == 1609459200.0
    (item,) = items(read(FORMAT, bundle(indicator(pattern, valid_until="2020-06-01T00:00:00Z"))))
    assert item.expires == 1590969600.0


def test_revoked_is_a_removal_and_the_last_version_counts() -> None:
    pattern = "[domain-name:value = 'evil.com']"
    other = "indicator--2"
    data = bundle(
        indicator("[domain-name:value = 'live.com']", id=other, modified="2024-01-02T00:00:00Z"),
        indicator(pattern, modified="2024-01-02T00:00:00.5Z", revoked=True),
        indicator(pattern, modified="2024-01-02T00:00:00Z"),
        indicator("[domain-name:value = 'old.com']", id=other, modified="2023-01-02T00:00:00Z"),
    )
    entries = read(FORMAT, data)
    assert removed(entries) == [("domain", "evil.com", "feed")]
    assert added(entries) == [("domain", "live.com")]
    assert entries[0].line == 0
    assert removed(entries[:1])


def test_other_pattern_types_are_refused() -> None:
    entries = read(FORMAT, bundle(indicator("rule x {}", pattern_type="yara")))
    assert only_reason(entries) == f"indicator {ID}: pattern_type yara is not hunted"


@pytest.mark.parametrize(
    "wrap",
    [
        json.dumps,
        lambda one: json.dumps([one]),
        lambda one: json.dumps({"more": False, "objects": [one]}),
        lambda one: (
            "\ufeff" + json.dumps({"type": "bundle", "spec_version": "2.0", "objects": [one]}, indent=1)
        ),
    ],
)
def test_bundles_envelopes_and_lists(wrap: Callable[[dict[str, Any]], str]) -> None:
    one = indicator("[domain-name:value = 'evil.com']")
    del one["pattern_type"], one["spec_version"]  # as in STIX 2.0
    data = wrap(one)
    assert armed(read(FORMAT, data)) == [("domain", "evil.com")]
    assert FORMAT.looks_like("x", data.encode())


ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 5, 1.5, "x", "", [], ["x", 5, None], {}, {"a": 1}, [[]], "9" * 400]
)
FIELDS = [
    *indicator(""), "name", "description", "created_by_ref", "confidence", "valid_from", "valid_until", "labels",
    "indicator_types", "external_references", "revoked", "modified", "level",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_wrong_types_in_any_field(fields: dict[str, Any]) -> None:
    good = indicator("[domain-name:value = 'evil.com']", id="indicator--good")
    entries = read(
        FORMAT,
        bundle(
            {"type": "identity", "id": ["x"], "name": 5}, indicator("[url:value = 'a.com/']") | fields, good
        ),
    )
    assert ("domain", "evil.com") in added(entries)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"type": "bundle", "objects": []}', "holds no indicator"),
        ('{"type": "bundle", "objects": 5}', "not a STIX bundle"),
        ('{"type": "bundle", "objects": [5]}', "object 1 is no STIX object"),
        ('{"type": "bundle", "obj', "not a STIX bundle"),
        ("[" * 100_000, "not a STIX bundle"),
        ("", "not a STIX bundle"),
        ('{"type": "indicator"}', "has no pattern"),
    ],
)
def test_broken_files(data: str, reason: str) -> None:
    assert any(reason in found for _, found in refused(read(FORMAT, data)))


def test_a_deeply_nested_object_costs_no_other() -> None:
    deep = '{"type": "indicator", "x": ' + "[" * 5000 + "]" * 5000 + "}"
    data = (
        '{"type":"bundle","objects":['
        + json.dumps(indicator("[domain-name:value = 'evil.com']"))
        + ","
        + deep
        + "]}"
    )
    entries = read(FORMAT, data)
    assert added(entries) in ([("domain", "evil.com")], [])
    assert len(refused(entries)) == 1


def test_the_limit_of_alternatives_is_what_the_reason_tells() -> None:
    assert _stix_pattern.MAX_ALTERNATIVES < 1048576
