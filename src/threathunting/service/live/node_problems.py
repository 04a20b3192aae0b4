"""What is wrong on the nodes of a Zeek, as their states tell of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from threathunting.zeek.protocol import State

NODES = 10_000
"""Nodes whose counters are remembered; beyond, those go that were silent longest."""


class Problem(NamedTuple):
    """A sentence, and what differs each time it is told."""

    text: str
    detail: str | None = None


class _Counts(NamedTuple):
    boot: str
    unverified: int
    sampled: int


class NodeProblems:
    """Remembers what each node has counted, so that a counter is told of when it grows. Not for several threads."""

    def __init__(self, nodes: int = NODES) -> None:
        """``nodes``: how many are remembered."""
        self._limit = nodes
        self._counts: OrderedDict[str, _Counts] = OrderedDict()

    def problems(self, state: State) -> Iterator[Problem]:
        """What is new or still wrong on a node that told its state."""
        about = state.about
        yield from map(Problem, about.problems)
        before = self._counts.pop(state.node, None)
        if before is None or before.boot != state.boot:
            before = _Counts(state.boot, 0, 0)
        if about.unverified > before.unverified:
            yield Problem("captured without an answer, as none came in time", f"{about.unverified:,} so far")
        if about.sampled > before.sampled:
            yield Problem(
                "values are seen so often that only one sighting in a hundred is taken",
                f"{about.sampled:,} passed over",
            )
        if len(self._counts) >= self._limit:
            self._counts.popitem(last=False)
        self._counts[state.node] = _Counts(state.boot, about.unverified, about.sampled)
