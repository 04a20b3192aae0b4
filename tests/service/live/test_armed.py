"""The armed intel: the allow-list's comings and goings, and files that change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from threathunting.intel.allowlist import AllowList
from threathunting.intel.entries import IntelStore
from threathunting.intel.replay import Refused, Replay, TopicMessage
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.service.live.armed import Armed, ahead
from threathunting.service.live.intel_files import IntelFiles
from threathunting.service.live.stores import DiskStores

EVIL = Indicator(IndicatorType.DOMAIN, "evil.example")
GOOD = Indicator(IndicatorType.DOMAIN, "good.example")


Make = Callable[[int], IntelStore]


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    if request.param == "memory":
        yield Store
        return
    stores = DiskStores(tmp_path_factory.mktemp("state"))
    made: list[IntelStore] = []

    def make(limit: int) -> IntelStore:
        made.append(stores(limit))
        return made[-1]

    yield make
    for store in made:
        store.close()


def allowing(*values: str) -> AllowList:
    allow = AllowList()
    for value in values:
        allow.add(value)
    return allow


def values(armed: Armed) -> set[tuple[str, str]]:
    return {(indicator.value, item.source) for indicator, item in armed.store.items()}


def test_what_the_allow_list_holds_is_refused_and_comes_in_when_it_leaves(make: Make) -> None:
    armed = Armed(10, make)
    armed.use_allow_list(allowing("good.example"))
    with pytest.raises(ValueError, match=r"on the allow-list \(good.example\)"):
        armed.add(GOOD, Item("feed"))
    armed.add(EVIL, Item("feed"))
    assert armed.use_allow_list(allowing("evil.example")) == (1, 1)
    assert values(armed) == {("good.example", "feed")}
    assert armed.use_allow_list(None) == (0, 1)
    assert values(armed) == {("good.example", "feed"), ("evil.example", "feed")}


def test_what_was_removed_while_held_back_does_not_come_in(make: Make) -> None:
    armed = Armed(10, make)
    armed.use_allow_list(allowing("good.example"))
    with pytest.raises(ValueError):
        armed.add(GOOD, Item("feed"))
    assert armed.remove(GOOD, "feed")
    armed.use_allow_list(None)
    assert values(armed) == set()


def test_expired_items_leave_and_do_not_come_back_from_the_allow_list(make: Make) -> None:
    armed = Armed(10, make)
    armed.add(EVIL, Item("feed", expires=time.time() + 0.2))
    armed.use_allow_list(allowing("good.example"))
    with pytest.raises(ValueError):
        armed.add(GOOD, Item("feed", expires=time.time() + 0.2))
    time.sleep(0.25)
    assert armed.expire() == 1
    assert armed.use_allow_list(None) == (0, 0)
    assert values(armed) == set()


def test_a_full_store_refuses_with_what_to_do(make: Make) -> None:
    armed = Armed(1, make)
    armed.add(EVIL, Item("feed"))
    with pytest.raises(ValueError, match=r"raise intel\.max_indicators"):
        armed.add(GOOD, Item("feed"))


class Feeds:
    def __init__(self, make: Make) -> None:
        self.armed = Armed(1000, make)
        self.warned: list[str] = []
        self.files = IntelFiles(self.armed, lambda path, text: self.warned.append(text), None, None)

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        self.files.changed([path])


def test_a_removed_line_removes_the_item_and_others_stay(make: Make, tmp_path: Path) -> None:
    feeds = Feeds(make)
    path = tmp_path / "feed.txt"
    path.write_text("evil.example\n198.51.100.7\n")
    feeds.armed.add(EVIL, Item("SOAR"))
    feeds.files.use([str(path)])
    assert values(feeds.armed) == {
        ("evil.example", "SOAR"),
        ("evil.example", "feed"),
        ("198.51.100.7", "feed"),
    }
    feeds.write(path, "198.51.100.7\nnew.example\n")
    assert values(feeds.armed) == {
        ("evil.example", "SOAR"),
        ("new.example", "feed"),
        ("198.51.100.7", "feed"),
    }
    assert feeds.warned == []
    assert feeds.files.status[0].items == 2


@pytest.mark.parametrize("how", ["gone", "empty", "unreadable"])
def test_a_feed_that_broke_disarms_nothing_and_is_told(make: Make, tmp_path: Path, how: str) -> None:
    feeds = Feeds(make)
    path = tmp_path / "feed.txt"
    path.write_text("evil.example\n")
    feeds.files.use([str(path)])
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_text("")
    else:
        path.unlink()
        path.symlink_to(tmp_path / "feed.txt")
    feeds.files.changed([path])
    assert values(feeds.armed) == {("evil.example", "feed")}
    assert len(feeds.warned) == 1
    path.unlink(missing_ok=True)
    feeds.write(path, "evil.example\nmore.example\n")
    assert values(feeds.armed) == {("evil.example", "feed"), ("more.example", "feed")}


def test_a_folder_is_read_again_when_a_file_in_it_changes(make: Make, tmp_path: Path) -> None:
    feeds = Feeds(make)
    (tmp_path / "a.txt").write_text("a.example\n")
    (tmp_path / "b.txt").write_text("b.example\n")
    feeds.files.use([str(tmp_path)])
    feeds.write(tmp_path / "b.txt", "c.example\n")
    assert values(feeds.armed) == {("a.example", "a"), ("c.example", "b")}


def test_a_path_that_is_no_longer_named_is_disarmed(make: Make, tmp_path: Path) -> None:
    feeds = Feeds(make)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"{name}.example\n")
    feeds.files.use([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    feeds.files.use([str(tmp_path / "b.txt")])
    assert values(feeds.armed) == {("b.example", "b")}


def test_expiry_counts_from_the_files_own_time_and_refused_lines_are_told(make: Make, tmp_path: Path) -> None:
    feeds = Feeds(make)
    path = tmp_path / "feed.jsonl"
    path.write_text(
        '{"ioc": "old.example", "type": "domain", "meta": {"expire": 60}}\n'
        '{"ioc": "not an address", "type": "addr"}\n'
    )
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    feeds.files.use([str(path)])
    assert values(feeds.armed) == set()
    assert feeds.files.status[0].refused == 1
    assert "not an address" in feeds.warned[0]


def test_on_disk_what_files_said_is_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "feed.txt").write_text("evil.example\n")
    feeds = Feeds(DiskStores(tmp_path / "state"))
    for number in range(3):
        feeds.files.use([str(tmp_path / "feed.txt")])
        feeds.write(tmp_path / "feed.txt", f"{number}.example\n")
    assert len(list((tmp_path / "state" / "intel").iterdir())) == 2
    feeds.files.close()
    feeds.armed.store.close()
    assert list((tmp_path / "state" / "intel").iterdir()) == []


class Broken(Store):
    """A store whose disk has no room."""

    def add(self, indicator: Indicator, item: Item) -> bool:
        raise OSError("the disk is full")

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        raise OSError("the disk is full")


def test_a_message_that_finds_no_room_on_the_disk_is_refused() -> None:
    armed = Armed(10, Broken)
    replay = Replay(armed)
    add = b'{"ioc": "evil.example", "type": "domain"}'
    remove = b'{"ioc": "evil.example", "type": "domain", "action": "remove"}'
    for value in (add, remove):
        assert replay.apply(TopicMessage(1.0, 0, 0, "t", 1.0, None, value), 2.0) == Refused(
            "the disk is full"
        )
    assert replay.apply(TopicMessage(1.0, 0, 1, "t", 1.0, b"domain|evil.example|x", None), 2.0) == Refused(
        "the disk is full"
    )
    assert replay.counts["refused"] == 3


def test_what_a_broken_store_cannot_take_from_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "feed.txt").write_text("evil.example\n")
    warned: list[str] = []

    def make(limit: int) -> IntelStore:
        return Broken(limit) if limit == 10 else Store(limit)

    files = IntelFiles(Armed(10, make), lambda path, text: warned.append(text), None, None)
    files.use([str(tmp_path / "feed.txt")])
    assert warned == ["1 items refused, the first: the disk is full"]
    assert files.status[0].refused == 1


class Stuck(Store):
    """A store that lets nothing go for a while."""

    stuck = True

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        if self.stuck:
            raise OSError("the disk is full")
        return super().remove(indicator, source)


def test_what_could_not_be_disarmed_is_told_and_disarmed_when_the_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text("evil.example\nother.example\n")
    warned: list[str] = []

    def make(limit: int) -> IntelStore:
        return Stuck(limit) if limit == 10 else Store(limit)

    armed = Armed(10, make)
    files = IntelFiles(armed, lambda path, text: warned.append(text), None, None)
    files.use([str(path)])
    path.write_text("other.example\n")
    files.changed([path])
    assert warned == ["can't be read: the disk is full; what it held before stays armed"]
    assert ("evil.example", "feed") in values(armed)
    Stuck.stuck = False
    try:
        files.changed([path])
        assert values(armed) == {("other.example", "feed")}
        Stuck.stuck = True
        files.use([])
        assert warned[1:] == ["not all that it held is disarmed: the disk is full"]
    finally:
        Stuck.stuck = True


def test_many_that_expire_leave_in_steps(make: Make) -> None:
    armed = Armed(10_000, make)
    gone: list[str] = []
    armed.listeners.append(
        lambda indicator, source, item: gone.append(indicator.value) if item is None else None
    )
    for number in range(5_000):
        armed.add(
            Indicator(IndicatorType.DOMAIN, f"{number}.example"), Item("feed", expires=1.0 + number % 40)
        )
    assert armed.expire() == armed.expired == 5_000
    assert len(set(gone)) == len(gone) == 5_000
    assert len(armed) == 0


def test_chunks_are_read_ahead_and_come_in_order() -> None:
    read = []

    def chunks() -> Iterator[list[str]]:
        for number in range(5):
            read.append(number)
            yield [str(number)]

    coming = ahead(chunks())
    assert next(coming) == ["0"]
    assert next(coming) == ["1"]
    assert list(coming) == [["2"], ["3"], ["4"]]
    assert read == [0, 1, 2, 3, 4]
    # One that isn't wanted any more ends, and reads no more than one chunk in vain.
    read.clear()
    coming = ahead(chunks())
    next(coming)
    coming.close()
    assert read in ([0], [0, 1])


def test_what_goes_wrong_while_reading_ahead_is_told_to_who_reads() -> None:
    def chunks() -> Iterator[list[str]]:
        yield ["a"]
        raise OSError("no disk")

    coming = ahead(chunks())
    assert next(coming) == ["a"]
    with pytest.raises(OSError, match="no disk"):
        next(coming)
