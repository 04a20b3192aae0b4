"""Types told by shape."""

from __future__ import annotations

import pytest
from hypothesis import given

from threathunting.intel import canonical
from threathunting.intel.formats._shape import FILE_ENDINGS, address, name, shape
from threathunting.intel.types import IndicatorType

from ..values import WRITTEN, odd_text


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("evil.com", "domain", "evil.com"),
        ("Evil.Com.", "domain", "Evil.Com"),
        ("evil[.]com", "domain", "evil.com"),
        ("evil.example", "domain", "evil.example"),
        ("evil.onion", "domain", "evil.onion"),
        ("_dmarc.evil.co.uk", "domain", "_dmarc.evil.co.uk"),
        ("evil.com:8443", "domain", "evil.com"),
        ("bücher.de", "domain", "bücher.de"),
        ("пример.рф", "domain", "пример.рф"),
        ("www.evil.ck", "domain", "www.evil.ck"),
        ("payload.zip", "domain", "payload.zip"),
        ("evil.exe", "file_name", "evil.exe"),
        ("Invoice_2023.docx", "file_name", "Invoice_2023.docx"),
        ("archive.tar.gz", "file_name", "archive.tar.gz"),
        ("192.0.2.1", "addr", "192.0.2.1"),
        ("192.0.2[.]1", "addr", "192.0.2.1"),
        ("192.0.2.1:443", "addr", "192.0.2.1"),
        ("tcp://192.0.2.1:443", "addr", "192.0.2.1"),
        ("192.0.2.1/32", "addr", "192.0.2.1/32"),
        ("2001:db8::1", "addr", "2001:db8::1"),
        ("[2001:db8::1]:443", "addr", "2001:db8::1"),
        ("192.0.2.0/24", "subnet", "192.0.2.0/24"),
        ("2001:db8::/32", "subnet", "2001:db8::/32"),
        ("http://evil.com/x", "url", "http://evil.com/x"),
        ("hxxps[://]evil[.]com/x", "url", "https://evil.com/x"),
        ("evil.com/gate.php?id=1", "url", "evil.com/gate.php?id=1"),
        ("evil.com:8080/x", "url", "evil.com:8080/x"),
        ("192.0.2.1/x/y", "url", "192.0.2.1/x/y"),
        ("[2001:db8::1]/x", "url", "[2001:db8::1]/x"),
        ("/gate.php", "url", "/gate.php"),
        ("bad@evil.com", "email", "bad@evil.com"),
        ("bad[at]evil[.]com", "email", "bad@evil.com"),
        ("d41d8cd98f00b204e9800998ecf8427e", "file_hash", "d41d8cd98f00b204e9800998ecf8427e"),
        ("A" * 40, "file_hash", "A" * 40),
        ("a" * 56, "file_hash", "a" * 56),
        ("a" * 64, "file_hash", "a" * 64),
        ("a" * 96, "file_hash", "a" * 96),
        ("a" * 128, "file_hash", "a" * 128),
        ("sha256:" + "a" * 64, "file_hash", "a" * 64),
        ("SHA-1:" + "a" * 40, "file_hash", "a" * 40),
        ("SHA256:" + "aB3" * 14 + "x", "pubkey_hash", "SHA256:" + "aB3" * 14 + "x"),
        ("SHA256://" + "aB3" * 13 + "xy", "pubkey_hash", "SHA256://" + "aB3" * 13 + "xy"),
        (":".join(["ab"] * 16), "pubkey_hash", ":".join(["ab"] * 16)),
        (":".join(["ab"] * 20), "cert_hash", ":".join(["ab"] * 20)),
        (":".join(["ab"] * 32), "cert_hash", ":".join(["ab"] * 32)),
        ("t13d1516h2_8daaf6152771_e5627efa2ab1", "ja4", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
        ("ja3:" + "a" * 32, "ja3", "a" * 32),
        ("hassh: " + "a" * 32, "hassh", "a" * 32),
        ("software:Evil Agent/1.0", "software", "Evil Agent/1.0"),
        ("user_name:root", "user_name", "root"),
        ("file_name:invoice", "file_name", "invoice"),
    ],
)
def test_shapes(text: str, type: str, value: str) -> None:
    assert shape(text) == (IndicatorType(type), value, False)


@pytest.mark.parametrize("text", ["*.evil.com", ".evil.com", "*.evil[.]com"])
def test_subdomains(text: str) -> None:
    assert shape(text) == (IndicatorType.DOMAIN, "evil.com", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("evil", "has no shape"),
        ("CVE-2021-44228", "has no shape"),
        ("C:\\temp\\evil.exe", "has no shape"),
        ("evil.bogus", "no known top-level domain or file ending"),
        ("*.evil.exe", "no known top-level domain or file ending"),
        ("evil.exe:80", "no known top-level domain or file ending"),
        ("192.0.2", "ends in a number"),
        ("192.0.2.1-192.0.2.9", "ends in a number"),
        ("Evil Agent/1.0", "holds a space"),
        ("curl/8.5.0", "begins with no host"),
        ("evil.exe/x", "begins with no host"),
        ("a" * 33, "has no shape"),
        ("ja3:", "has no shape"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        shape(text)


SELF_EVIDENT = [
    type
    for type in IndicatorType
    if type.value in ("addr", "subnet", "email", "pubkey_hash", "ja4", "file_hash")
]


@pytest.mark.parametrize("type", SELF_EVIDENT)
def test_what_is_of_a_self_evident_type_is_told_to_be(type: IndicatorType) -> None:
    @given(WRITTEN[type])
    def check(text: str) -> None:
        expected = canonical.indicator(type, text)
        found = shape(text)
        made = canonical.indicator(found.type, found.value)
        whole = IndicatorType.SUBNET, IndicatorType.ADDR
        if type in whole and text.endswith(("/32", "/128")):
            assert expected.value in (made.value, f"{made.value}/32", f"{made.value}/128")
        else:
            assert made == expected

    check()


@given(odd_text)
def test_any_text_is_told_or_refused(text: str) -> None:
    try:
        found = shape(text)
    except ValueError as error:
        assert str(error)
    else:
        assert found.value


def test_a_hostile_line_takes_no_time() -> None:
    # Each would take minutes, were a pattern to go back and forth over it.
    for text in (
        "a@" + "a." * 500_000 + "/",
        "a." * 500_000 + "!",
        "1:" * 500_000,
        "-" * 1_000_000,
        "[" * 1_000_000,
    ):
        with pytest.raises(ValueError):
            shape(text)


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1:80", "192.0.2.1", "[2001:db8::1]:80", "2001:db8::1", "192.0.2.1/32", "2001:db8::1/128"],
)
def test_address(text: str) -> None:
    found = address(text)
    assert found.type is IndicatorType.ADDR
    assert canonical.indicator(*found[:2]).value in ("192.0.2.1", "2001:db8::1")


def test_address_of_a_network() -> None:
    assert address("192.0.2.0/24").type is IndicatorType.SUBNET
    assert address("2001:db8::/32").type is IndicatorType.SUBNET


def test_name() -> None:
    assert name("evil.bogus:80") == (IndicatorType.DOMAIN, "evil.bogus", False)
    assert name("*.evil[.]bogus") == (IndicatorType.DOMAIN, "evil.bogus", True)


def test_endings_that_are_top_level_domains_make_domains() -> None:
    assert not {"com", "zip", "mov", "sh", "py", "pl", "rs"} & FILE_ENDINGS
