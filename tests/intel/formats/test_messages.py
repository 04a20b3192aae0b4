"""Our messages, one a line or in an array."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threathunting.intel import message
from threathunting.intel.formats import Refusal, Told
from threathunting.intel.formats.messages import FORMAT
from threathunting.intel.types import Indicator, Item

from ..reading import TOLD_AT, armed, items, read, refused, removed
from ..values import indicators
from ..values import items as any_items

GOOD = '{"ioc": "evil.example", "type": "domain", "meta": {"source": "SOAR", "expire": 60}}'


def test_lines() -> None:
    data = (
        GOOD + "\r\n\n  \n" + GOOD.replace("domain", "software") + "\n" + '{"ioc":"192.0.2.1","type":"addr"}'
    )
    entries = read(FORMAT, data)
    assert armed(entries) == [("domain", "evil.example"), ("software", "evil.example"), ("addr", "192.0.2.1")]
    assert [entry.line for entry in entries] == [1, 4, 5]
    assert [item.source for item in items(entries)] == ["SOAR", "SOAR", "feed"]
    assert items(entries)[0].expires == TOLD_AT + 60


def test_a_bad_line_costs_no_other() -> None:
    data = "\n".join(
        [GOOD, "{", '{"ioc": 5}', GOOD.replace("evil.example", "a..b"), '{"ioc":"b.example","type":"domain"}']
    )
    entries = read(FORMAT, data)
    assert [(line, reason[:20]) for line, reason in refused(entries)] == [
        (2, "not JSON: Input data"),
        (3, "not an intel message"),
        (4, "domain 'a..b' has an"),
    ]
    assert [entry.line for entry in entries if isinstance(entry, Told)] == [1, 5]


def test_an_array() -> None:
    data = json.dumps([json.loads(GOOD), {"ioc": "x"}, {"ioc": "192.0.2.1", "type": "addr"}], indent=2)
    for text in (data, "\ufeff \n" + data, json.dumps(json.loads(data))):
        entries = read(FORMAT, text)
        assert len(entries) == 3
        assert refused(entries)[0][1].startswith("message 2: not an intel message")


def test_a_long_array_on_one_line() -> None:
    data = json.dumps([{"ioc": f"{n}.evil.example", "type": "domain"} for n in range(40_000)])
    assert len(data) > 1 << 20
    assert len(armed(read(FORMAT, data))) == 40_000


def test_one_message_over_several_lines() -> None:
    assert armed(read(FORMAT, json.dumps(json.loads(GOOD), indent=2))) == [("domain", "evil.example")]


def test_a_broken_array() -> None:
    ((line, reason),) = refused(read(FORMAT, "[" + GOOD + ","))
    assert line == 0
    assert reason.startswith("not a JSON array")


def test_remove() -> None:
    data = GOOD.replace('"meta"', '"action": "remove", "meta"')
    assert removed(read(FORMAT, GOOD + "\n" + data)) == [("domain", "evil.example", "SOAR")]


def test_one_object_for_all_items_with_the_same_meta() -> None:
    first, second = items(read(FORMAT, GOOD + "\n" + GOOD.replace("evil", "worse")))
    assert first is second


META = [
    None, "null", '{"source":"a"}', '{"source":"a","subdomains":true}', r'{"source":"a","subdom\u0061ins":true}',
    '{"expire":5}', '{"expire":-5}', "[]", '{"source":"\\ud800"}', '{"source": 1e999}',
]  # fmt: skip
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["evil.example", "*.evil.example", "192.0.2.1", "com"]),
        st.sampled_from(["domain", "Intel::DOMAIN", "software", "bogus"]),
        st.sampled_from(META),
        st.sampled_from([None, None, "add", "remove", "explode"]),
    ),
    max_size=15,
)


@settings(max_examples=300)
@given(MESSAGES)
def test_the_quick_way_gives_what_decode_gives(
    messages: list[tuple[str, str, str | None, str | None]],
) -> None:
    """Each with the metas of others before it, so that a kept item could be wrongly taken."""
    lines = []
    for ioc, type, meta, action in messages:
        fields = [f'"ioc":"{ioc}"', f'"type":"{type}"']
        fields += [] if meta is None else [f'"meta":{meta}']
        fields += [] if action is None else [f'"action":"{action}"']
        lines.append("{" + ",".join(fields) + "}")
    entries = read(FORMAT, "\n".join(lines))
    assert len(entries) == len(lines)
    for entry, line in zip(entries, lines, strict=True):
        try:
            expected = message.decode(line.encode(), TOLD_AT, "feed")
        except ValueError as error:
            assert isinstance(entry, Refusal)
            assert entry.reason == str(error)
        else:
            assert isinstance(entry, Told)
            assert entry.change == expected


@given(st.lists(st.tuples(indicators, any_items), max_size=5))
def test_what_encode_writes_is_read(pairs: list[tuple[Indicator, Item]]) -> None:
    lines = [message.encode(indicator, item) for indicator, item in pairs]
    expected = [message.decode(line, TOLD_AT) for line in lines if b"subdomains" not in line]
    data = b"\n".join(line for line in lines if b"subdomains" not in line)
    assert [entry.change for entry in read(FORMAT, data) if isinstance(entry, Told)] == expected


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (GOOD, True),
        ("\ufeff" + GOOD, True),
        ('[\n  {\n    "type": "domain",\n    "ioc": "x"', True),
        ('{"type": "bundle", "objects": []}', False),
        ('ioc,type\n"ioc":', False),
        ("", False),
    ],
)
def test_looks_like(head: str, is_ours: bool) -> None:
    assert FORMAT.looks_like("x", head.encode()) is is_ours
