"""The allow-list: what it refuses, and how it is read."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import canonical
from threathunting.intel.allowlist import AllowList
from threathunting.intel.types import Indicator, IndicatorType

SHA256, MD5 = "a" * 64, "c" * 32


def allowing(*entries: str) -> AllowList:
    allow = AllowList()
    for entry in entries:
        allow.add(entry)
    return allow


def reason(allow: AllowList, type: str, value: str, subdomains: bool = False) -> str | None:
    return allow.refuses(canonical.indicator(IndicatorType(type), value), subdomains)


@pytest.mark.parametrize(
    ("entry", "type", "value"),
    [
        ("example.com", "domain", "example.com"),
        ("example.com", "domain", "www.example.com"),
        ("example.com", "domain", "a.b.example.com"),
        ("*.example.com", "domain", "www.example.com"),
        ("*.example.com", "domain", "example.com"),
        ("Example[.]COM", "domain", "EXAMPLE.com"),
        ("domain:intranet", "domain", "host.intranet"),
        ("domain:*.intranet", "domain", "host.intranet"),
        ("example.com", "url", "http://example.com"),
        ("example.com", "url", "https://www.example.com/"),
        ("example.com", "url", "http://example.com:8080/"),
        ("192.0.2.1", "url", "http://192.0.2.1/"),
        ("2001:db8::1", "url", "http://[2001:db8::1]:8080/"),
        ("http://example.com/good", "url", "https://example.com/good"),
        ("192.0.2.1", "addr", "192.0.2.1"),
        ("192.0.2.1", "addr", "::ffff:192.0.2.1"),
        ("192.0.2.0/24", "addr", "192.0.2.77"),
        ("2001:db8::/32", "addr", "2001:db8:1::1"),
        ("fe80::/10", "addr", "fe80::1"),
        ("0.0.0.0/0", "addr", "192.0.2.1"),
        ("192.0.2.0/24", "subnet", "192.0.2.0/25"),
        ("192.0.2.0/24", "subnet", "192.0.2.0/24"),
        ("192.0.2.0/24", "subnet", "192.0.0.0/16"),
        ("192.0.2.1", "subnet", "192.0.0.0/16"),
        ("subnet:192.0.2.1", "addr", "192.0.2.1"),
        ("good@example.com", "email", "Good@Example.com"),
        ("@example.com", "email", "any@example.com"),
        (SHA256, "file_hash", SHA256.upper()),
        (SHA256, "cert_hash", SHA256),
        (MD5, "ja3", MD5),
        ("Curl/8.5.0", "software", "curl/8.5.0"),
        ("Good Agent", "software", "good agent"),
        ("software:example.com", "software", "example.com"),
        ("setup.exe", "file_name", "setup.exe"),
        ("root", "user_name", "root"),
    ],
)
def test_what_is_refused(entry: str, type: str, value: str) -> None:
    told = reason(allowing(entry), type, value)
    assert told is not None
    assert told.startswith("on the allow-list (")


@pytest.mark.parametrize(
    ("entry", "type", "value"),
    [
        ("example.com", "domain", "notexample.com"),
        ("example.com", "domain", "com"),
        ("www.example.com", "domain", "example.com"),
        ("example.com", "url", "http://example.com/bad"),
        ("example.com", "url", "http://example.com/?bad"),
        ("example.com", "url", "http://evil.com/example.com"),
        ("example.com", "email", "bad@example.com"),
        ("@example.com", "domain", "example.com"),
        ("@example.com", "email", "bad@www.example.com"),
        ("192.0.2.0/24", "addr", "192.0.3.1"),
        ("192.0.2.1", "subnet", "192.0.3.0/24"),
        ("192.0.2.1", "url", "http://192.0.2.1/bad"),
        ("software:root", "user_name", "root"),
        ("file_hash:" + SHA256, "cert_hash", SHA256),
    ],
)
def test_what_is_not_refused(entry: str, type: str, value: str) -> None:
    assert reason(allowing(entry), type, value) is None


def test_the_reason_names_the_entry() -> None:
    allow = allowing("example.com", "192.0.2.0/24", "good@example.com")
    assert reason(allow, "domain", "www.example.com") == "on the allow-list (example.com)"
    assert reason(allow, "addr", "192.0.2.9") == "on the allow-list (192.0.2.0/24)"
    assert reason(allow, "subnet", "192.0.0.0/16") == "on the allow-list (192.0.2.0/24)"


def test_a_domain_with_subdomains_may_not_have_an_allowed_one() -> None:
    allow = allowing("www.example.com")
    assert reason(allow, "domain", "example.com") is None
    assert reason(allow, "domain", "example.com", subdomains=True) == "on the allow-list (www.example.com)"
    assert reason(allow, "domain", "com", subdomains=True) is not None
    assert reason(allow, "domain", "evil.com", subdomains=True) is None


def test_an_exact_domain_leaves_its_subdomains() -> None:
    allow = AllowList()
    allow.add_exact("Example.com")
    assert reason(allow, "domain", "example.com") is not None
    assert reason(allow, "domain", "www.example.com") is None


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text(
        "\ufeff# ours\n\nexample.com   # and below\r\n192.0.2.0/24\nsoftware:curl/8.5.0\nurl:http://x.com/#top\n"
    )
    allow = AllowList()
    allow.read(path)
    for type, value in [
        ("domain", "www.example.com"), ("addr", "192.0.2.1"), ("software", "curl/8.5.0"), ("url", "x.com/#top")
    ]:  # fmt: skip
        assert reason(allow, type, value) is not None


def test_a_file_with_a_mistake_says_where(tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text("example.com\naddr:example.com\n")
    with pytest.raises(ValueError, match=r"allow\.txt:2: 'addr:example\.com' is not an IP address"):
        AllowList().read(path)
    for entry in ("192.0.2.0/99", "@", "domain:"):
        with pytest.raises(ValueError):
            AllowList().add(entry)


NETWORKS = st.sampled_from(
    ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "10.128.0.0/9", "192.0.2.0/24", "11.0.0.0/8"]
)


@given(st.lists(NETWORKS, max_size=3), NETWORKS)
def test_networks_against_a_naive_list(allowed: list[str], asked: str) -> None:
    allow = allowing(*allowed)
    network = ipaddress.ip_network(asked)
    expected = any(network.overlaps(ipaddress.ip_network(other)) for other in allowed)
    assert (allow.refuses(Indicator(IndicatorType.SUBNET, asked)) is not None) is expected


def test_an_empty_list_refuses_nothing() -> None:
    allow = AllowList()
    for type, value in [
        ("domain", "a.b"),
        ("addr", "192.0.2.1"),
        ("subnet", "192.0.2.0/24"),
        ("url", "a.b/"),
        ("email", "a@b"),
    ]:
        assert reason(allow, type, value, subdomains=True) is None
