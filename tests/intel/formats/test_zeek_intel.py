"""Zeek's intel.dat."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.formats.zeek_intel import FORMAT, escaped, unescaped
from threathunting.intel.types import Item

from ..reading import TOLD_AT, added, armed, items, only_reason, read, refused

HEADER = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\n"


def test_what_zeek_reads() -> None:
    data = HEADER + (
        "192.0.2.1\tIntel::ADDR\tCERT\tbad host\thttps://cert.example/1\n"
        "# a comment\n"
        "\n"
        "192.0.2.0/24\tIntel::SUBNET\tCERT\t-\t-\n"
        "http://Evil.example/x\tIntel::URL\tCERT\t(empty)\t-\r\n"
        "Curl/8\tIntel::SOFTWARE\tCERT\tshort\n"
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [
        ("addr", "192.0.2.1"),
        ("subnet", "192.0.2.0/24"),
        ("url", "evil.example/x"),
        ("software", "curl/8"),
    ]
    assert items(entries)[:2] == [Item("CERT", desc="bad host", url="https://cert.example/1"), Item("CERT")]
    assert [entry.line for entry in entries] == [2, 5, 6, 7]


def test_columns_in_any_order_and_our_own() -> None:
    data = (
        "#fields\tmeta.tags\tmeta.if_in\tmeta.level\tindicator_type\tmeta.confidence\tindicator\tmeta.do_notice"
        "\tmeta.id\tmeta.expire\tmeta.valid_until\tmeta.subdomains\tmeta.source\n"
        "a,b\\x2cc\tConn::IN_ORIG\thigh\tIntel::DOMAIN\t80\tevil.example\tT\tid-1\t60\t2030-01-01T00:00:00Z\tT\tCERT\n"
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [("domain", "*.evil.example")]
    assert items(entries) == [
        Item(
            "CERT",
            level="high",
            confidence=80,
            id="id-1",
            tags=("a", "b,c"),
            expires=TOLD_AT + 60,
            subdomains=True,
        )
    ]


def test_the_lines_that_zeeks_log_writer_adds() -> None:
    data = (
        "#separator \\x20\n#set_separator ,\n#empty_field EMPTY\n#unset_field NONE\n"
        "#fields indicator indicator_type meta.source meta.desc\n#types string enum string string\n"
        "evil.example Intel::DOMAIN NONE EMPTY\n#close\n"
    )
    assert items(read(FORMAT, data)) == [Item("feed")]


def test_an_empty_first_column_shifts_nothing() -> None:
    entries = read(FORMAT, HEADER + "\tIntel::ADDR\tCERT\tx\ty\n")
    assert only_reason(entries) == "has no indicator or no indicator_type"


def test_refusals() -> None:
    data = (
        "192.0.2.9\tIntel::ADDR\n"
        + HEADER
        + "192.0.2.1\tIntel::BOGUS\ta\tb\tc\n"
        + "192.0.2.1\tIntel::ADDR\ta\tb\tc\td\n"
        + "-\tIntel::ADDR\ta\tb\tc\n"
        + "192.0.2.1\n"
        + "999.0.2.1\tIntel::ADDR\ta\tb\tc\n"
        + "192.0.2.2\tIntel::ADDR\ta\tb\tc\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [("addr", "192.0.2.2")]
    assert [(line, reason[:18]) for line, reason in refused(entries)] == [
        (1, "no #fields line ab"),
        (3, "unknown type 'Inte"),
        (4, "has 6 columns, #fi"),
        (5, "has no indicator o"),
        (6, "has no indicator o"),
        (7, "addr '999.0.2.1' i"),
    ]


def test_bytes_that_are_not_utf8() -> None:
    data = (
        HEADER.encode() + b"a.example\tIntel::DOMAIN\tCERT\tcaf\xe9\nb\xe9.example\tIntel::DOMAIN\tCERT\tx\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [("domain", "a.example")]
    assert items(entries)[0].desc == "caf\ufffd"
    assert refused(entries) == [(3, "the value holds bytes that are not UTF-8")]


def test_escapes_are_bytes() -> None:
    assert unescaped(r"caf\xc3\xa9 \x09 \x5cx41 \x4") == "café \t \\x41 \\x4"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_escaped_reads_the_same(text: str) -> None:
    written = escaped(text)
    assert "\t" not in written
    assert "\n" not in written
    assert written != "-"
    assert unescaped(written) == (text or "(empty)")


@pytest.mark.parametrize(
    ("head", "is_zeeks"),
    [
        (HEADER, True),
        ("#separator \\x09\n" + HEADER, True),
        ("# hello\n#fields\tmeta.source\tindicator\r\n", True),
        ("#fields\tts\tuid\tseen.indicator\tseen.indicator_type\n", False),
        ("#fields\tindicator_type\n", False),
        ("indicator\tindicator_type\n", False),
    ],
)
def test_looks_like(head: str, is_zeeks: bool) -> None:
    assert FORMAT.looks_like("x", head.encode()) is is_zeeks
