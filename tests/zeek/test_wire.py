"""The codec of Zeek's WebSocket API: round trips, the sharp edges of Zeek's JSON, and hostile input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.zeek.wire import MAX_COUNT, Count, Event, Failure, Welcome, decode, encode, subscription

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, MAX_COUNT).map(Count)
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(
    st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.lists(VALUES, max_size=5)
)
def test_what_is_encoded_comes_back(topic: str, name: str, args: list[Any]) -> None:
    event = Event(topic, name, tuple(args))
    found = decode(encode(event))
    assert found == event
    assert isinstance(found, Event)
    assert list(map(type, found.args)) == list(map(type, event.args))


def test_an_event_has_the_form_that_zeek_documents() -> None:
    assert json.loads(encode(Event("/t", "M::ping", (Count(1), "x", 2.0, True, None)))) == {
        "type": "data-message",
        "topic": "/t",
        "@data-type": "vector",
        "data": [
            {"@data-type": "count", "data": 1},
            {"@data-type": "count", "data": 1},
            {
                "@data-type": "vector",
                "data": [
                    {"@data-type": "string", "data": "M::ping"},
                    {
                        "@data-type": "vector",
                        "data": [
                            {"@data-type": "count", "data": 1},
                            {"@data-type": "string", "data": "x"},
                            {"@data-type": "real", "data": 2.0},
                            {"@data-type": "boolean", "data": True},
                            {"@data-type": "none"},
                        ],
                    },
                ],
            },
        ],
    }
    # Without its point, Zeek would take it for an integer.
    assert b'"data":2.0' in encode(Event("/t", "x", (2.0,)))


def test_the_first_messages() -> None:
    assert json.loads(subscription(["/a/", "/b/"])) == ["/a/", "/b/"]
    assert decode(b'{"type":"ack","endpoint":"zeek","version":"8.2.2"}') == Welcome("zeek", "8.2.2")
    assert decode('{"type":"error","code":"deserialization_failed","context":"x"}') == Failure(
        "deserialization_failed", "x"
    )


def _event(*args: bytes) -> bytes:
    return (
        b'{"type":"data-message","topic":"/t","@data-type":"vector","data":[{"@data-type":"count","data":1},'
        b'{"@data-type":"count","data":1},{"@data-type":"vector","data":[{"@data-type":"string","data":"n"},'
        b'{"@data-type":"vector","data":[' + b",".join(args) + b"]}]}]}"
    )


def test_control_bytes_and_odd_escapes_of_zeeks_writer_are_understood() -> None:
    found = decode(_event(b'{"@data-type":"string","data":"a\x01b\x7f\\vc"}'))
    assert isinstance(found, Event)
    assert found.args == ("a\x01b\x7f\x0bc",)
    found = decode(_event(b'{"@data-type":"string","data":"caf\xe9"}'))
    assert isinstance(found, Event)
    assert found.args == ("caf\\xe9",)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (b'{"@data-type":"address","data":"192.0.2.1"}', "192.0.2.1"),
        (b'{"@data-type":"enum-value","data":"Intel::ADDR"}', "Intel::ADDR"),
        (b'{"@data-type":"timespan","data":"30s"}', "30s"),
        (b'{"@data-type":"set","data":[{"@data-type":"count","data":1}]}', [1]),
        (
            b'{"@data-type":"table","data":[{"key":{"@data-type":"string","data":"k"},'
            b'"value":{"@data-type":"none"}}]}',
            [["k", None]],
        ),
        (b'{"@data-type":"real","data":5}', 5.0),
    ],
)
def test_types_that_have_no_like_are_read(given_: bytes, expected: object) -> None:
    found = decode(_event(given_))
    assert isinstance(found, Event)
    assert found.args == (expected,)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"nonsense",
        b"[]",
        b"5",
        b"{}",
        b'{"type":"other"}',
        b'{"type":"data-message"}',
        b'{"type":"data-message","topic":"/t","@data-type":"vector","data":[]}',
        b'{"type":"data-message","topic":"/t","@data-type":"vector","data":5}',
        _event(b'{"@data-type":"count","data":"x"}', b"{}"),
        _event(b'{"data":1}'),
        _event(b'{"@data-type":"string","data":{}}'),
        _event(b"5"),
        _event(b"[" * 5000 + b"]" * 5000),
        _event(b'{"@data-type":"vector","data":' * 3000 + b"[]" + b"}" * 3000),
    ],
)
def test_what_is_no_message_is_a_valueerror(bad: bytes) -> None:
    with pytest.raises(ValueError):
        decode(bad)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_valueerror(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        pass


@pytest.mark.parametrize("value", [Count(-1), Count(1 << 64), float("nan"), float("inf")])
def test_numbers_that_zeek_has_not_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is no"):
        encode(Event("/t", "x", (value,)))
