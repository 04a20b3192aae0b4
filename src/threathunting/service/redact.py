"""Keeps secrets out of everything that is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
_DEEP = 20
"""Levels of nesting that are looked into; what is deeper is shown as text."""


class Redactor:
    """Replaces secrets by ``***`` in texts and nested values, also where they are escaped or quoted."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._texts: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these too. A secret that was once hidden stays so: what is old may still be in an error."""
        forms = set(self._texts)
        for secret in secrets:
            if secret:
                forms |= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")}
                forms |= {json.dumps(secret, ensure_ascii=False)[1:-1], ascii(secret)[1:-1]}
        # The longest first: a secret may be the beginning of another.
        self._texts = tuple(sorted(forms, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def value(self, value: Any, depth: int = _DEEP) -> Any:
        """The value without secrets, as far down as its mappings, lists, tuples and sets go.

        Any other object stays as it is, unless its ``repr`` or ``str`` shows a secret: then it becomes that text.
        """
        if not self._texts or value is None or isinstance(value, bool | int | float):
            return value  # a count with the digits of a password is none
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping) and depth:
            return {self.value(key, depth - 1): self.value(one, depth - 1) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and depth:
            found = [self.value(one, depth - 1) for one in value]
            return tuple(found) if isinstance(value, tuple) else found
        for shown in (repr(value), str(value)):
            if (clean := self.text(shown)) != shown:
                return clean
        return value
