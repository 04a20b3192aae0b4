"""The stores of a service's intel: in memory, or in files of the state folder."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from threathunting.intel.disk_store import DiskStore
from threathunting.intel.entries import IntelStore

_FOLDER = "intel"


class DiskStores:
    """Makes stores on disk, one file each. What an earlier process left of them is deleted first."""

    def __init__(self, state: Path) -> None:
        """``state``: the state folder, which this process has locked. Raises OSError."""
        self._folder = state / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.iterdir():
            left.unlink()
        self._numbers = count()

    def __call__(self, limit: int) -> IntelStore:
        """A new store of up to ``limit`` indicators. Raises OSError."""
        return DiskStore(self._folder / f"{next(self._numbers)}.db", limit)
