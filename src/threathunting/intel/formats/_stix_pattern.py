"""STIX patterns (STIX 2.1, section 9) as alternatives, each a set of tests that must hold together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

INSTALL = "needs a STIX pattern parser: pip install 'threathunting[stix]'"

MAX_PATTERN = 1 << 18
"""Longest pattern in characters; longer ones are refused, as the parser takes some 20 us a character."""

MAX_ALTERNATIVES = 10_000
"""A pattern that multiplies out to more is refused."""


class Comparison(NamedTuple):
    """One comparison: ``file:hashes.'SHA-256' = 'aa'`` has the path ``("hashes", "sha-256")``."""

    object_type: str
    path: tuple[str, ...]
    """Lower-case, without quotes and indexes."""
    operator: str
    values: tuple[str, ...]


class Alternative(NamedTuple):
    """Tests that must all hold, or the reason why this part of a pattern can't be hunted."""

    tests: tuple[Comparison, ...]
    stop: str | None = None
    """The end of a START ... STOP ..., RFC 3339."""
    reason: str | None = None


_STRING = r"'(?:[^'\\]|\\.)*'"
_STEP = rf"(?:[A-Za-z_][\w\-]*|{_STRING})"
_SIMPLE = re.compile(
    rf"\s*\[\s*([a-z0-9][a-z0-9\-]*):({_STEP}(?:\.{_STEP}|\[\*\])*)\s*=\s*({_STRING})\s*\]\s*", re.S
)
_STEPS = re.compile(_STEP, re.S)


def alternatives(pattern: str) -> list[Alternative]:
    """What a pattern asks for, any of which is enough; ValueError where it is no pattern.

    Almost all are one ``[path = 'value']``, which needs no parser. Where the parser of the extra ``[stix]``
    isn't installed, the others raise ValueError with the way to install it.
    """
    if simple := _SIMPLE.fullmatch(pattern):
        path = tuple(_literal(step).lower() for step in _STEPS.findall(simple[2]))
        return [Alternative((Comparison(simple[1], path, "=", (_literal(simple[3]),)),))]
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    try:
        return list(_observations(_parsed(pattern)))
    except RecursionError:
        raise ValueError("the pattern is nested too deeply") from None


class _Root:
    """A visitor that gives the tree itself, which the library keeps private."""

    def visit(self, tree: Any) -> Any:
        return tree


def _parsed(pattern: str) -> Any:
    try:
        from stix2patterns.exceptions import ParseException
        from stix2patterns.v21.pattern import Pattern  # takes all of 2.0, too
    except ImportError:
        raise ValueError(INSTALL) from None
    try:
        return Pattern(pattern).visit(_Root())  # type: ignore[no-untyped-call]
    except ParseException as error:
        raise ValueError(f"not a STIX pattern: {error}") from None


def _kind(node: Any) -> str:
    return type(node).__name__.removesuffix("Context")


def _operands(node: Any, operator: str) -> list[Any]:
    """The operands of a chain of one operator. The parser nests them, thousands deep in some patterns."""
    found: list[Any] = []
    todo = [node]
    while todo:
        current = todo.pop()
        if _kind(current) == _kind(node) and (current is node or getattr(current, operator)() is not None):
            inner = [child for child in current.getChildren() if _kind(child) != "TerminalNodeImpl"]
            if getattr(current, operator)() is not None:
                todo += reversed(inner)
                continue
        found.append(current)
    return found


def _inner(node: Any) -> Any:
    return next(child for child in node.getChildren() if _kind(child) != "TerminalNodeImpl")


def _refused(reason: str) -> Iterator[Alternative]:
    yield Alternative((), reason=reason)


def _observations(node: Any) -> Iterator[Alternative]:
    kind = _kind(node)
    if kind == "ObservationExpressions" and node.FOLLOWEDBY() is not None:
        yield from _refused("FOLLOWEDBY asks for several things in turn")
    elif kind == "ObservationExpressionAnd" and node.AND() is not None:
        yield from _refused("[...] AND [...] asks for several things together")
    elif kind == "ObservationExpressionOr" and node.OR() is not None:
        for operand in _operands(node, "OR"):
            yield from _observations(operand)
    elif kind == "ObservationExpressionWithin":
        yield from _refused("WITHIN is not hunted")
    elif kind == "ObservationExpressionRepeated":
        yield from _refused("REPEATS is not hunted")
    elif kind == "ObservationExpressionStartStop":
        stop = node.startStopQualifier().getText().rpartition("STOP")[2].strip("t'")
        for alternative in _observations(_inner(node)):
            yield alternative._replace(stop=min(filter(None, (stop, alternative.stop))))
    elif kind == "ObservationExpressionSimple":
        yield from _comparisons(_inner(node))
    else:
        yield from _observations(_inner(node))


def _comparisons(node: Any) -> Iterator[Alternative]:
    kind = _kind(node)
    if kind == "ComparisonExpression" and node.OR() is not None:
        for operand in _operands(node, "OR"):
            yield from _comparisons(operand)
    elif kind == "ComparisonExpressionAnd" and node.AND() is not None:
        yield from _together([list(_comparisons(operand)) for operand in _operands(node, "AND")])
    elif kind in ("ComparisonExpression", "ComparisonExpressionAnd", "PropTestParen"):
        yield from _comparisons(_inner(node))
    else:
        yield _test(node)


def _together(operands: list[list[Alternative]]) -> Iterator[Alternative]:
    """AND, multiplied out: ``(a OR b) AND c`` is ``a AND c`` or ``b AND c``."""
    size = 1
    for operand in operands:
        size *= len(operand)
    if size > MAX_ALTERNATIVES:
        yield from _refused(f"multiplies out to {size} alternatives")
        return
    for parts in product(*operands):
        reason = next((part.reason for part in parts if part.reason is not None), None)
        yield Alternative(tuple(test for part in parts for test in part.tests), reason=reason)


def _test(node: Any) -> Alternative:
    words = _words(node)
    kind = _kind(node)
    if "NOT" in words or "!=" in words:
        return Alternative((), reason="NOT and != say what it isn't")
    if kind == "PropTestExists":
        return Alternative((), reason="EXISTS is not hunted")
    operator = next(word for word in words if word in _OPERATORS)
    object_type, *path = (_literal(word) for word in _words(node.objectPath()) if word not in _BETWEEN)
    values = words[words.index(operator) + 1 :]
    return Alternative(
        (
            Comparison(
                object_type,
                tuple(step.lower() for step in path if not step.isdecimal()),
                operator.replace("==", "="),
                tuple(_literal(value) for value in values if value not in _BETWEEN),
            ),
        )
    )


_OPERATORS = frozenset(("=", "==", "IN", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"))
_BETWEEN = frozenset((":", ".", "[", "]", "*", "(", ")", ","))


def _words(node: Any) -> list[str]:
    """The text of every token below a node, left to right."""
    found: list[str] = []
    todo = [node]
    while todo:
        current = todo.pop()
        if _kind(current) == "TerminalNodeImpl":
            found.append(current.getText())
        else:
            todo += reversed(list(current.getChildren()))
    return found


def _literal(text: str) -> str:
    if text.startswith("t'"):
        text = text[1:]
    if text.startswith("'"):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.S)
    return text
