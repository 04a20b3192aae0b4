"""What only a store on disk has to do: its file, its buffer, its errors, and readers beside the one who writes."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from threathunting.intel import disk_contents, disk_rows, disk_tables
from threathunting.intel.disk_store import DiskStore
from threathunting.intel.filter import Filter
from threathunting.intel.types import Indicator, IndicatorType, Item

DOMAIN, URL = IndicatorType.DOMAIN, IndicatorType.URL


def domain(number: int) -> Indicator:
    return Indicator(DOMAIN, f"{number}.example")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "intel.db")
    yield store
    store.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is done after many rows, after few."""
    monkeypatch.setattr(disk_contents, "BUFFER", 50)
    monkeypatch.setattr(disk_contents, "CHUNK", 100)
    monkeypatch.setattr(disk_contents, "_RETRY", 0.0)
    monkeypatch.setattr(disk_tables, "_SMALL", 200)
    monkeypatch.setattr(disk_tables, "_MOVED", 60)
    monkeypatch.setattr(disk_tables, "_READ", 30)


def test_the_file_is_private_made_anew_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "intel.db"
    path.write_text("what a process left that was killed")
    (tmp_path / "intel.db-journal").write_text("its journal")
    store = DiskStore(path)
    assert len(store) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for number in range(disk_contents.BUFFER + 1):
        store.add(domain(number), Item("feed"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_is_not_followed_to_where_it_points(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("keep")
    (tmp_path / "intel.db").symlink_to(other)
    DiskStore(tmp_path / "intel.db").close()
    assert other.read_text() == "keep"


def test_a_file_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        OSError, match=r"^the intel store .*no/intel\.db can't be used: no such file or directory$"
    ):
        DiskStore(tmp_path / "no" / "intel.db")


def test_a_full_disk_refuses_what_is_new_and_loses_nothing(small: None, store: DiskStore) -> None:
    database = store._contents._database
    for number in range(500):
        store.add(domain(number), Item("feed", expires=1e10))
    row = database.one("pragma page_count", ())
    assert row is not None
    database.run(f"pragma max_page_count = {row[0]}")
    taken = 500
    with pytest.raises(OSError, match=r"^the intel store .* can't be used: database or disk is full$"):
        for number in range(500, 5_000):
            store.add(domain(number), Item("feed", expires=1e10))
            taken += 1
    version = store.version
    with pytest.raises(OSError, match="disk is full"):
        store.add(domain(9_999), Item("feed"))
    assert store.version == version
    # What is withdrawn still leaves, and what was taken is there, also for who goes through it.
    assert store.remove(domain(1))
    expected = {domain(number) for number in range(taken) if number != 1}
    assert len(store) == len(expected)
    assert {indicator for indicator, _ in store.items()} == expected
    assert not store.lookup(DOMAIN, domain(1).value, 0)
    assert all(store.lookup(DOMAIN, value, 0) for _, value in expected)
    database.run("pragma max_page_count = 1000000")
    assert store.add(domain(9_999), Item("feed"))
    store._contents.write()
    assert {indicator for indicator, _ in store.items()} == expected | {domain(9_999)}
    assert len(store.expire(2e10)) == len(expected)
    assert [indicator for indicator, _ in store.items()] == [domain(9_999)]


def test_after_a_failure_writing_waits_a_moment(
    small: None, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_contents, "_RETRY", 3600.0)
    database = store._contents._database
    database.run("pragma max_page_count = 1")
    with pytest.raises(OSError, match="full"):
        for number in range(5_000):
            store.add(domain(number), Item("feed", desc="x" * 1000 + str(number)))
    database.run("pragma max_page_count = 1000000")
    with pytest.raises(OSError, match="full"):
        store.add(domain(9_999), Item("feed"))


def test_expiry_on_a_full_disk_tells_what_it_dropped(small: None, store: DiskStore) -> None:
    database = store._contents._database
    for number in range(1_000):
        store.add(domain(number), Item("feed", expires=float(number)))
    store._contents.write()
    row = database.one("pragma page_count", ())
    assert row is not None
    # Writing that everything is gone takes pages first.
    database.run(f"pragma max_page_count = {row[0]}")
    dropped: list[Indicator] = []
    failed = 0
    for _ in range(100):
        try:
            dropped += [indicator for indicator, _ in store.expire(2_000.0)]
        except OSError:
            failed += 1
            database.run("pragma max_page_count = 1000000")
        if not len(store):
            break
    assert sorted(dropped) == sorted(domain(number) for number in range(1_000))
    assert failed <= 1
    assert list(store.items()) == []


def test_what_waits_in_memory_is_bounded(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_contents, "BUFFER", 100)
    monkeypatch.setattr(disk_contents, "_BUFFER_WEIGHT", 20_000)
    contents = store._contents

    def waiting() -> int:
        return sum(map(len, contents._buffer.values()))

    most = 0
    for number in range(1_000):
        store.add(domain(number), Item("feed"))
        most = max(most, waiting())
    assert most == 100
    most = 0
    for number in range(1_000, 1_200):
        store.add(domain(number), Item("feed", desc="x" * 5_000))
        most = max(most, waiting())
    assert most <= 5
    for number in range(1_000):
        store.add(domain(0), Item("feed", expires=float(number)))
        assert len(contents._buffered_due) <= 201
    for number in range(1_200):
        store.remove(domain(number))
        assert waiting() <= 200


def test_different_items_are_kept_in_memory_up_to_a_bound(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_rows, "_PROFILES", 10)
    told = [
        (
            domain(number),
            Item("feed", desc=f"of {number}", id=str(number), tags=("a", "b"), expires=1e9 + number),
        )
        for number in range(100)
    ]
    told.append((domain(100), Item("feed", desc="long" * 1_000)))
    for indicator, item in told:
        store.add(indicator, item)
    store._contents.write()
    assert sorted(store.items()) == sorted(told)
    assert len(store._contents._rows._profiles) == 10


def test_equal_items_are_one_object_and_take_no_room(store: DiskStore) -> None:
    for number in range(20):
        store.add(domain(number), Item("feed", desc="the same"))
    store._contents.write()
    assert len({id(item) for _, item in store.items()}) == 1


def test_values_that_hold_line_feeds_are_one(store: DiskStore) -> None:
    values = ["/a\nb", "/C\n", "/d"]
    for value in values:
        store.add(Indicator(URL, value), Item("feed"))
    store._contents.write()
    assert sorted(store.values(URL)) == sorted(values)
    assert sorted(value for chunk in store.folded_values(URL) for value in chunk) == ["/a\nb", "/c\n", "/d"]


def test_expiry_takes_no_more_than_it_is_asked_for(small: None, store: DiskStore) -> None:
    for number in range(1_000):
        store.add(domain(number), Item("feed", expires=float(number % 10)))
    dropped = store.expire(9.0, limit=100)
    assert 100 <= len(dropped) < 200
    while more := store.expire(9.0, limit=100):
        dropped += more
    assert len(dropped) == len(set(dropped)) == 1_000


def test_the_filter_forgets_what_is_gone_and_becomes_one_again(
    small: None, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_contents, "_STALE", 500)
    monkeypatch.setattr("threathunting.intel.filter._FIRST", 100)
    store._contents._filter = Filter(0)
    for number in range(2_000):
        store.add(domain(number), Item("feed"))
    assert store._contents._filter.layers > 1
    for number in range(1_900):
        store.remove(domain(number))
    later = iter(range(2_000, 3_000))
    for _ in range(200):
        again = False
        for _ in range(4):
            again = store.tidy(again=again)
        store.add(domain(next(later)), Item("feed"))
    there = {*range(1_900, 2_000), *range(2_000, 2_200)}
    assert store._contents._filter.layers == 1
    assert store._contents._filter.added < 800
    assert all(store.lookup(DOMAIN, domain(number).value, 0) for number in there)
    assert sum(domain(number).value in store._contents._filter for number in range(1_900)) < 100


def test_where_nothing_comes_reading_is_made_fast(
    small: None, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_tables, "_LEFT", 10)
    for number in range(150):
        store.add(domain(number), Item("feed", expires=1e9, subdomains=True))
    store._contents.write()
    again = False
    for _ in range(20):
        again = store.tidy(again=again)
    assert not again
    for name in ("entries", "expiry", "rules"):
        row = store._contents._database.one(f"select count(*) from {name}_small", ())
        assert row is not None
        assert row[0] <= 10
    assert len(list(store.items())) == 150


def test_all_that_stays_comes_while_others_come_and_go(small: None, store: DiskStore) -> None:
    lock = threading.Lock()
    staying = {domain(number).value for number in range(0, 3_000, 3)}
    for number in range(3_000):
        store.add(domain(number), Item("feed", subdomains=True))
    stop = threading.Event()
    failed: list[BaseException] = []

    def change() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                with lock:
                    at = number * 7919 % 6_000
                    if at % 3 or at >= 3_000:
                        if not store.remove(domain(at)):
                            store.add(
                                domain(at), Item("feed", expires=float(number), subdomains=bool(at % 2))
                            )
                    else:
                        store.add(domain(at), Item("feed", desc=str(number), subdomains=True))
                    if not number % 50:
                        store.expire(float(number - 500))
                        store.tidy()
        except BaseException as error:
            failed.append(error)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        before = store.version
        for _ in range(5):
            for chunks in (
                store.folded_values(DOMAIN),
                store.subdomain_rule_values(),
                ([value for value, _ in chunk] for chunk in store.entries(DOMAIN)),
            ):
                came = [value for chunk in chunks for value in chunk]
                assert staying <= set(came)
                assert len(came) == len(set(came))
    finally:
        stop.set()
        changing.join()
    assert failed == []
    assert store.version > before + 100


def test_several_threads_use_it_in_turn(small: None, store: DiskStore) -> None:
    lock = threading.RLock()
    failed: list[BaseException] = []

    def use(first: int) -> None:
        try:
            for number in range(first, first + 500):
                with lock:
                    assert store.add(domain(number), Item("feed"))
                    assert store.lookup(DOMAIN, domain(first).value, 0)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(first,)) for first in (0, 1_000, 2_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store) == len(list(store.items())) == 1_500


def test_what_is_closed_says_so(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "intel.db")
    store.add(domain(1), Item("feed"))
    store._contents.write()
    store.close()
    with pytest.raises(OSError, match="closed"):
        store.lookup(DOMAIN, domain(1).value, 0)
