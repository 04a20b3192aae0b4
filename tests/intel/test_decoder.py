"""The decoder that remembers says what ``message.decode`` says, whatever it has seen before."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import message
from threathunting.intel.decoder import Decoder
from threathunting.intel.message import Add

from .values import odd_text

METAS = [
    {"source": "S"},
    {"source": "S", "expire": 300},
    {"source": "S", "expire": "300"},
    {"source": "S", "expire": ""},
    {"source": "S", "expire": None},
    {"source": "S", "expire": 0},
    {"source": "S", "expire": 1e300},
    {"source": "S", "expire": 253402300000},
    {"source": "S", "valid_until": "2024-01-01T00:00:00Z"},
    {"source": "S", "expire": 5000, "valid_until": "2024-01-01T00:00:00Z", "tags": ["a"]},
    {"source": "S", "subdomains": True},
    {"source": "S", "level": "HIGH", "confidence": 101},
    {"desc": "no source", "level": "bogus"},
    None,
    [],
]
TYPES = ["domain", "addr", "Intel::DOMAIN", "file_hash", "nothing"]
VALUES = ["evil.example", "*.evil.example", "198.51.100.7", "com", "", "0" * 32]

bodies = st.fixed_dictionaries(
    {
        "ioc": st.sampled_from(VALUES) | odd_text,
        "type": st.sampled_from(TYPES),
        "meta": st.sampled_from(METAS),
    },
    optional={"action": st.sampled_from(["add", "remove", "burn"])},
)
messages = st.one_of(
    bodies.map(lambda body: json.dumps(body).encode()),
    st.sampled_from([b"", b"{}", b"null", b"\xff", b'{"ioc":1}', b"[" * 10_000]),
    st.sampled_from(METAS).map(
        lambda meta: (
            b'{"ioc":"a.evil.example","type":"domain","meta":%b}' % json.dumps(meta, indent=1).encode()
        )
    ),
)


def said(decode: object, *arguments: object) -> object:
    try:
        return decode(*arguments)  # type: ignore[operator]
    except ValueError as error:
        return str(error)


@given(st.lists(st.tuples(messages, st.sampled_from([0.0, 1.7e9, 1.7e9 + 0.001])), max_size=12))
def test_the_same_as_decode(told: list[tuple[bytes, float]]) -> None:
    decoder = Decoder("feed")
    for data, at in told:
        assert said(decoder.decode, data, at) == said(message.decode, data, at, "feed")


@pytest.mark.parametrize("meta", METAS)
def test_the_same_when_a_meta_comes_again(meta: object) -> None:
    decoder = Decoder()
    for value in ["evil.example", "other.example", "evil.example", "com"]:
        for at in (1.7e9, 1.7e9, 1.8e9):
            data = json.dumps({"ioc": value, "type": "domain", "meta": meta}).encode()
            assert said(decoder.decode, data, at) == said(message.decode, data, at)


def test_an_escaped_word_is_not_taken_for_no_word() -> None:
    decoder = Decoder()
    data = rb'{"ioc":"%s","type":"domain","meta":{"subd\u006fmains":true}}'
    for value in (b"evil.example", b"com"):
        assert said(decoder.decode, data % value, 0.0) == said(message.decode, data % value, 0.0)


def test_items_told_at_one_moment_are_one_object() -> None:
    """So that a million of them take no memory."""
    decoder = Decoder()
    data = b'{"ioc":"%d.example","type":"domain","meta":{"expire":60}}'
    items = [decoder.decode(data % number, 1.7e9) for number in range(3)]
    assert all(isinstance(change, Add) for change in items)
    assert items[1].item is items[2].item  # type: ignore[union-attr]
