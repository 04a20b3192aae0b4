"""Look-ups as Zeek compares: it lower-cases A to Z of every string, of intel and of traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from threathunting.intel.canonical import lower
from threathunting.intel.entries import Entry, Hit, alive
from threathunting.intel.subnets import Subnets
from threathunting.intel.types import Indicator, IndicatorType


class Folds:
    """The armed values that aren't their own lower case, by it. Canonical forms are lower-case, so these are few."""

    def __init__(self) -> None:
        self._values: dict[tuple[IndicatorType, str], tuple[str, ...]] = {}

    def add(self, type: IndicatorType, value: str) -> None:
        """A value is armed."""
        if (folded := lower(value)) != value:
            known = self._values.get((type, folded), ())
            self._values[type, folded] = tuple(sorted({*known, value}))

    def remove(self, type: IndicatorType, value: str) -> None:
        """A value isn't armed any more."""
        if (folded := lower(value)) != value:
            left = tuple(known for known in self._values.get((type, folded), ()) if known != value)
            if left:
                self._values[type, folded] = left
            else:
                self._values.pop((type, folded), None)

    def of(self, type: IndicatorType, folded: str) -> list[str]:
        """The values that may be armed and have this lower case, sorted."""
        return sorted((folded, *self._values.get((type, folded), ()))) if self._values else [folded]

    def all(self, type: IndicatorType) -> list[tuple[str, tuple[str, ...]]]:
        """Each lower case that isn't only its own, with the values that have it. In any thread."""
        return [(folded, values) for (of, folded), values in self._values.copy().items() if of is type]


def lookup_folded(
    get: Callable[[IndicatorType, str], Entry | None],
    folds: Folds,
    subnets: Subnets,
    rules: bool,
    indicator: Indicator,
    at: float,
) -> Iterator[Hit]:
    """See ``IntelStore.lookup_folded``. ``get`` gives a value's entry; ``rules``: whether subdomains are wanted."""
    type, folded = indicator.type, lower(indicator.value)
    for value in folds.of(type, folded):
        entry = get(type, value)
        if entry is not None and (items := alive(entry, at)):
            yield Hit(Indicator(type, value), items)
    if type is IndicatorType.ADDR:
        try:
            prefixes = subnets.covering(folded)
        except ValueError:
            prefixes = []
        for prefix in prefixes:
            entry = get(IndicatorType.SUBNET, prefix)
            if entry is not None and (items := alive(entry, at)):
                yield Hit(Indicator(IndicatorType.SUBNET, prefix), items)
    elif type is IndicatorType.DOMAIN and rules:
        while (dot := folded.find(".")) >= 0:
            folded = folded[dot + 1 :]
            for value in folds.of(type, folded):
                entry = get(type, value)
                items = () if entry is None else tuple(item for item in alive(entry, at) if item.subdomains)
                if items:
                    yield Hit(Indicator(type, value), items)
