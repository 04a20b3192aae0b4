"""Canonical forms: each type's, refanging, and that none changes when made again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import canonical
from threathunting.intel.canonical import refang
from threathunting.intel.types import Indicator, IndicatorType

from .values import WRITTEN, odd_text, urls

TYPES = list(IndicatorType)


@pytest.mark.parametrize("type", TYPES)
@given(data=st.data())
def test_idempotent_on_any_text(type: IndicatorType, data: st.DataObject) -> None:
    text = data.draw(odd_text)
    try:
        first = canonical.canonical(type, text)
    except ValueError:
        return
    assert canonical.canonical(type, first) == first


@pytest.mark.parametrize("type", TYPES)
@given(data=st.data())
def test_idempotent_on_what_people_write(type: IndicatorType, data: st.DataObject) -> None:
    first = canonical.canonical(type, data.draw(WRITTEN[type]))
    assert first
    assert canonical.canonical(type, first) == first


@pytest.mark.parametrize("type", TYPES)
@given(data=st.data())
def test_an_indicator_read_again_is_the_same(type: IndicatorType, data: st.DataObject) -> None:
    text = data.draw(st.one_of(odd_text, WRITTEN[type]))
    try:
        first = canonical.indicator(type, text)
    except ValueError:
        return
    assert canonical.indicator(type, first.value) == first


@given(odd_text)
def test_refang_is_idempotent(text: str) -> None:
    assert refang(refang(text)) == refang(text)


@given(st.one_of(urls, odd_text))
def test_the_short_cut_of_url_gives_what_the_long_way_gives(text: str) -> None:
    def made() -> str:
        try:
            return canonical.url(text)
        except ValueError as error:
            return f"refused: {error}"

    quick = made()
    usual = canonical._USUAL_URL
    canonical._USUAL_URL = re.compile("(?!)(.)")
    try:
        assert made() == quick
    finally:
        canonical._USUAL_URL = usual


@given(st.one_of(WRITTEN[IndicatorType.DOMAIN], odd_text))
def test_the_short_cut_of_domain_gives_what_the_long_way_gives(text: str) -> None:
    def made() -> str:
        try:
            return canonical.domain(text)
        except ValueError as error:
            return f"refused: {error}"

    quick = made()
    usual = canonical._USUAL_DOMAIN
    canonical._USUAL_DOMAIN = re.compile("(?!)")
    try:
        assert made() == quick
    finally:
        canonical._USUAL_DOMAIN = usual


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("addr", " 192.0.2.1 ", "192.0.2.1"),
        ("addr", "192.0.2.1/32", "192.0.2.1"),
        ("addr", "2001:DB8:0:0::1", "2001:db8::1"),
        ("addr", "[2001:db8::1]", "2001:db8::1"),
        ("addr", "::ffff:192.0.2.1", "192.0.2.1"),
        ("subnet", "192.0.2.77/24", "192.0.2.0/24"),
        ("subnet", "192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("subnet", "2001:DB8::1/32", "2001:db8::/32"),
        ("subnet", "::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("domain", "Evil.Example.", "evil.example"),
        ("domain", "evil.example. .", "evil.example"),
        ("domain", "bücher.example", "xn--bcher-kva.example"),
        ("domain", "*.evil.example", "*.evil.example"),
        ("url", "HTTP://Evil.Example", "evil.example/"),
        ("url", "https://evil.example:443/A?B#C", "evil.example/a?b#c"),
        ("url", "http://evil.example:8080/", "evil.example:8080/"),
        ("url", "http://user:pw@evil.example/x", "evil.example/x"),
        ("url", "evil.example?x=1", "evil.example/?x=1"),
        ("url", "evil.example/go?to=http://other.example/", "evil.example/go?to=http://other.example/"),
        ("url", "http://evil.example/go?to=http://o.example/", "evil.example/go?to=http://o.example/"),
        ("url", "http://evil.example.:80/x", "evil.example/x"),
        ("url", "http://[2001:db8::1]:80/x", "[2001:db8::1]/x"),
        ("url", "/gate.php", "/gate.php"),
        ("email", "Evil <Bad@Evil.Example>", "bad@evil.example"),
        ("email", "mailto:mailto:bad@evil.example", "bad@evil.example"),
        ("file_hash", "AA" * 16, "aa" * 16),
        ("file_hash", ":".join(["AA"] * 20), "aa" * 20),
        ("pubkey_hash", "MD5:" + ":".join(["AA"] * 16), ":".join(["aa"] * 16)),
        ("pubkey_hash", "SHA256:" + "Ab" * 21 + "c=", "sha256:" + "ab" * 16),
        ("pubkey_hash", "SHA256:" + "Ab" * 16, "sha256:" + "ab" * 16),
        ("software", " Curl/8.5.0 ", "curl/8.5.0"),
        ("user_name", "Straße", "straße"),
        ("user_name", "ÄRGER", "Ärger"),
        ("ja4", "T13D1516H2_8daaf6152771_E5627EFA2AB1", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
    ],
)
def test_forms(type: str, text: str, value: str) -> None:
    assert canonical.canonical(IndicatorType(type), text) == value


@pytest.mark.parametrize(
    ("type", "text", "reason"),
    [
        ("addr", "192.0.2.0/24", "is a subnet"),
        ("addr", "fe80::1%eth0", "zone index"),
        ("addr", "192.0.2.256", "not an IP address"),
        ("addr", "0192.0.2.1", "not an IP address"),
        ("subnet", "192.0.2.0", "no prefix length"),
        ("subnet", "0.0.0.0/0", "too wide"),
        ("subnet", "10.0.0.0/7", "too wide"),
        ("subnet", "::/0", "too wide"),
        ("subnet", "2000::/15", "too wide"),
        ("subnet", "::ffff:0.0.0.0/96", "too wide"),
        ("domain", "", "is empty"),
        ("domain", ".", "is empty"),
        ("domain", "a..b", "empty label"),
        ("domain", "a." * 200, "longer than 255"),
        ("domain", "http://evil.example/", "is a URL"),
        ("domain", "evil.example\n.com", "control character"),
        ("url", "/", "bare '/'"),
        ("url", "http://", "no host"),
        ("url", "http:///x", "no host"),
        ("url", "x" * 9000, "longer than 8192"),
        ("email", "evil.example", "not an e-mail"),
        ("email", "a b@evil.example", "not an e-mail"),
        ("file_hash", "ab", "no known hash"),
        ("file_hash", "xy" * 16, "not hexadecimal"),
        ("ja3", "a" * 40, "not 32"),
        ("pubkey_hash", "sha256:short", "not an OpenSSH fingerprint"),
        ("ja4", "nonsense", "not a JA4"),
        ("software", "   ", "is empty"),
        ("user_name", "a\x00b", "control character"),
    ],
)
def test_refusals(type: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        canonical.canonical(IndicatorType(type), text)


@pytest.mark.parametrize(
    ("defanged", "value"),
    [
        ("evil[.]example", "evil.example"),
        ("evil(.)example", "evil.example"),
        ("evil{.}example", "evil.example"),
        ("evil[dot]example", "evil.example"),
        ("evil[DOT]example", "evil.example"),
        ("evil[.example", "evil.example"),
        ("evil.]example", "evil.example"),
        ("evil[[.]]example", "evil.example"),
        (r"evil\.example", "evil.example"),
        ("hxxp://evil.example", "http://evil.example"),
        ("hXXps://evil.example", "https://evil.example"),
        ("HxTp[:]//evil[.]example", "HTTP://evil.example"),
        ("fxp://evil.example", "ftp://evil.example"),
        ("http[://]evil[.]example[/]x", "http://evil.example/x"),
        ("bad[at]evil[.]example", "bad@evil.example"),
        ("bad[@]evil.example", "bad@evil.example"),
        ("192.0.2[.]1", "192.0.2.1"),
        ("2001[:]db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("hxyp://evil.example", "hxyp://evil.example"),
    ],
)
def test_refang(defanged: str, value: str) -> None:
    assert refang(defanged).lower() == value.lower()


def test_an_ideographic_full_stop_can_be_defanged_too() -> None:
    assert canonical.indicator(IndicatorType.DOMAIN, "evil[\u3002]example") == Indicator(
        IndicatorType.DOMAIN, "evil.example"
    )


def test_what_may_hold_any_text_is_not_refanged() -> None:
    assert canonical.indicator(IndicatorType.SOFTWARE, "agent[.]x").value == "agent[.]x"


@given(st.text())
def test_lower_changes_ascii_only(text: str) -> None:
    lowered = canonical.lower(text)
    assert len(lowered) == len(text)
    for before, after in zip(text, lowered, strict=True):
        assert after == (before.lower() if before.isascii() else before)


@pytest.mark.parametrize("piece", ["[", "[[.", "([.])", "].", "(", ".]", "\\", "{.}[", "[:"])
def test_refang_of_a_hostile_text_ends(piece: str) -> None:
    # Any of these would take hours, were a pattern to go over the text again and again.
    text = piece * (1 << 19)
    assert len(refang(text)) <= len(text)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("piece", [" ", "@", " @", "a://", "<", "<a", ":80", ".", "a.", "<mailto:", "aa:"])
def test_hostile_text_of_the_greatest_length_ends(type: IndicatorType, piece: str) -> None:
    text = f"x{piece * 10_000}"[: canonical.MAX_LENGTH - 1] + "x"
    try:
        assert canonical.canonical(type, text)
    except ValueError as error:
        assert str(error)
