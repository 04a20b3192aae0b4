"""A growing Bloom filter: whether a text may be in a large set, in about two bytes of memory a text."""

from __future__ import annotations

from rbloom import Bloom

_FIRST = 50_000
"""Texts of the first layer."""

_GROWTH = 4
"""How much larger each further layer is."""

_FALSE = 0.001
"""Share of other texts that a layer takes for its own."""


class Filter:
    """A set of texts that may also take others for its own (some in a thousand). Nothing can be taken out."""

    def __init__(self, expected: int = _FIRST) -> None:
        """Room for ``expected`` texts at first; what comes beyond makes it slower, no more wrong."""
        self._size = max(expected, _FIRST)
        self._newest = Bloom(self._size, _FALSE)
        self._layers = [self._newest]
        self._room = self._size
        self.added = 0
        """Texts added, those added again counted again."""

    def add(self, text: str) -> None:
        """Add a text that isn't in it, as far as is known."""
        if not self._room:
            self._size *= _GROWTH
            self._newest = Bloom(self._size, _FALSE)
            self._layers.insert(0, self._newest)
            self._room = self._size
        self._newest.add(text)
        self._room -= 1
        self.added += 1

    def __contains__(self, text: str) -> bool:
        """Whether it may be in it; never wrong of one that is."""
        for layer in self._layers:  # noqa: SIM110 (a generator would take twice as long)
            if text in layer:
                return True
        return False

    @property
    def layers(self) -> int:
        """How many filters a text is looked up in."""
        return len(self._layers)
