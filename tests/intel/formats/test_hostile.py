"""Every reader on files that nobody should have made: it refuses, tells why, and goes on."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from threathunting.intel import canonical
from threathunting.intel.formats import FORMATS, Format, Refusal, Told, by_name, sniff

from ..reading import added, read, refused

GOOD = {
    "messages": '{"ioc": "evil.com", "type": "domain", "meta": {"source": "a", "expire": 5}}\n',
    "zeek": "#fields\tindicator\tindicator_type\tmeta.source\nevil.com\tIntel::DOMAIN\ta\n",
    "csv": 'ioc,type,description\n"evil.com","domain","two\nlines"\n',
    "plain": "evil.com\n192.0.2.1 # c2\n||evil.com^\n",
    "stix": json.dumps(
        {"type": "bundle", "objects": [{"type": "indicator", "pattern": "[domain-name:value = 'evil.com']"}]}
    ),
    "misp": json.dumps({"Event": {"Attribute": [{"type": "domain", "value": "evil.com", "to_ids": True}]}}),
}
DEEP = b'{"ioc": "evil.com", "type": "domain", "meta": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"


def check(entries: list[Told | Refusal]) -> None:
    for entry in entries:
        if isinstance(entry, Refusal):
            assert entry.reason.isprintable()
            assert entry.reason
            assert entry.line >= 0
            assert len(entry.text) <= 200
        else:
            type, value = entry.change.indicator
            assert canonical.canonical(type, value) == value


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n" * 100,
        b"\0",
        b"\0" * 1000 + b"\n",
        bytes(range(256)) * 50,
        b"\xff\xfe\x00\x00",
        b"\xef\xbb\xbf",
        b"x" * (10 << 20),
        b"{" * 100_000,
        b"[" * 100_000,
        b'"' * 100_000,
        b'"\n' * 10_000,
        b"," * 100_000,
        DEEP,
        b"null",
        b"{}",
        b"[]",
        b"[[]]",
        b'{"ioc": ' + b"9" * 5000 + b"}",
        b'"\\ud800"',
    ],
    ids=lambda data: repr(data[:8]) + str(len(data)),
)
def test_junk(format: Format, data: bytes) -> None:
    entries = read(format, data)
    check(entries)
    assert added(entries) == []


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
@given(data=st.data())
def test_a_good_file_with_bytes_changed(format: Format, data: st.DataObject) -> None:
    raw = bytearray(GOOD[format.name].encode() * (1 if format.name in ("stix", "misp") else 2))
    for at, change in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw)), st.binary(max_size=3)), max_size=4)
    ):
        raw[at : at + 1] = change
    check(read(format, bytes(raw)))


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
@given(raw=st.binary(max_size=300))
@example(raw=b"\x1f\x8b\x08")
def test_any_bytes(format: Format, raw: bytes) -> None:
    check(read(format, raw))
    assert format.looks_like("x", raw) in (True, False)


@pytest.mark.parametrize("name", ["messages", "zeek", "csv", "plain"])
@pytest.mark.parametrize(
    "line",
    [b"x" * (2 << 20), b"\xff\xfe\xfd", b"\0\0\0", b'{"a": ' * 10_000],
    ids=["long", "not utf-8", "zeros", "deep"],
)
def test_a_bad_line_costs_no_other(name: str, line: bytes) -> None:
    header, _, rest = GOOD[name].encode().partition(b"\n")
    rest = rest or header + b"\n"
    entries = read(by_name(name), header + b"\n" + line + b"\n" + rest)
    assert ("domain", "evil.com") in added(entries) or ("domain", "*.evil.com") in added(entries)
    assert 2 in [number for number, _ in refused(entries)]


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_each_good_file_is_known_for_what_it_is(format: Format) -> None:
    for head in (GOOD[format.name], "\ufeff" + GOOD[format.name], GOOD[format.name].replace("\n", "\r\n")):
        assert sniff("file", head.encode()) is format
        assert added(read(format, head))[0] == ("domain", "evil.com")


def test_quotes_that_never_close_take_no_time() -> None:
    data = "ioc,description\n" + 'evil.com,"' + "x" * 1000 + "\n" * 1
    entries = read(by_name("csv"), data + ('worse.com,"' + "x" * 1000 + "\n") * 2000)
    assert len(entries) == 2001
