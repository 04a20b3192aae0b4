"""Notices when files or folders change, in whatever way: written, replaced, gone, back, or behind a new symlink."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import structlog
import watchfiles

POLL_SECONDS = 0.5
"""The longest time between two looks, where the kernel tells nothing (network file systems, too many watches)."""

SHARE = 20
"""Looking takes at most one part in so many of the time: large folders are looked at less often."""

SETTLE_SECONDS = 0.1
"""For so long, nothing must change any more before a change is told ..."""
MAX_SETTLES = 4
"""... but so many times at most, for a file that is written all the time is told as well."""

_STEP_MILLISECONDS = 50
_BATCH_MILLISECONDS = 100
_LINKS = 40

Signature = tuple[int, int, int, int, int]
"""Device, inode, size, and when content and rights were changed: with another one, it is to be read again."""


class Watcher:
    """Watches paths in a daemon thread and calls back with what changed.

    A path is a file, a folder (with all below it, but hidden files), or nothing yet. The kernel's notices say
    when to look; that something changed is told by looking, at least every half a second.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        changed: Callable[[frozenset[Path]], None],
        poll_seconds: float = POLL_SECONDS,
        notices: bool = True,
    ) -> None:
        """Remember how ``paths`` are now: make it before they are read, so that no change goes unseen.

        ``changed`` is called in the watcher's thread with the paths of files, as given or below a folder as given.
        What it raises is logged. Without ``notices`` it only looks.
        """
        self._changed = changed
        self._poll = self._pause = poll_seconds
        self._notices = notices
        self._lock = threading.Lock()
        self._paths = tuple(Path(path) for path in paths)
        self._seen = snapshot(self._paths)
        self._stop = threading.Event()
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to call back."""
        self._thread.start()

    def stop(self) -> None:
        """Call back no more. Waits for a call that is under way, unless it is made by that call."""
        self._stop.set()
        self._again.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def watch(self, paths: Iterable[str | Path]) -> None:
        """Watch these paths instead. Those that are new are taken as they are now, without a call."""
        new = tuple(Path(path) for path in paths)
        found = snapshot(new)
        with self._lock:
            kept = {path: one for path, one in self._seen.items() if _under(path, new)}
            fresh = {path: one for path, one in found.items() if not _under(path, self._paths)}
            self._paths, self._seen = new, kept | fresh
        self._again.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._again.clear()
            try:
                for _ in self._wakings():
                    if self._stop.is_set():
                        return
                    self._look()
            except OSError as error:  # e.g. too many watches, or a folder that went away just now
                structlog.get_logger().debug("watching by looking only", key="watch", error=str(error))
                self._stop.wait(self._poll)
                self._look()

    def _wakings(self) -> Iterator[None]:
        """Times to look. Ends where other folders are to be watched from then on."""
        with self._lock:
            paths = self._paths
        folders = _folders(paths)
        yield  # what changed since the last look, while nothing was watched
        while not self._notices:
            self._stop.wait(self._pause)
            yield
        waiting = watchfiles.watch(
            *folders,
            watch_filter=None,
            debounce=_BATCH_MILLISECONDS,
            step=_STEP_MILLISECONDS,
            stop_event=self._again,
            rust_timeout=round(self._pause * 1000),
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=False,
        )
        for _ in waiting:
            yield
            if _folders(paths) != folders:
                return

    def _look(self) -> None:
        with self._lock:
            paths, before = self._paths, self._seen
        began = time.monotonic()
        found = snapshot(paths)
        took = time.monotonic() - began
        self._pause = max(self._poll, took * SHARE)
        if found == before:
            self._stop.wait(min(took * SHARE, self._poll))  # notices of a busy folder come all the time
            return
        for _ in range(MAX_SETTLES):
            self._stop.wait(SETTLE_SECONDS)
            earlier, found = found, snapshot(paths)
            if found == earlier:
                break
        with self._lock:
            if self._paths is not paths:
                return
            self._seen = found
        names = found.keys() | before.keys()
        differing = frozenset(path for path in names if found.get(path) != before.get(path))
        if not differing:
            return
        try:
            self._changed(differing)
        except Exception as error:
            structlog.get_logger().error("a change could not be taken up", error=str(error), exc_info=True)


def snapshot(paths: Iterable[Path]) -> dict[Path, Signature]:
    """The signatures of all files that ``paths`` are or hold; what isn't there is left out. Follows symlinks to files.

    Of folders, hidden entries and symlinks to folders are passed over, as ``intel.load`` does.
    """
    found: dict[Path, Signature] = {}
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            continue
        if stat.S_ISDIR(about.st_mode):
            _snapshot_below(path, found)
        else:
            found[path] = _signature(about)
    return found


def _snapshot_below(folder: Path, found: dict[Path, Signature]) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                _snapshot_below(Path(entry.path), found)
            elif entry.is_file():
                found[Path(entry.path)] = _signature(entry.stat())
        except OSError:
            continue


def _signature(about: os.stat_result) -> Signature:
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _folders(paths: Iterable[Path]) -> set[Path]:
    """The folders in which something happens when one of ``paths`` changes."""
    found: set[Path] = set()
    for path in paths:
        for link in _chain(path):
            found.add(_existing(link.parent))
        if path.is_dir():
            found.add(path)
            found.update(_below(path))
    return found


def _chain(path: Path) -> Iterator[Path]:
    """A path and, where it or a folder above it is a symlink, what it leads to, step by step."""
    path = path.absolute()
    yield path
    for _ in range(_LINKS):
        link = next((one for one in (path, *path.parents) if one.is_symlink()), None)
        if link is None:
            return
        # The link itself is replaced in its own folder, what it leads to in another.
        yield link
        path = link.parent / link.readlink() / path.relative_to(link)
        path = Path(os.path.normpath(path))
        yield path


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, _ in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here) / name for name in folders)


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


def _under(path: Path, paths: Iterable[Path]) -> bool:
    return any(path == one or one in path.parents for one in paths)
