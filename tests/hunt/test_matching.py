"""The fast matcher gives what the naive one gives, on traffic and intel of any kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.matching import NaiveMatcher
from threathunting.intel.canonical import indicator
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import ReadReport
from threathunting.sensors.batches import DictBatch, json_batch

from .traffic import REGISTRY, found, pools, records, stores


@pytest.mark.parametrize("log", sorted(name for name, log in REGISTRY.logs.items() if log.seen))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_fast_equals_naive(log: str, data: st.DataObject) -> None:
    pool = data.draw(pools())
    store = data.draw(stores(log, pool))
    fast, naive = FastMatcher(store, REGISTRY), NaiveMatcher(store, REGISTRY)
    # Several batches: what is known of the first must not mislead in the second.
    for _ in range(3):
        batch = DictBatch(log, data.draw(records(log, pool)))
        assert found(fast, batch) == found(naive, batch)
    # Nor what is known from before the intel changed.
    for text_ in pool:
        for type in {seen.type for seen in REGISTRY.log(log).seen}:
            try:
                store.add(indicator(type, text_), Item("late", subdomains=True))
            except ValueError:
                continue
    assert found(fast, batch) == found(naive, batch)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_json_columns_equal_records(data: st.DataObject) -> None:
    pool = data.draw(pools())
    store = data.draw(stores("http", pool))
    lines = []
    for row in data.draw(records("http", pool)):
        try:
            lines.append(json.dumps(row).encode())
        except UnicodeEncodeError:
            continue
    matcher = FastMatcher(store, REGISTRY)
    report = ReadReport()
    block = b"".join(line + b"\n" for line in lines)
    batch = json_batch("http", matcher.wanted()["http"], block, 0, Path("http.log"), report)
    if report.bad_records == 0:
        naive = found(NaiveMatcher(store, REGISTRY), DictBatch("http", [json.loads(line) for line in lines]))
        assert [(row, matches) for row, _, matches in matcher.matches(batch)] == naive


def test_modules_that_are_off_match_nothing() -> None:
    store = Store()
    store.add(indicator(IndicatorType.DOMAIN, "evil.example"), Item("a"))
    batch = DictBatch("dns", [{"ts": 1.0, "query": "evil.example"}])
    assert len(found(FastMatcher(store, REGISTRY), batch)) == 1
    off = Registry(BUILTIN, ["HTTP"])
    assert found(FastMatcher(store, off), batch) == found(NaiveMatcher(store, off), batch) == []


def test_an_item_matches_traffic_up_to_its_expiry() -> None:
    store = Store()
    store.add(indicator(IndicatorType.DOMAIN, "evil.example"), Item("a", expires=100.0))
    batch = DictBatch("dns", [{"ts": ts, "query": "evil.example"} for ts in (99.9, 100.0, 100.1)])
    assert [row for row, _ in found(FastMatcher(store, REGISTRY), batch)] == [0]
