"""When the store of intel is made faster: in steps so far apart that nobody who looks something up waits for two."""

from __future__ import annotations

import time
from typing import Protocol

ROUND = 1.0
"""Seconds from one round of steps to the next; only the first of each looks whether much has come meanwhile."""

PAUSE = 0.05
"""Seconds between two steps of a round, at least."""

APART = 10
"""Two steps are so many times as far apart as the first of them took."""


class Tidied(Protocol):
    """What is made faster."""

    def tidy(self, *, again: bool) -> bool:
        """See ``IntelStore.tidy``."""


class Tidying:
    """The steps of one store. Not for several threads."""

    def __init__(self, store: Tidied) -> None:
        self._store = store
        self._began = self._next = 0.0
        self.more = False
        """Whether there is more to do in this round."""

    def step(self, now: float) -> None:
        """Go a step on if it is time for one. ``now``: seconds of a monotonic clock. Raises OSError."""
        if now < self._next:
            return
        again = self.more and now - self._began < ROUND
        if not again:
            self._began = now
        # Where it raises: what isn't tidy is right, only slow.
        self.more = False
        self._next = now + ROUND
        began = time.monotonic()
        self.more = self._store.tidy(again=again)
        took = time.monotonic() - began
        if self.more:
            self._next = now + max(PAUSE, APART * took)
