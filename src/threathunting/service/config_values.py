"""Reads tables into typed structs and tells everything that is wrong in them, not only the first thing.

What the types don't say stands in ``msgspec.Meta(extra={"is": ...})``: ``duration``, ``size``, ``secret``, ``topic``,
``path`` (relative to the file), ``there`` (a path of something that exists), ``file`` (of a file that exists),
``optional`` (false or "" is none) and ``list`` (one value stands for a list of it).
"""

from __future__ import annotations

import difflib
import os
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from threathunting.service.config_text import Place

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {
    "B": 1,
    **{f"{unit}B": 1000**power for power, unit in enumerate("kMGT", 1)},
    "KB": 1000,
    **{f"{unit}iB": 1024**power for power, unit in enumerate("KMGT", 1)},
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)", re.A)
_FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


class _Wrong(str):
    pass


_ABSENT: Any = _Wrong("?")
"""What becomes of a value that is wrong and was told. Checks take it for a value that is there."""


def is_a(kind: str, **bounds: float) -> msgspec.Meta:
    """The mark of a kind of value on a type, with msgspec's bounds."""
    make: Callable[..., msgspec.Meta] = msgspec.Meta
    return make(extra={"is": kind}, **bounds)


def duration(text: str) -> float:
    """Seconds from '100ms', '90s', '5m', '24h', '7d'. ValueError says how it is written."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in _SECONDS:
        raise ValueError("is not a duration; write it as '90s', '5m' or '24h'")
    return round(float(match[1]) * _SECONDS[match[2]], 6)


def size(text: str) -> int:
    """Bytes from '256MB' (10^6) or '1GiB' (2^30). ValueError says how it is written."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in _BYTES:
        raise ValueError("is not a size; write it as '256MB' or '1GiB'")
    return int(float(match[1]) * _BYTES[match[2]])


@dataclass
class Problems:
    """What is wrong in a file, with the place of each."""

    path: str
    lines: Mapping[Place, int] = field(default_factory=dict)
    found: list[tuple[int, Place, str]] = field(default_factory=list)

    def tell(self, place: Place, sentence: str) -> None:
        """Add what is wrong at a key. The line is that of the nearest key above where it isn't in the text."""
        near = place
        while near and near not in self.lines:
            near = near[:-1]
        self.found.append((self.lines.get(near, 0), place, sentence))

    def about(self, *places: Place) -> bool:
        """Whether something was told at one of these keys or below it."""
        return any(told[: len(place)] == place for _, told, _ in self.found for place in places)

    def __bool__(self) -> bool:
        return bool(self.found)

    def text(self) -> str:
        """One line per problem, in the order of the file."""
        return "\n".join(
            ": ".join(
                part
                for part in (f"{self.path}:{line}" if line else self.path, dotted(place), sentence)
                if part
            )
            for line, place, sentence in sorted(self.found, key=lambda one: one[0] or 1 << 30)
        )


def dotted(place: Place) -> str:
    """A key as it is written in TOML, without the numbers of array elements."""
    names = [name for name in place if isinstance(name, str)]
    return ".".join(name if re.fullmatch(r"[\w-]+", name, re.A) else f"'{name}'" for name in names)


