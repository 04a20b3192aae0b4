"""Texts that are known to match nothing: most of what traffic shows came before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from typing import Any

from threathunting.intel.types import IndicatorType

SIZE = 100_000
"""Texts that are kept; then it begins anew."""

TRIAL = 50_000
"""Texts asked for, after which it is decided whether keeping them pays."""

PAUSE = 1_000_000
"""Texts asked for until it is tried again, where it didn't pay."""


class Known:
    """Texts that match nothing as any of some types, bounded. Pauses where traffic doesn't repeat itself.

    While intel changes (``follows``) it also keeps the forms in which its texts could match, where these aren't
    the texts themselves: so it can tell whether what comes matches any of them.
    """

    def __init__(self, types: Collection[IndicatorType], follows: bool) -> None:
        self._types = frozenset(types)
        self._follows = follows
        self._texts: set[str] = set()
        self._forms: set[str] = set()
        self._asked = 0
        self._found = 0
        self._useful = True

    def fresh(self, texts: Set[str]) -> Collection[str]:
        """The texts that aren't known."""
        self._asked += len(texts)
        if not self._useful:
            if self._asked > PAUSE:
                self._useful = True
                self._asked = self._found = 0
            return texts
        fresh = texts - self._texts
        self._found += len(texts) - len(fresh)
        return fresh

    def note(self, fresh: Collection[str], possible: Set[Any], forms: Callable[[], Set[str]]) -> None:
        """Of the ``fresh`` texts all but the ``possible`` match nothing; ``forms`` tells the forms of those."""
        if not self._useful:
            return
        if len(self._texts) >= SIZE or len(self._forms) >= SIZE:
            self._clear()
        self._texts.update(fresh)
        self._texts -= possible
        if self._follows:
            self._forms |= forms()
        if self._asked > TRIAL:
            self._useful = self._found * 5 > self._asked
            self._asked = self._found = 0
            if not self._useful:
                self._clear()

    def follow(self, types: Set[IndicatorType], values: Mapping[IndicatorType, Set[str]]) -> None:
        """Forget what may match now that anything may match as one of ``types``, and ``values`` as theirs."""
        if not self._types.isdisjoint(types):
            self._clear()
        elif self._texts:
            for type in self._types.intersection(values):
                came = values[type]
                if not self._forms.isdisjoint(came):
                    # It isn't known which texts have this form. That traffic shows what isn't yet armed is rare.
                    self._clear()
                    return
                self._texts -= came

    def _clear(self) -> None:
        self._texts.clear()
        self._forms.clear()
