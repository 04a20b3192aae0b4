"""Which files there are in the places that are followed."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import NamedTuple

from threathunting.sensors.follow.state import Id, kind_of
from threathunting.sensors.log_names import from_file_name


class Seen(NamedTuple):
    """A file in a listing."""

    path: str
    id: Id
    size: int
    mtime: int
    """In nanoseconds since the epoch."""
    rotated: bool
    """Whether it lies only where rotated logs go to."""


class Listing(NamedTuple):
    """The files there are, and what stood in the way, as sentences by path."""

    files: dict[Id, Seen]
    paths: dict[str, Id]
    problems: dict[str, str]
    whole: bool
    """Whether every folder could be read: only then a file that isn't listed is gone."""


class Places:
    """Folders, globs and files to follow, and where the rotated ones go."""

    def __init__(self, paths: Iterable[str], rotated: Iterable[str] = ()) -> None:
        """Nothing needs to be there yet."""
        self.paths = [str(path) for path in paths]
        self.rotated = [str(path) for path in rotated]
        self._folders: dict[str, tuple[int, list[str]]] = {}
        """Of folders for rotated logs in which nothing happens: when they were changed, and those below them."""

    def look(self, since: int = 0, needed: Collection[str] = ()) -> Listing:
        """List the files. Symbolic links to files are followed, those to folders below a named folder are not.

        In places of rotated logs, which may hold years of them, only those folders are looked at in which a file
        was made ``since`` a time in nanoseconds, or that are ``needed``.
        """
        listing = Listing({}, {}, {}, True)
        failed: list[str] = []
        for spec in self.paths:
            roots = _roots(spec)
            if not roots:
                listing.problems[spec] = f"{spec} does not exist yet: create it, or correct the path"
            for root in roots:
                self._take(_files(root, listing.problems, failed), False, listing, failed)
        for spec in self.rotated:
            for root in _roots(spec):
                self._take(self._recent(root, since, needed, listing.problems, failed), True, listing, failed)
        return listing._replace(whole=not failed)

    def _recent(
        self, root: str, since: int, needed: Collection[str], problems: dict[str, str], failed: list[str]
    ) -> Iterator[str]:
        """The files at ``root``, without those in folders in which nothing has happened."""
        if not Path(root).is_dir():
            yield root
            return
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
            except OSError:
                continue
            old = changed < since and folder not in needed
            known = self._folders.get(folder)
            if old and known is not None and known[0] == changed:
                folders += known[1]
                continue
            below: list[str] = []
            for path in _entries(folder, below, problems, failed):
                if not old:
                    yield path
            folders += below
            self._folders[folder] = (changed, below)

    @staticmethod
    def _take(paths: Iterable[str], rotated: bool, listing: Listing, failed: list[str]) -> None:
        for path in paths:
            try:
                found = os.stat(path)  # noqa: PTH116 (hundreds of files every second)
            except FileNotFoundError:
                continue
            except OSError as error:
                failed.append(path)
                listing.problems[path] = f"{path} can't be read: {_reason(error)}"
                continue
            if stat.S_ISREG(found.st_mode):
                id = (found.st_dev, found.st_ino)
                listing.paths.setdefault(path, id)
                listing.files.setdefault(id, Seen(path, id, found.st_size, found.st_mtime_ns, rotated))

    def fits(self, path: str) -> bool:
        """Whether a rotated file's name is that of a log that is followed."""
        return any(self._fits(spec, PurePath(path).name) for spec in self.paths)

    @staticmethod
    def _fits(spec: str, name: str) -> bool:
        followed = PurePath(spec).name
        log = from_file_name(name)
        if Path(spec).is_dir() or fnmatch(name, followed):
            return True
        if log is None or kind_of(name) != kind_of(followed):
            return name.startswith(followed)
        return log == from_file_name(followed) or fnmatch(f"{log}{PurePath(followed).suffix}", followed)


def _roots(spec: str) -> Sequence[str]:
    if Path(spec).exists():
        return [spec]
    return sorted(glob.glob(spec, recursive=True))  # noqa: PTH207 (takes absolute patterns, too)


def _files(root: str, problems: dict[str, str], failed: list[str]) -> Iterator[str]:
    """The paths at ``root``: itself, or what is in the folder and those below, without hidden ones."""
    if not Path(root).is_dir():
        yield root
        return
    folders = [root]
    while folders:
        yield from _entries(folders.pop(), folders, problems, failed)


def _entries(folder: str, folders: list[str], problems: dict[str, str], failed: list[str]) -> Iterator[str]:
    """The files in a folder; the folders in it are added to ``folders``."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry.path
    except FileNotFoundError:
        pass
    except OSError as error:
        failed.append(folder)
        problems[folder] = f"{folder} can't be read: {_reason(error)}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
