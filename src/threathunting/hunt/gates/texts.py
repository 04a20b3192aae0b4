"""The gates of types that are matched by their canonical form alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf

from threathunting.intel.canonical import canonical
from threathunting.intel.entries import IntelStore
from threathunting.intel.types import IndicatorType

_MEMO_SIZE = 200_000
"""Texts whose canonical form a gate remembers; then it begins anew."""


class Memo:
    """The exact answer for each text, remembered. For types that are rare in traffic."""

    def __init__(self, store: IntelStore, type: IndicatorType) -> None:
        self._store = store
        self._type = type
        self._canonical: dict[str, str | None] = {}

    def canonical(self, text: str) -> str | None:
        """A text's canonical form; None where it can't be of the type."""
        known = self._canonical.get(text, text)
        if known is text:
            try:
                known = canonical(self._type, text)
            except ValueError:
                known = None
            if len(self._canonical) >= _MEMO_SIZE:
                self._canonical.clear()
            if len(text) < 1000:
                self._canonical[text] = known
        return known

    def matches(self, text: str) -> bool:
        """Whether a text matches, exactly, at some time."""
        value = self.canonical(text)
        return value is not None and bool(self._store.lookup(self._type, value, -inf))

    def possible(self, texts: Iterable[str]) -> list[str]:
        """Those that may match, as they were given."""
        armed = self._store.values(self._type)
        return [text for text in texts if self.canonical(text) in armed]

    def forms(self, texts: Iterable[str]) -> set[str]:
        """The canonical forms of those texts that aren't their own; more is harmless."""
        return {form for text in texts if (form := self.canonical(text)) is not None and form != text}


def lowered(texts: Collection[str]) -> tuple[list[str], list[str]]:
    """Texts that are plain ASCII, as given and lower-case without space around them; the others are left out."""
    given = list(texts)
    joined = "\n".join(given)
    low = joined.lower().split("\n")
    if len(low) != len(given) or not joined.isascii():
        given = [text for text in given if text.isascii() and "\n" not in text]
        low = [text.lower() for text in given]
    return given, [text.strip() for text in low]


class Plain(Memo):
    """Types whose canonical form is the lower-case text."""

    def possible(self, texts: Iterable[str]) -> list[str]:
        """See ``Memo``."""
        armed = self._store.values(self._type)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        given, low = lowered(all_texts)
        hits = [text for text, key in zip(given, low, strict=True) if key in armed]
        if len(given) != len(all_texts):
            plain = set(given)
            hits += super().possible(text for text in all_texts if text not in plain)
        return hits

    def forms(self, texts: Iterable[str]) -> set[str]:
        """See ``Memo``."""
        return super().forms(text for text in texts if not (text.isascii() and text == text.lower().strip()))


class Hash(Memo):
    """Hex hashes: usually as they should be; what has separators or space is looked at one by one."""

    def possible(self, texts: Iterable[str]) -> list[str]:
        """See ``Memo``."""
        armed = self._store.values(self._type)
        hits = []
        odd = []
        for text in texts:
            if text.isalnum():
                if text.lower() in armed:
                    hits.append(text)
            else:
                odd.append(text)
        return hits + super().possible(odd) if odd else hits

    def forms(self, texts: Iterable[str]) -> set[str]:
        """See ``Memo``."""
        return super().forms(text for text in texts if not (text.isalnum() and text == text.lower()))
