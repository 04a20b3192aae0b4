"""Plain lists, hosts files, ad-block lists."""

from __future__ import annotations

import pytest

from threathunting.intel.formats.plain import FORMAT

from ..reading import added, armed, items, read, refused


def test_a_list() -> None:
    data = (
        "\ufeff# bad things\r\n"
        "; more of them\r\n"
        "// and more\r\n"
        "! and more\r\n"
        "\r\n"
        "evil[.]com\r\n"
        "192.0.2.1:443   # c2\r\n"
        "192.0.2.0/24 ; SBL1\r\n"
        "hxxp://evil[.]com/#fragment // dropper\r\n"
        "  bad@evil.com,\r\n"
        '"evil.exe",\r\n'
        "*.worse.com\r\n"
        "d41d8cd98f00b204e9800998ecf8427e\r\n"
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [
        ("domain", "evil.com"),
        ("addr", "192.0.2.1"),
        ("subnet", "192.0.2.0/24"),
        ("url", "evil.com/#fragment"),
        ("email", "bad@evil.com"),
        ("file_name", "evil.exe"),
        ("domain", "*.worse.com"),
        ("file_hash", "d41d8cd98f00b204e9800998ecf8427e"),
    ]
    assert [entry.line for entry in entries] == [6, 7, 8, 9, 10, 11, 12, 13]
    assert {item.source for item in items(entries)} == {"feed"}


def test_a_hosts_file() -> None:
    data = (
        "127.0.0.1 localhost localhost.localdomain\n"
        "::1 ip6-localhost\n"
        "255.255.255.255 broadcasthost\n"
        "0.0.0.0 0.0.0.0\n"
        "0.0.0.0 evil.com\n"
        "127.0.0.1\tworse.com www.worse.com # both\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [("domain", "evil.com"), ("domain", "worse.com"), ("domain", "www.worse.com")]
    assert [line for line, _ in refused(entries)] == [3]


def test_ad_block_lists() -> None:
    data = (
        "[Adblock Plus 2.0]\n"
        "! Title: bad\n"
        "||evil.com^\n"
        "||worse.com^$all\n"
        "||www.bad.com^|\n"
        "||192.0.2.1^\n"
        "@@||good.com^\n"
        "||evil.com^$image\n"
        "||evil.com/path^\n"
        "evil.com##.banner\n"
    )
    entries = read(FORMAT, data)
    assert added(entries) == [
        ("domain", "*.evil.com"),
        ("domain", "*.worse.com"),
        ("domain", "*.www.bad.com"),
        ("addr", "192.0.2.1"),
    ]
    assert [line for line, _ in refused(entries)] == [7, 8, 9, 10]


def test_checksum_files_and_counts() -> None:
    data = f"{'a' * 64}  evil.exe\n{'b' * 32} *other file.bin\n192.0.2.1\t10\n192.0.2.1 seen in May\n{'c' * 33}  x\n"
    entries = read(FORMAT, data)
    assert added(entries) == [("file_hash", "a" * 64), ("file_hash", "b" * 32), ("addr", "192.0.2.1")]
    assert [line for line, _ in refused(entries)] == [4, 5]


def test_a_subdomain_rule_on_a_public_suffix_is_refused() -> None:
    entries = read(FORMAT, "*.evil.com\n*.co.uk\n||com^\n*.github.io\n")
    assert added(entries) == [("domain", "*.evil.com")]
    assert [(line, "public suffix" in reason) for line, reason in refused(entries)] == [
        (2, True),
        (3, False),
        (4, True),
    ]


def test_refusals_tell_line_reason_and_text() -> None:
    (entry,) = read(FORMAT, "\nnonsense\n")
    assert entry == (
        "feed.txt",
        2,
        "'nonsense' has no shape that tells its type (write it before, as user_name:...)",
        "nonsense",
    )


def test_a_domain_with_subdomains_and_one_without_have_items_of_their_own() -> None:
    for data in ("*.evil.com\nworse.com\n192.0.2.1", "worse.com\n*.evil.com\n192.0.2.1"):
        assert sorted(armed(read(FORMAT, data))) == [
            ("addr", "192.0.2.1"), ("domain", "*.evil.com"), ("domain", "worse.com"),
        ]  # fmt: skip
        assert [item.subdomains for item in items(read(FORMAT, data))].count(True) == 1


def test_one_item_for_the_whole_list() -> None:
    first, second = items(read(FORMAT, "evil.com\n192.0.2.1"))
    assert first is second


@pytest.mark.parametrize(
    ("head", "is_list"),
    [
        ("evil.com\n", True),
        ("# only comments\n", True),
        ("", True),
        ("some prose\nand then evil.com\nevil.com", True),
        ("0.0.0.0 evil.com", True),
        ("[Adblock Plus]\n||evil.com^", True),
        ("[2001:db8::1]:80", True),
        ("This is a text.\nIt tells of nothing, really.\n", False),
        ('{"a": 1}', False),
        ('[{"a": 1}]', False),
        ("evil.com\n\0", False),
    ],
)
def test_looks_like(head: str, is_list: bool) -> None:
    assert FORMAT.looks_like("x", head.encode()) is is_list
