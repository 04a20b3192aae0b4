"""Every way in which a file changes is noticed, by the kernel's notices as well as by looking."""

from __future__ import annotations

import os
import queue
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from threathunting.service.watch import Watcher

Make = Callable[..., "Calls"]


class Calls:
    """The calls that a watcher made."""

    def __init__(self) -> None:
        self._queue: queue.Queue[frozenset[Path]] = queue.Queue()
        self.watcher: Watcher

    def __call__(self, paths: frozenset[Path]) -> None:
        self._queue.put(paths)

    def within(self, seconds: float = 3.0) -> set[Path]:
        """The next change; nothing where there is none in time."""
        try:
            return set(self._queue.get(timeout=seconds))
        except queue.Empty:
            return set()


@pytest.fixture(params=["notices", "looking"])
def watching(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Watchers that only have the kernel's notices, and ones that only look."""
    watchers = []

    def make(*paths: Path, **settings: Any) -> Calls:
        calls = Calls()
        ways = {"poll_seconds": 30.0} if request.param == "notices" else {"notices": False}
        calls.watcher = Watcher(paths, calls, **(ways | settings))
        calls.watcher.start()
        watchers.append(calls.watcher)
        time.sleep(0.15)  # until the kernel watches
        return calls

    yield make
    for watcher in watchers:
        watcher.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "file.toml"
    path.parent.mkdir()
    path.write_text("one")
    return path


def replaced(path: Path, text: str) -> None:
    new = path.with_name(".new")
    new.write_text(text)
    new.replace(path)


def saved_with_a_backup(path: Path, text: str) -> None:
    path.rename(f"{path}~")
    time.sleep(0.02)
    path.write_text(text)


def with_new_rights(path: Path, _: str) -> None:
    path.chmod(0o600)


@pytest.mark.parametrize(
    "change", [Path.write_text, replaced, saved_with_a_backup, with_new_rights, lambda path, _: path.unlink()]
)
def test_changes_of_a_file_are_told_once(
    change: Callable[[Path, str], Any], file: Path, watching: Make
) -> None:
    calls = watching(file)
    change(file, "two!")
    assert calls.within(1.0) == {file}
    assert calls.within(0.3) == set()


def test_again_and_again(file: Path, watching: Make) -> None:
    calls = watching(file)
    for number in range(3):
        replaced(file, str(number))
        assert calls.within() == {file}


def test_a_file_that_is_not_there_yet_and_one_that_comes_back(file: Path, watching: Make) -> None:
    other = file.with_name("other")
    calls = watching(file, other)
    other.write_text("x")
    assert calls.within() == {other}
    file.unlink()
    assert calls.within() == {file}
    file.write_text("one")
    assert calls.within() == {file}


def test_a_folder_that_is_not_there_yet(tmp_path: Path, watching: Make) -> None:
    file = tmp_path / "a" / "b" / "feed.txt"
    calls = watching(file)
    file.parent.mkdir(parents=True)
    time.sleep(0.3)
    file.write_text("x")
    assert calls.within() == {file}
    shutil.rmtree(tmp_path / "a")
    assert calls.within() == {file}


def test_a_config_map_that_is_swapped(tmp_path: Path, watching: Make) -> None:
    """As kubelet does it: file -> ..data/file, ..data -> ..<time>; only ..data is replaced."""
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "c.toml").write_text("same")
    (tmp_path / "..data").symlink_to("..1")
    file = tmp_path / "c.toml"
    file.symlink_to("..data/c.toml")
    calls = watching(file)
    folder = watching(tmp_path)
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    assert calls.within() == {file}
    assert folder.within() == {file}


def test_a_link_to_elsewhere(tmp_path: Path, watching: Make) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real").write_text("one")
    link = tmp_path / "here" / "link"
    link.symlink_to("../there/real")
    calls = watching(link)
    replaced(tmp_path / "there" / "real", "two")
    assert calls.within() == {link}


def test_files_in_a_folder_and_below(tmp_path: Path, watching: Make) -> None:
    folder = tmp_path / "intel"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    calls = watching(folder)
    (folder / ".hidden").write_text("x")
    assert calls.within(0.4) == set()
    (folder / "deep" / "b.txt").write_text("x")
    assert calls.within() == {folder / "deep" / "b.txt"}
    (folder / "new").mkdir()
    time.sleep(0.4)
    (folder / "new" / "c.txt").write_text("x")
    assert calls.within() == {folder / "new" / "c.txt"}
    (folder / "a.txt").unlink()
    assert calls.within() == {folder / "a.txt"}
    folder.rename(tmp_path / "gone")
    assert calls.within() == {folder / "deep" / "b.txt", folder / "new" / "c.txt"}


def test_what_is_beside_a_file_is_not_told(file: Path, watching: Make) -> None:
    calls = watching(file)
    file.with_name("beside").write_text("x")
    os.utime(file.parent)
    assert calls.within(0.5) == set()


def test_a_file_that_is_written_all_the_time_is_told_too(file: Path, watching: Make) -> None:
    calls = watching(file)
    end = time.monotonic() + 1.5
    told: set[Path] = set()
    with file.open("a") as growing:
        while time.monotonic() < end and not told:
            growing.write("x" * 100)
            growing.flush()
            told = calls.within(0.02)
    assert told == {file}


def test_other_paths_from_now_on(file: Path, watching: Make) -> None:
    calls = watching(file)
    new = file.parent.parent / "new.txt"
    new.write_text("one")
    calls.watcher.watch([new])
    time.sleep(0.2)
    file.write_text("changed")
    assert calls.within(0.6) == set()
    new.write_text("changed")
    assert calls.within() == {new}


def test_what_stays_watched_keeps_its_changes(file: Path, watching: Make) -> None:
    """A change that comes while paths are exchanged is told all the same."""
    calls = watching(file)
    file.write_text("changed")
    calls.watcher.watch([file, file.with_name("other")])
    assert calls.within() == {file}


def test_a_call_that_fails_does_not_end_it(file: Path) -> None:
    calls = Calls()

    def failing(paths: frozenset[Path]) -> None:
        calls(paths)
        raise RuntimeError("no")

    watcher = Watcher([file], failing)
    watcher.start()
    for text in ("two", "three"):
        replaced(file, text)
        assert calls.within() == {file}
    watcher.stop()


def test_a_kernel_that_takes_no_watches(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Iterator[Any]:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", full)
    calls = Calls()
    watcher = Watcher([file], calls)
    watcher.start()
    file.write_text("two")
    assert calls.within() == {file}
    watcher.stop()


def test_a_change_before_the_start_is_told(file: Path) -> None:
    calls = Calls()
    watcher = Watcher([file], calls)
    file.write_text("changed")
    watcher.start()
    assert calls.within() == {file}
    watcher.stop()
    file.write_text("after the end")
    assert calls.within(0.3) == set()


def test_it_can_be_stopped_by_its_own_call(file: Path) -> None:
    calls = Calls()

    def once(paths: frozenset[Path]) -> None:
        watcher.stop()
        calls(paths)

    watcher = Watcher([file], once)
    watcher.start()
    file.write_text("two")
    assert calls.within() == {file}
    watcher.stop()
    assert not watcher._thread.is_alive()
