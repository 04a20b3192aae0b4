"""Intel files beside the topic: read again when they change, and never taken for gone because they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from threathunting.intel.entries import DEFAULT_LIMIT, IntelStore, items_of
from threathunting.intel.load import load
from threathunting.intel.store import Store
from threathunting.service.live.armed import Armed
from threathunting.service.status import IntelFileStatus


@dataclass
class _Feed:
    status: IntelFileStatus
    told: IntelStore
    """What the file said when it was last read."""


class IntelFiles:
    """Arms what files and folders hold; what a file no longer holds is disarmed.

    A file that vanishes, or is suddenly empty or unreadable, warns and changes nothing: a feed that broke
    must not disarm anything. What a removed path of the configuration held is disarmed.
    """

    def __init__(
        self,
        armed: Armed,
        warn: Callable[[str, str], None],
        default_source: str | None,
        default_expire: float | None,
    ) -> None:
        """``warn`` is told (path, sentence). Without ``default_source``, a file's own name is its source."""
        self._armed = armed
        self._warn = warn
        self._default_source = default_source
        self._default_expire = default_expire
        self._feeds: dict[str, _Feed] = {}

    @property
    def status(self) -> list[IntelFileStatus]:
        """How each path stands."""
        return [feed.status for feed in self._feeds.values()]

    def use(self, paths: Iterable[str]) -> None:
        """From now on these paths; new ones are read, those that are no longer named are disarmed."""
        wanted = list(paths)
        for path in [path for path in self._feeds if path not in wanted]:
            try:
                self._tell(self._feeds[path], Store())
            except OSError as error:
                self._warn(path, f"not all that it held is disarmed: {error}")
            self._feeds.pop(path).told.close()
        for path in wanted:
            if path not in self._feeds:
                # What it said last is nothing.
                self._feeds[path] = _Feed(IntelFileStatus(path=path, state="not read yet"), Store())
                self.read(path)

    def changed(self, paths: Iterable[Path]) -> None:
        """Something changed at these paths: read again the files and folders that are concerned."""
        moved = [path.absolute() for path in paths]
        for name in list(self._feeds):
            own = Path(name).absolute()
            if any(own == path or own in path.parents or path in own.parents for path in moved):
                self.read(name)

    def read(self, path: str) -> None:
        """Read a file or folder and arm what it says now."""
        feed = self._feeds[path]
        try:
            told = self._empty()
        except OSError as error:
            self._cannot(feed, error)
            return
        try:
            report = load([path], told, source=self._default_source, default_expire=self._default_expire)
        except OSError as error:
            told.close()
            self._cannot(feed, error)
            return
        if not len(told) and len(feed.told):
            told.close()
            feed.status.state = "empty"
            self._warn(
                path, f"holds no intel any more; the {len(feed.told)} indicators it held before stay armed"
            )
            return
        if report.refused:
            first = report.refusals[0]
            self._warn(
                path, f"{report.refused} entries refused, the first in line {first.line}: {first.reason}"
            )
        try:
            refused, items = self._tell(feed, told)
        except OSError as error:
            if feed.told is not told:
                told.close()
            self._cannot(feed, error)
            return
        feed.status.refused = report.refused + refused
        feed.status.items = items
        feed.status.state = "read"
        feed.status.read_at = time.time()

    def close(self) -> None:
        """Let go of what the files said."""
        for feed in self._feeds.values():
            feed.told.close()

    def _empty(self) -> IntelStore:
        return self._armed.make(DEFAULT_LIMIT)

    def _cannot(self, feed: _Feed, error: OSError) -> None:
        feed.status.state = f"can't be read: {(error.strerror or str(error)).lower()}"
        self._warn(feed.status.path, f"{feed.status.state}; what it held before stays armed")

    def _tell(self, feed: _Feed, told: IntelStore) -> tuple[int, int]:
        """Bring the armed intel from what the file said to what it says; how many items were refused, of how many."""
        before = feed.told
        now = time.time()
        for indicator, item in before.items():
            entry = told.values(indicator.type).get(indicator.value, ())
            if (
                all(other.source != item.source for other in items_of(entry))
                and self._armed.item(indicator, item.source) == item
            ):
                self._armed.remove(indicator, item.source)
        feed.told = told
        before.close()
        refused = items = 0
        reason = ""
        for indicator, item in told.items():
            items += 1
            if item.alive(now):
                try:
                    self._armed.add(indicator, item)
                except ValueError as error:
                    refused += 1
                    reason = reason or str(error)
        if refused:
            self._warn(feed.status.path, f"{refused} items refused, the first: {reason}")
        with suppress(OSError):  # then it keeps in memory what it can't write
            told.rest()
        return refused, items
