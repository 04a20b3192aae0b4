"""The fast matcher: gates over whole columns choose the few rows that are then looked at exactly.

Most traffic matches nothing, and most of its values came before. So a batch's columns are reduced to distinct
texts, what is known to match nothing is taken off, gates throw out nearly all of the rest, and only rows that
hold what is left become records. The results equal the naive matcher's, also while intel comes and goes: what is
derived from the intel follows its changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from threathunting.hunt.gates import Gates
from threathunting.hunt.matching import Match, exact
from threathunting.hunt.plans import Plan
from threathunting.intel.entries import IntelStore
from threathunting.intel.types import IndicatorType
from threathunting.plugins import Registry
from threathunting.records import Batch, Record


class FastMatcher:
    """Matches batches against a store with the plugins of a registry.

    Store and registry may change between two calls, but not during one, nor while matches are gone through.
    """

    def __init__(self, store: IntelStore, registry: Registry) -> None:
        """Build the gates; each log's plan is made when it is needed."""
        self._store = store
        self._registry = registry
        self._gates = Gates(store)
        self._follows = False
        self._plans: dict[str, Plan] = {}
        self._wanted: tuple[Any, dict[str, tuple[str, ...]]] = None, {}

    def use(self, registry: Registry) -> None:
        """Match with the plugins of ``registry`` from now on."""
        before = self._registry.logs
        self._plans = {
            name: plan for name, plan in self._plans.items() if registry.logs.get(name) is before.get(name)
        }
        self._registry = registry
        self._wanted = None, {}

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Per log the fields in which something armed may be seen, as of now. Cheap to ask for before every batch."""
        self._follow()
        gates = self._gates
        armed = (gates.armed_paths(), *map(gates.armed, IndicatorType))
        if self._wanted[0] != armed:
            names = [name for name in self._registry.logs if self._registry.enabled(name)]
            self._wanted = armed, {name: self._plan(name).fields(gates) for name in names} | {"*": ()}
        return dict(self._wanted[1])

    def matches(self, batch: Batch) -> Iterator[tuple[int, Record, list[Match]]]:
        """See ``matching.Matcher``.

        A batch that was read with what was ``wanted`` some time ago is matched all the same. Where more is wanted
        by now (the first indicator of a type came), its records are decoded whole, which is slow.
        """
        if batch.log not in self._registry.logs or not self._registry.enabled(batch.log):
            return
        self._follow()
        rows = self._plan(batch.log).rows(batch, self._gates)
        if rows:
            yield from exact(batch, sorted(rows), self._registry.log(batch.log), self._store)

    def _follow(self) -> None:
        news = self._gates.refresh()
        if news is None:
            return
        if not self._follows:
            # From here on plans keep what it takes to follow; those of a hunt, whose intel stays, don't.
            self._follows = True
            self._plans.clear()
        for plan in self._plans.values():
            plan.follow(news)

    def _plan(self, name: str) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = Plan(self._registry.log(name), self._follows)
        return plan
