"""Writers: what they write is what the readers read."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import message
from threathunting.intel.formats import by_name
from threathunting.intel.formats.write import Written, write
from threathunting.intel.types import Indicator, IndicatorType, Item

from ..reading import changes, read
from ..values import indicators, items

pairs = st.lists(st.tuples(indicators, items), max_size=5)


def fitting(indicator: Indicator, item: Item) -> tuple[Indicator, Item]:
    """As a store holds them: only domains have subdomains, and those of one label would have too many."""
    if indicator.type is IndicatorType.DOMAIN and "." in indicator.value:
        return indicator, item
    return indicator, msgspec.structs.replace(item, subdomains=False)


@pytest.mark.parametrize("format", ["messages", "zeek"])
@given(told=pairs)
def test_round_trip(format: str, told: list[tuple[Indicator, Item]]) -> None:
    told = [fitting(*pair) for pair in told]
    out = io.BytesIO()
    written = write(told, format, out)
    zeeks = [pair for pair in told if pair[0].type.value not in ("ja3", "ja4", "hassh")]
    expected = zeeks if format == "zeek" else told
    assert written.items == len(expected)
    assert sum(written.skipped.values()) == len(told) - len(expected)
    assert changes(read(by_name(format), out.getvalue())) == [message.Add(*pair) for pair in expected]


def test_zeek() -> None:
    out = io.BytesIO()
    told = [
        (
            Indicator(IndicatorType.DOMAIN, "evil.com"),
            Item("CERT", desc="two\tcolumns\nand lines", subdomains=True),
        ),
        (
            Indicator(IndicatorType.SOFTWARE, "#agent"),
            Item("-", level="high", confidence=5, id="7", tags=("a,b", "c")),
        ),
        (Indicator(IndicatorType.ADDR, "192.0.2.1"), Item("CERT", url="https://r/", expires=1893456000.0)),
        (Indicator(IndicatorType.JA3, "a" * 32), Item("CERT")),
    ]
    assert write(told, "zeek", out) == Written(3, {"ja3": 1})  # type: ignore[arg-type]
    assert out.getvalue().decode().split("\n") == [
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\tmeta.level\tmeta.confidence\tmeta.id"
        "\tmeta.tags\tmeta.valid_until\tmeta.subdomains",
        "evil.com\tIntel::DOMAIN\tCERT\ttwo\\x09columns\\x0aand lines\t-\tlow\t-\t-\t-\t-\tT",
        "\\x23agent\tIntel::SOFTWARE\t\\x2d\t-\t-\thigh\t5\t7\ta\\x2cb,c\t-\t-",
        "192.0.2.1\tIntel::ADDR\tCERT\t-\thttps://r/\tlow\t-\t-\t-\t2030-01-01T00:00:00Z\t-",
        "",
    ]


def test_messages() -> None:
    out = io.BytesIO()
    indicator, item = Indicator(IndicatorType.DOMAIN, "evil.com"), Item("CERT", desc="x")
    assert write([(indicator, item)], "messages", out) == Written(1)
    assert out.getvalue() == message.encode(indicator, item) + b"\n"


def test_nothing_but_a_header() -> None:
    out = io.BytesIO()
    assert write([], "zeek", out).items == 0
    assert out.getvalue().startswith(b"#fields\t")


def test_other_formats_cannot_be_written() -> None:
    with pytest.raises(ValueError, match=r"can't write 'stix' \(known: messages, zeek\)"):
        write([], "stix", io.BytesIO())
