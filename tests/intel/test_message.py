"""The message codec: what is taken, what is refused and why, and that nothing is lost on the way back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import message
from threathunting.intel.message import Add, Remove, decode, encode, parse_time, timestamp
from threathunting.intel.types import Indicator, IndicatorType, Item

from .values import indicators, items

TOLD_AT = 1_000_000.0


def told(meta: dict[str, Any] | None = None, **fields: Any) -> Add | Remove:
    body = {"ioc": "evil.example", "type": "domain", **fields}
    if meta is not None:
        body["meta"] = meta
    return decode(json.dumps(body).encode(), TOLD_AT)


def item(meta: dict[str, Any], **fields: Any) -> Item:
    change = told(meta, **fields)
    assert isinstance(change, Add)
    return change.item


def test_the_message_of_the_original_system() -> None:
    data = (
        b'{"ioc": "httpbin.org", "type": "domain", "meta": {"expire": 300, "source": "SOAR", "desc": "bad domain",'
        b' "level": "high"}}'
    )
    assert decode(data, TOLD_AT) == Add(
        Indicator(IndicatorType.DOMAIN, "httpbin.org"),
        Item("SOAR", desc="bad domain", level="high", expires=TOLD_AT + 300),
    )


@given(indicators, items, st.booleans())
def test_round_trip(indicator: Indicator, item: Item, remove: bool) -> None:
    # Only a domain has subdomains, and one label alone would have too many.
    if indicator.type is not IndicatorType.DOMAIN or "." not in indicator.value:
        item = msgspec.structs.replace(item, subdomains=False)
    change = decode(encode(indicator, item, "remove" if remove else "add"), told_at=0.0)
    assert change == (Remove(indicator, item.source) if remove else Add(indicator, item))


def test_defaults() -> None:
    assert told() == Add(Indicator(IndicatorType.DOMAIN, "evil.example"), Item("unknown"))
    assert item({"source": " "}).source == "unknown"
    assert decode(b'{"ioc":"evil.example","type":"domain"}', 0.0, "feed").item == Item("feed")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["domain", "DOMAIN", " Intel::DOMAIN ", "intel::domain"])
def test_type_names(name: str) -> None:
    assert told(type=name).indicator.type is IndicatorType.DOMAIN


@pytest.mark.parametrize(
    ("level", "taken"),
    [("HIGH", "high"), ("critical", "critical"), ("bogus", "low"), (None, "low"), ("", "low"), (3, "low")],
)
def test_levels(level: object, taken: str) -> None:
    assert item({"level": level}).level == taken


@pytest.mark.parametrize(
    ("tags", "taken"),
    [(["a", "b"], ("a", "b")), ("a, b,,", ("a", "b")), ([], ()), (None, ()), ("", ())],
)
def test_tags(tags: object, taken: tuple[str, ...]) -> None:
    assert item({"tags": tags}).tags == taken


@pytest.mark.parametrize(
    ("meta", "expires"),
    [
        ({"expire": 300}, TOLD_AT + 300),
        ({"expire": "300"}, TOLD_AT + 300),
        ({"expire": 0.5}, TOLD_AT + 0.5),
        ({"expire": None}, None),
        ({"expire": ""}, None),
        ({"expire": 1e12}, None),
        ({"expire": 1e300}, None),
        ({"valid_until": "1970-01-12T13:46:40Z"}, TOLD_AT),
        ({"valid_until": "1970-01-12T15:46:40+02:00"}, TOLD_AT),
        ({"valid_until": "1970-01-12 13:46:40"}, TOLD_AT),
        ({"valid_until": "1970-01-02"}, 86400.0),
        ({"valid_until": "1000000"}, TOLD_AT),
        ({"valid_until": "9999-12-31T23:59:59Z"}, 253402300799.0),
        ({"valid_until": "1970-01-02", "expire": 5}, 86400.0),
        ({"valid_until": "2030-01-01", "expire": 5}, TOLD_AT + 5),
    ],
)
def test_ends(meta: dict[str, Any], expires: float | None) -> None:
    assert item(meta).expires == expires


@given(st.one_of(st.floats(), st.integers(), st.text(), st.dates().map(str), st.datetimes().map(str)))
def test_every_end_that_is_taken_can_be_written(value: object) -> None:
    for name in ("expire", "valid_until"):
        try:
            expires = item({name: value}).expires
        except ValueError:
            continue
        assert expires is None or parse_time(timestamp(expires)) == pytest.approx(expires, abs=1e-6)


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"expire": 0}, "expire is not more than 0"),
        ({"expire": -1}, "expire is not more than 0"),
        ({"expire": True}, "expire is not a number"),
        ({"expire": "soon"}, "expire is not a number"),
        ({"expire": [1]}, "expire is not a number"),
        ({"expire": "inf"}, "not a finite number"),
        ({"confidence": 101}, "between 0 and 100"),
        ({"confidence": -1}, "between 0 and 100"),
        ({"confidence": "high"}, "confidence is not a number"),
        ({"valid_until": 5}, "valid_until is not an RFC 3339"),
        ({"valid_until": "soon"}, "'soon' is not an RFC 3339"),
        ({"valid_until": "1700000000000"}, "not a time in seconds"),
        ({"valid_until": "nan"}, "not a time in seconds"),
        ({"valid_until": "9999-12-31T23:59:59-23:00"}, "between the years"),
        ({"valid_until": "0001-01-01T00:00:00+23:00"}, "between the years"),
        ({"tags": [1]}, "tags is not a list"),
        ({"tags": {"a": 1}}, "tags is not a list"),
        ({"desc": ["x"]}, "desc is not a string"),
        ({"source": True}, "source is not a string"),
        ({"id": {}}, "id is not a string"),
        ({"subdomains": 1}, "subdomains is not true or false"),
        ({"subdomains": "perhaps"}, "subdomains is not true or false"),
    ],
)
def test_meta_refused(meta: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        told(meta)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"nonsense", "not JSON"),
        (b"null", "not an intel message"),
        (b"[]", "not an intel message"),
        (b'{"ioc": "x"}', "missing required field `type`"),
        (b'{"ioc": 5, "type": "addr"}', "Expected `str`"),
        (b'{"ioc": "x", "type": "domain", "meta": []}', "not an intel message"),
        (b'{"ioc": "\xff", "type": "domain"}', "not JSON"),
        (b'{"ioc": "x", "type": "domain", "meta": {"a": ' + b"[" * 100_000, "not JSON"),
        (b'{"ioc": "x.example", "type": "bogus"}', "unknown type 'bogus'"),
        (b'{"ioc": "x.example", "type": "domain", "action": "explode"}', "unknown action 'explode'"),
        (b'{"ioc": "", "type": "domain"}', "domain '' is empty"),
        (b'{"ioc": "0.0.0.0/0", "type": "subnet"}', "too wide"),
        (b'{"ioc": "com", "type": "domain", "meta": {"subdomains": true}}', "public suffix"),
        (b'{"ioc": "*.co.uk", "type": "domain", "meta": {"subdomains": true}}', "public suffix"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(data, TOLD_AT)


def test_subdomains() -> None:
    for ioc in ("evil.example", "*.evil.example", ".evil.example"):
        assert told({"subdomains": True}, ioc=ioc) == Add(
            Indicator(IndicatorType.DOMAIN, "evil.example"), Item("unknown", subdomains=True)
        )
    # What certificates bear is a name, too.
    assert told(ioc="*.evil.example").indicator.value == "*.evil.example"
    assert not item({"subdomains": True}, ioc="192.0.2.1", type="addr").subdomains
    assert not item({"subdomains": "no"}).subdomains


def test_remove() -> None:
    assert told({"source": "SOAR", "expire": "bad"}, action="remove") == Remove(
        Indicator(IndicatorType.DOMAIN, "evil.example"), "SOAR"
    )


def test_key() -> None:
    assert message.key(Indicator(IndicatorType.DOMAIN, "evil.example"), "SOAR") == b"domain|evil.example|SOAR"


def test_time_out_of_range() -> None:
    with pytest.raises(ValueError, match="not a time"):
        timestamp(1e30)
