"""Hypothesis strategies for indicators: any text, and what people and feeds really write."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from threathunting.intel.types import Indicator, IndicatorType, Item

HEX = "0123456789abcdefABCDEF"

_PIECES = [
    "http", "https", "hxxp", "://", ":", "/", "//", "@", ".", "..", ":80", ":443", ":8080", "evil", "com", "[", "]",
    "::1", "1.2.3.4", "?", "#", " ", "\t", "\u3002", "\u3000", "é", "xn--", "-", "_", "<", ">", "mailto:", "%",
    "A", "\x00", "\u00a0", "ß", "İ", "\u212a", "sha256:", "md5:", "aa:bb", "/24", "::ffff:", "\u2028", "\\",
    "[.]", "(dot)", "\x1f", "\x85", "\u200b", "[.", ".]", "*.", "{.}", "=", "&",
]  # fmt: skip

odd_text = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_PIECES), max_size=10).map("".join))
"""Any text, and pieces of indicators put together wrongly."""


def hexes(*lengths: int) -> SearchStrategy[str]:
    return st.sampled_from(lengths).flatmap(lambda n: st.text(HEX, min_size=n, max_size=n))


labels = st.from_regex(r"\A[A-Za-z0-9_]([A-Za-z0-9_-]{0,10}[A-Za-z0-9])?\Z")
domains = st.lists(labels, min_size=1, max_size=4).map(lambda parts: ".".join([*parts, "example"]))
ipv4 = st.ip_addresses(v=4).map(str)
addrs = st.one_of(ipv4, st.ip_addresses(v=6).map(str), ipv4.map(lambda ip: f"::ffff:{ip}"))
hosts = st.one_of(domains, ipv4, st.ip_addresses(v=6).map(lambda ip: f"[{ip}]"))
paths = st.text("abcXYZ019-._~%?&=/:@!$'()*+,;#", max_size=30)
urls = st.builds(
    lambda scheme, user, host, port, path: f"{scheme}{user}{host}{port}{path}",
    st.sampled_from(["", "http://", "https://", "HTTP://", "ftp://"]),
    st.sampled_from(["", "user@", "user:pass@"]),
    hosts,
    st.sampled_from(["", ":80", ":443", ":8080"]),
    st.one_of(st.just(""), paths.map(lambda path: "/" + path)),
)
subnets = st.one_of(
    st.tuples(ipv4, st.integers(8, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    # Those of IPv4 mapped in IPv6 are IPv4's, so that some are too wide.
    st.tuples(st.ip_addresses(v=6).map(str).filter(lambda ip: "::ffff:" not in ip), st.integers(16, 128)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    ),
)
names = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=30).filter(str.strip)
ssh_fingerprints = st.one_of(
    hexes(32).map(lambda text: ":".join(text[i : i + 2] for i in range(0, 32, 2))),
    st.text("ABCxyz019+/", min_size=43, max_size=43).map(lambda text: f"SHA256:{text}"),
)
ja4s = st.builds(
    "{}{:04d}h2_{}_{}".format, st.sampled_from(["t13d", "q13i"]), st.integers(0, 9999), hexes(12), hexes(12)
)

WRITTEN: dict[IndicatorType, SearchStrategy[str]] = {
    IndicatorType.ADDR: addrs,
    IndicatorType.SUBNET: subnets,
    IndicatorType.URL: urls,
    IndicatorType.SOFTWARE: names,
    IndicatorType.EMAIL: st.tuples(labels, domains).map("@".join),
    IndicatorType.DOMAIN: domains,
    IndicatorType.USER_NAME: names,
    IndicatorType.CERT_HASH: hexes(32, 40, 64),
    IndicatorType.PUBKEY_HASH: ssh_fingerprints,
    IndicatorType.FILE_HASH: hexes(32, 40, 56, 64, 96, 128),
    IndicatorType.FILE_NAME: names,
    IndicatorType.JA3: hexes(32),
    IndicatorType.JA4: ja4s,
    IndicatorType.HASSH: hexes(32),
}
"""Per type what a person may write and we take."""


def canonical_or_none(type: IndicatorType, text: str) -> Indicator | None:
    from threathunting.intel import canonical

    try:
        return canonical.indicator(type, text)
    except ValueError:
        return None


indicators = st.sampled_from(list(IndicatorType)).flatmap(
    lambda type: (
        WRITTEN[type].map(lambda text: canonical_or_none(type, text)).filter(lambda made: made is not None)
    )
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.strip)
items = st.builds(
    Item,
    source=words.filter(bool),
    desc=words,
    level=st.sampled_from(["low", "medium", "high", "critical"]),
    confidence=st.none() | st.integers(0, 100),
    id=st.none() | words.filter(bool),
    url=st.none() | words.filter(bool),
    tags=st.lists(words.filter(bool), max_size=3).map(tuple),
    expires=st.none() | st.integers(-(10**9), 4 * 10**9).map(float) | st.just(1700000000.25),
)
"""Items as our codec can write them: text without space around it, times to the microsecond."""