@dataclass
class Reader:
    """Makes structs of tables. What is wrong goes to ``problems``; relative paths are taken from ``folder``."""

    problems: Problems
    folder: Path
    environ: Mapping[str, str]
    checks: Mapping[type, Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]] = field(
        default_factory=dict
    )
    """What contradicts itself in a struct's keys and values, as (key, sentence)."""
    homes: Mapping[str, str] = field(default_factory=dict)
    """Tables by the keys that are in one of them only, to say where a misplaced key belongs."""

    def struct(self, kind: type, table: Any, place: Place) -> Any:
        """The struct, with defaults for what was wrong; None where there is none without it."""
        if not isinstance(table, dict):
            self.problems.tell(place, f"must be a table, not {_named(table)}")
            return None
        before = len(self.problems.found)
        fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
        hints = get_type_hints(kind, include_extras=True)
        for name in table.keys() - fields.keys():
            self.problems.tell((*place, name), self._unknown(name, fields, place))
        values = {}
        for name, one in fields.items():
            if name in table:
                values[one.name] = self.value(hints[one.name], table[name], (*place, name))
            elif one.required:
                self.problems.tell(place, f"has no {name}, which is needed")
        for name, sentence in self.checks.get(kind, _no_checks)(values):
            if not any(
                told[: len(place) + 1] == (*place, name) for _, told, _ in self.problems.found[before:]
            ):
                self.problems.tell((*place, name), sentence)
        return kind(**values) if len(self.problems.found) == before else None

    def value(self, hint: Any, value: Any, place: Place) -> Any:
        """A value of a type, ``_ABSENT`` where it is wrong and was told."""
        shown, given = f"'{value}'" if isinstance(value, str) else _named(value), True
        if re.search("(?:password|secret)(?!_file)", str(place[-1])):
            shown = "it"
        if isinstance(value, str) and (match := _FROM_ENVIRONMENT.fullmatch(value)):
            given = False  # what comes from the environment may be a secret: shown is its name
            if (taken := self.environ.get(match[1])) is None:
                self.problems.tell(place, f"environment variable {match[1]} is not set")
                return _ABSENT
            value = taken
        try:
            return self._value(hint, value, place, given)
        except ValueError as error:
            self.problems.tell(place, f"{shown} {error}" if str(error) else shown)
        return _ABSENT

    def _value(self, hint: Any, value: Any, place: Place, given: bool) -> Any:
        kinds, hint, meta = _marks(hint)
        if "optional" in kinds and (value is False or value == ""):
            return None
        if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            return self._value(_without_none(hint), value, place, given)
        if get_origin(hint) in (tuple, list):
            return self._list(
                hint, [value] if "list" in kinds and isinstance(value, str) else value, place, given
            )
        if get_origin(hint) is dict:
            return self._dict(hint, value, place)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            found = self.struct(hint, value, place)
            return _ABSENT if found is None else found
        return self._scalar(kinds, hint, meta, value, given)

    def _scalar(self, kinds: set[str], hint: Any, meta: msgspec.Meta | None, value: Any, given: bool) -> Any:
        if "duration" in kinds or "size" in kinds:
            if not isinstance(value, str):
                example = "90s" if "duration" in kinds else "256MB"
                raise ValueError(f"must be text with its unit, as '{example}'")
            value = duration(value) if "duration" in kinds else size(value)
        try:
            value = msgspec.convert(value, hint, strict=given)
        except msgspec.ValidationError:
            raise ValueError(_expected(hint, value if given else None)) from None
        if meta is not None:
            _within(meta, value)
        if isinstance(value, str) and given and "secret" not in kinds and _FROM_ENVIRONMENT.search(value):
            raise ValueError("names an environment variable, which must be the whole value")
        if "topic" in kinds and not _TOPIC.fullmatch(value):
            raise ValueError("is no name of a topic (letters, digits, '.', '_' and '-', at most 249)")
        return self._path(kinds, value) if kinds & {"path", "there", "file"} else value

    def _path(self, kinds: set[str], value: str) -> str:
        if not value:
            raise ValueError("is empty, and no path")
        path = self.folder / Path(value).expanduser()
        if "path" in kinds:
            return str(path)
        if not path.exists():
            raise ValueError(
                "does not exist" if Path(value).is_absolute() else f"does not exist in {self.folder}"
            )
        if "file" in kinds and path.is_dir():
            raise ValueError("is a folder, not a file")
        if not os.access(path, os.R_OK):
            raise ValueError("can't be read: permission denied")
        return str(path)

    def _list(self, hint: Any, value: Any, place: Place, given: bool) -> Any:
        element = get_args(hint)[0]
        if not given:
            texts = [value] if isinstance(value, str) else value
            found = [
                self._value(element, one.strip(), place, given) for text in texts for one in text.split(",")
            ]
        elif isinstance(value, list):
            found = [self.value(element, one, (*place, number)) for number, one in enumerate(value)]
        else:
            raise ValueError("must be a list" + (f"; write ['{value}']" if isinstance(value, str) else ""))
        return get_origin(hint)(one for one in found if one is not _ABSENT)

    def _dict(self, hint: Any, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("must be a table")  # noqa: TRY004 - what a user wrote
        element = get_args(hint)[1]
        found = {name: self.value(element, one, (*place, name)) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not _ABSENT}

    def _unknown(self, name: str, known: Mapping[str, Any], place: Place) -> str:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), known, 1, 0.6)
        if near:
            return f"is no key of the configuration; did you mean '{near[0]}'?"
        if (home := self.homes.get(name)) is not None and home != dotted(place):
            return f"is no key here; it belongs to [{home}]"
        return f"is no key of the configuration (known here: {', '.join(known)})"


def _no_checks(_: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return iter(())


def _marks(hint: Any) -> tuple[set[str], Any, msgspec.Meta | None]:
    """The marks of a type, the type without them, and what bounds it."""
    kinds, bounds = set(), None
    while get_origin(hint) is Annotated:
        hint, *metas = get_args(hint)
        for meta in metas:
            bounds = meta
            if meta.extra is not None:
                kinds.add(meta.extra["is"])
    return kinds, hint, bounds


def _without_none(hint: Any) -> Any:
    return Union[tuple(one for one in get_args(hint) if one is not type(None))]  # noqa: UP007 - made at run time


def _within(meta: msgspec.Meta, value: Any) -> None:
    if meta.ge is not None and value < meta.ge:
        raise ValueError(f"is too small; the least is {meta.ge:g}")
    if meta.le is not None and value > meta.le:
        raise ValueError(f"is too much; the most is {meta.le:g}")
    if meta.gt is not None and value <= meta.gt:
        raise ValueError(f"is too small; it must be above {meta.gt:g}")


def _expected(hint: Any, value: Any) -> str:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        near = difflib.get_close_matches(value, choices, 1) if isinstance(value, str) else []
        return f"is none of {', '.join(choices)}" + (f"; did you mean '{near[0]}'?" if near else "")
    if get_origin(hint) in (Union, types.UnionType):
        return "must be text in quotes, a number, or true or false"
    return f"must be {_NAMES[hint]}"


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    named: dict[type, str] = {str: "text", list: "a list", dict: "a table"}
    return named.get(type(value), "a date or time")
