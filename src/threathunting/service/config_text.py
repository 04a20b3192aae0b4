"""Where in a TOML text each key stands, which tomllib doesn't tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

Place = tuple[str | int, ...]
"""Keys from the top of a document down; the elements of arrays by their number, from 0."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.S,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def places(text: str) -> dict[Place, int]:
    """The line, from 1, of every key, table and array element of a TOML text. ValueError if it is no TOML."""
    tomllib.loads(text)
    return _Locator(text).document()


class _Locator:
    """Walks a text that is known to be TOML (v1.0), so it needs no more care than to find its way."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._found: dict[Place, int] = {}
        self._arrays: dict[Place, int] = {}
        """Arrays of tables, with the number of the element that was begun last."""

    def document(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip(_SPACE) and self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return True

    def _header(self) -> Place:
        elements = self._text.startswith("[[", self._at)
        line = self._here()
        self._at += 2 if elements else 1
        names = self._key()
        self._at += 2 if elements else 1
        place: Place = ()
        for name in names[:-1]:
            place = self._begun((*place, name), line)
        place = (*place, names[-1])
        if not elements:
            return self._mark(place, line)
        self._mark(place, line)
        self._arrays[place] = self._arrays.get(place, -1) + 1
        return self._mark((*place, self._arrays[place]), line)

    def _begun(self, place: Place, line: int) -> Place:
        """The table that a name in a header means: of an array of tables, the element begun last."""
        self._mark(place, line)
        return (*place, self._arrays[place]) if place in self._arrays else place

    def _pair(self, table: Place) -> None:
        line = self._here()
        place = table
        for name in self._key():
            place = self._mark((*place, name), line)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(place)

    def _key(self) -> list[str]:
        """A dotted key, and what white space is around it."""
        names = []
        while True:
            self._skip(_BLANK)
            bare = _BARE.match(self._text, self._at)
            if bare is not None:
                names.append(bare.group())
                self._at = bare.end()
            else:
                began = self._at
                self._skip(_STRING)
                names.append(_unquoted(self._text[began : self._at]))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return names
            self._at += 1

    def _value(self, place: Place) -> None:
        first = self._text[self._at]
        if first == "[":
            self._enclosed("]", lambda number: self._value(self._mark((*place, number), self._here())))
        elif first == "{":
            self._enclosed("}", lambda _: self._pair(place))
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _enclosed(self, end: str, element: Callable[[int], None]) -> None:
        self._at += 1
        number = 0
        while self._skip(_SPACE) and not self._text.startswith(end, self._at):
            element(number)
            number += 1
            self._skip(_SPACE)
            if self._text.startswith(",", self._at):
                self._at += 1
        self._at += 1

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _mark(self, place: Place, line: int) -> Place:
        self._found.setdefault(place, line)
        return place


def _unquoted(text: str) -> str:
    name: Any = tomllib.loads(f"key = {text}")["key"]
    return str(name)
