"""The armed intel of a running service: the store behind its lock, with what the allow-list holds back."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from threathunting.intel.allowlist import AllowList
from threathunting.intel.entries import IntelStore, items_of
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item

HELD_BACK = 100_000
"""Items on the allow-list that are kept, to be armed should they leave it."""

_CHUNK = 2_000
"""Items looked at between two chances for others to use the store."""


class Armed:
    """Takes intel from all doors (topic, files). Any thread may call it."""

    def __init__(self, limit: int, make: Callable[[int], IntelStore] = Store) -> None:
        """Take up to ``limit`` indicators; ``make`` makes a store of up to so many."""
        self.make = make
        self.store = make(limit)
        self.lock = threading.RLock()
        self.allow: AllowList | None = None
        self.listeners: list[Callable[[Indicator, str, Item | None], None]] = []
        """Told, under the lock, of every item that is armed, and of every source's that is disarmed (None)."""
        self.expired = 0
        """Items whose time came while they were armed."""
        self.forgotten = 0
        """Items on the allow-list that are not even kept, for want of room."""
        self._held_back: OrderedDict[tuple[Indicator, str], Item] = OrderedDict()

    def __len__(self) -> int:
        """Number of armed indicators."""
        return len(self.store)

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Arm an item; False where it stood there already. ValueError says why it is refused."""
        try:
            return self._add(indicator, item)
        except OSError as error:
            raise ValueError(str(error)) from None

    def _add(self, indicator: Indicator, item: Item) -> bool:
        with self.lock:
            if (
                self.allow is not None
                and (reason := self.allow.refuses(indicator, item.subdomains)) is not None
            ):
                self._disarm(indicator, item.source)
                self._hold_back(indicator, item)
                raise ValueError(f"{indicator.type.value} {reason}")
            self._held_back.pop((indicator, item.source), None)
            try:
                return self._arm(indicator, item)
            except OverflowError as error:
                raise ValueError(f"{error}; raise intel.max_indicators") from None

    def remove(self, indicator: Indicator, source: str) -> bool:
        """Disarm one source's item; False where there was none. OSError says why it can't be done."""
        with self.lock:
            held = self._held_back.pop((indicator, source), None)
            return self._disarm(indicator, source) or held is not None

    def item(self, indicator: Indicator, source: str) -> Item | None:
        """What a source tells of an indicator, armed or held back."""
        with self.lock:
            entry = self.store.values(indicator.type).get(indicator.value, ())
            found = next((item for item in items_of(entry) if item.source == source), None)
            return found or self._held_back.get((indicator, source))

    def expire(self) -> int:
        """Disarm what has expired by now, and return how many items that were. Raises OSError."""
        now = time.time()
        before = self.expired
        more = True
        while more:
            with self.lock:
                gone = self.store.expire(now, _CHUNK)
                for indicator, item in gone:
                    self._tell(indicator, item.source, None)
            self.expired += len(gone)
            more = len(gone) >= _CHUNK
        return self.expired - before

    def tidy(self, *, again: bool) -> bool:
        """Have the store go a step on with making itself faster; see ``IntelStore.tidy``. Raises OSError."""
        with self.lock:
            return self.store.tidy(again=again)

    def use_allow_list(self, allow: AllowList | None) -> tuple[int, int]:
        """From now on refuse what is on this list: how many armed items left, and how many held back came in.

        Raises OSError where that could be done in part only.
        """
        with self.lock:
            self.allow = allow
            back = [
                (indicator, item)
                for (indicator, _), item in self._held_back.items()
                if item.alive(time.time())
                and (allow is None or allow.refuses(indicator, item.subdomains) is None)
            ]
            for indicator, item in back:
                del self._held_back[indicator, item.source]
                try:
                    self._arm(indicator, item)
                except (OverflowError, OSError):
                    self._hold_back(indicator, item)
        return (0 if allow is None else self._sweep(allow)), len(back)

    def _sweep(self, allow: AllowList) -> int:
        """Move what is armed and on the list out of the store, in steps that hold nobody up."""
        gone = 0
        every = (
            (Indicator(type, value), item)
            for type in IndicatorType
            for part in self.store.entries(type)
            for value, entry in part
            for item in items_of(entry)
        )
        while chunk := list(islice(every, _CHUNK)):
            with self.lock:
                for indicator, item in chunk:
                    if allow.refuses(indicator, item.subdomains) is not None and self._disarm(
                        indicator, item.source
                    ):
                        self._hold_back(indicator, item)
                        gone += 1
        return gone

    def _arm(self, indicator: Indicator, item: Item) -> bool:
        new = self.store.add(indicator, item)
        if new:
            self._tell(indicator, item.source, item)
        return new

    def _disarm(self, indicator: Indicator, source: str) -> bool:
        gone = self.store.remove(indicator, source)
        if gone:
            self._tell(indicator, source, None)
        return gone

    def _tell(self, indicator: Indicator, source: str, item: Item | None) -> None:
        for listener in self.listeners:
            listener(indicator, source, item)

    def _hold_back(self, indicator: Indicator, item: Item) -> None:
        self._held_back[indicator, item.source] = item
        if len(self._held_back) > HELD_BACK:
            self._held_back.popitem(last=False)
            self.forgotten += 1


class ArmedSet:
    """What filters are filled with. See ``compact_fill.Source``."""

    def __init__(self, armed: Armed) -> None:
        self._armed = armed

    def exact(self) -> int:
        """Number of values of all types but subnets."""
        with self._armed.lock:
            counts = self._armed.store.counts()
        return sum(count for type, count in counts.items() if type != IndicatorType.SUBNET.value)

    def values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The values of a type, in chunks."""
        return ahead(self._armed.store.folded_values(type))

    def subdomain_rules(self) -> Iterator[list[str]]:
        """The domains that stand for their subdomains, in chunks."""
        return ahead(self._armed.store.subdomain_rule_values())


def ahead(chunks: Iterator[list[str]]) -> Generator[list[str]]:
    """The same chunks, the next one being read in another thread while one is used: reading a disk takes its time."""
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = pool.submit(next, chunks, None)
            yield chunk
