"""What all streams of an instance share: the armed intel, the modules, and what of a match counts."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.live.window import key_fields
from threathunting.hunt.matching import Match, time_of
from threathunting.intel.allowlist import AllowList
from threathunting.intel.entries import Hit, IntelStore
from threathunting.intel.types import LEVEL_RANK, Item
from threathunting.plugins import Registry
from threathunting.records import Batch, Record


@dataclass(frozen=True)
class Policy:
    """What of a match counts, as the configuration has it now.

    Items below ``min_level`` don't; ``levels`` is a source's level, whatever it says itself; what is on the
    allow-list doesn't count even where it is still armed.
    """

    min_level: str = "low"
    levels: dict[str, str] = field(default_factory=dict)
    allow: AllowList | None = None

    def judge(self, match: Match, at: float) -> Match | None:
        """The part of a match that counts for traffic at ``at``; None where nothing does."""
        hits = []
        for indicator, items in match.hits:
            if self.allow is not None and self.allow.refuses(indicator) is not None:
                continue
            counted = [self.levelled(item) for item in items if item.alive(at)]
            kept = tuple(item for item in counted if LEVEL_RANK[item.level] >= LEVEL_RANK[self.min_level])
            if kept:
                hits.append(Hit(indicator, kept))
        return Match(match.observable, tuple(hits)) if hits else None

    def levelled(self, item: Item) -> Item:
        """An item with the level that counts for its source."""
        level = self.levels.get(item.source)
        if level is None or level == item.level:
            return item
        fields = {name: getattr(item, name) for name in item.__struct_fields__}
        return Item(**fields | {"level": level})


class Hunter:
    """Looks at batches for several streams, each in its thread, while intel and modules change.

    ``lock`` is held while a batch is looked at, and by whoever changes the store.
    """

    def __init__(
        self, store: IntelStore, registry: Registry, policy: Policy, lock: threading.RLock | None = None
    ) -> None:
        self.store = store
        self.lock = lock or threading.RLock()
        self.policy = policy
        self.registry = registry
        self._matcher = FastMatcher(store, registry)

    def use(self, registry: Registry) -> None:
        """Hunt with these modules from now on."""
        with self.lock:
            self.registry = registry
            self._matcher.use(registry)

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Per log the fields whose columns are needed as of now."""
        with self.lock:
            wanted = self._matcher.wanted()
        for name, fields in wanted.items():
            if name != "*":
                keys = key_fields(self.registry.log(name))
                wanted[name] = tuple(dict.fromkeys((*fields, *keys)))
        wanted["*"] = key_fields(self.registry.log(""))
        return wanted

    def look(self, batch: Batch) -> list[tuple[int, Record, list[Match]]]:
        """(row, record, matches) of each row that has any which count, in the batch's order."""
        found = []
        with self.lock:
            for row, record, matches in self._matcher.matches(batch):
                # A record without time is of now: no expired item may flag it.
                at = time_of(record) or time.time()
                counted = [judged for match in matches if (judged := self.policy.judge(match, at))]
                if counted:
                    found.append((row, record, counted))
        return found
