"""A fast matcher that lives through changes of intel and modules gives what a new naive one gives."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threathunting.hunt import known
from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.gates import derived
from threathunting.hunt.matching import NaiveMatcher
from threathunting.intel import disk_contents
from threathunting.intel.canonical import indicator
from threathunting.intel.disk_store import DiskStore
from threathunting.intel.entries import IntelStore
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import Batch, ReadReport
from threathunting.sensors.batches import DictBatch, json_batch

from .traffic import REGISTRY, found, items, pools, records, subnets, written

LOGS = sorted(name for name, log in REGISTRY.logs.items() if log.seen)


class Live:
    """Intel is drawn from what the traffic shows, so that what comes and goes meets what was seen before."""

    def __init__(self, data: st.DataObject, store: IntelStore) -> None:
        self.draw = data.draw
        self.store = store
        self.registry = REGISTRY
        self.fast = FastMatcher(self.store, REGISTRY)
        self.batches: list[DictBatch] = []
        self.read: list[tuple[Batch, DictBatch]] = []
        self.shown: list[Indicator] = []
        self.pool = self.draw(pools())
        log = self.draw(st.sampled_from(LOGS))
        for name in (log, log, self.draw(st.sampled_from(["conn", "dns", "http", "ssl"]))):
            self.new_batch(name)

    def new_batch(self, log: str | None = None) -> None:
        if log is None:
            log = self.draw(st.sampled_from(self.batches)).log
        made = self.draw(records(log, self.pool))
        self.batches = [*self.batches[-3:], DictBatch(log, made)]
        observables = [found for record in made for found in REGISTRY.log(log).observables(record)]
        self.shown += sorted({Indicator(found.type, found.value) for found in observables} - {*self.shown})

    def add(self) -> None:
        texts = written(self.pool) | st.sampled_from(self.pool)
        anything = st.tuples(st.sampled_from(IndicatorType), texts)
        for _ in range(self.draw(st.integers(1, 4))):
            try:
                made = indicator(*self.draw(anything | subnets))
            except ValueError:
                continue
            self.store.add(made, self.draw(items))

    def add_what_is_shown(self) -> list[Indicator]:
        armed = self.draw(st.lists(st.sampled_from(self.shown), max_size=4)) if self.shown else []
        for number, shown in enumerate(armed):
            if self.draw(st.booleans()):
                armed[number] = wider(shown)
            self.store.add(armed[number], Item("c", subdomains=self.draw(st.booleans())))
        return armed

    def come_and_go(self) -> None:
        armed = self.add_what_is_shown()
        self.match()
        for gone in armed:
            self.store.remove(gone, "c")
        self.match()

    def remove(self) -> None:
        for _ in range(self.draw(st.integers(1, 4))):
            armed = sorted({indicator for indicator, _ in self.store.items()})
            if armed:
                source = self.draw(st.sampled_from([None, None, "a", "b"]))
                self.store.remove(self.draw(st.sampled_from(armed)), source)

    def expire(self) -> None:
        self.store.expire(50.0)

    def match(self) -> None:
        for batch in self.batches:
            self.equal(batch, batch)
        assert self.fast.wanted() == FastMatcher(self.store, self.registry).wanted()

    def read_lines(self) -> None:
        """Lines are decoded with what is wanted now, and matched later."""
        batch = self.draw(st.sampled_from(self.batches))
        lines = []
        for row in range(len(batch)):
            try:
                lines.append(json.dumps(batch.record(row)).encode())
            except UnicodeEncodeError:
                continue
        wanted = self.fast.wanted()
        report = ReadReport()
        block = b"".join(line + b"\n" for line in lines)
        read = json_batch(batch.log, wanted.get(batch.log, wanted["*"]), block, 0, Path("x.log"), report)
        if report.bad_records == 0:
            self.read.append((read, DictBatch(batch.log, [json.loads(line) for line in lines])))

    def match_lines(self) -> None:
        if self.read:
            self.equal(*self.read.pop(0))

    def switch_modules(self) -> None:
        off = self.draw(st.sampled_from([(), ("HTTP", "FILE"), ("CONN", "DNS"), REGISTRY.known]))
        self.registry = Registry(BUILTIN, REGISTRY.known.difference(off))
        self.fast.use(self.registry)

    def equal(self, batch: Batch, same: Batch) -> None:
        assert found(self.fast, batch) == found(NaiveMatcher(self.store, self.registry), same)


def wider(shown: Indicator) -> Indicator:
    """Of what traffic shows, something that it matches too or nearly does."""
    type, value = shown
    wide = {
        IndicatorType.ADDR: (IndicatorType.SUBNET, f"{value}/{'32' if ':' in value else '16'}"),
        IndicatorType.DOMAIN: (type, value.partition(".")[2]),
        IndicatorType.URL: (type, "/" + value.partition("/")[2]),
    }
    try:
        return indicator(*wide.get(type, shown))
    except ValueError:
        return shown


STEPS = (
    *("add", "remove", "expire", "add_what_is_shown", "add_what_is_shown", "come_and_go", "come_and_go"),
    *("match", "new_batch", "read_lines", "match_lines", "switch_modules"),
)


@pytest.mark.parametrize("cramped", [False, True])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_a_matcher_that_lives_on_equals_a_new_naive_one(cramped: bool, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if cramped:
            # All that is bounded overflows soon.
            patch.setattr(known, "SIZE", 6)
            patch.setattr(known, "TRIAL", 10)
            patch.setattr(known, "PAUSE", 20)
            patch.setattr(derived, "STALE", 1)
            patch.setattr("threathunting.hunt.gates.MANY", 2)
        goes_on_living(data, Store(journal=6 if cramped else 100))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_so_it_does_with_very_many_indicators_on_disk(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(derived, "STALE", 1)
        patch.setattr(derived, "LARGE", data.draw(st.sampled_from([0, 2, 100])))
        patch.setattr(disk_contents, "BUFFER", 3)
        store = DiskStore(Path(folder, "intel.db"), journal=data.draw(st.sampled_from([6, 100])))
        try:
            goes_on_living(data, store)
        finally:
            store.close()


def goes_on_living(data: st.DataObject, store: IntelStore) -> None:
    live = Live(data, store)
    for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=5, max_size=20)):
        getattr(live, step)()
    live.match()
