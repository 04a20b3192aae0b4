"""Finding the rows of a column that hold certain texts, which nearly always are none or few."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

_FEW = 8


def held_in(values: Iterable[Any], texts: Container[str]) -> set[str] | None:
    """Which of ``texts`` are among the values; None where values are lists, and so can't be told this way."""
    try:
        return set(filter(texts.__contains__, values))
    except TypeError:
        return None


def rows_holding(column: Sequence[Any], texts: Container[str]) -> list[int]:
    """The rows whose value is, or as a list holds, one of ``texts``, in order."""
    held = held_in(column, texts)
    if held is None:
        return [
            row
            for row, value in enumerate(column)
            if (any(text in texts for text in value) if value.__class__ is list else value in texts)
        ]
    if not held:
        return []
    if len(held) > _FEW:
        return [row for row, value in enumerate(column) if value in held]
    rows: list[int] = []
    for text in held:
        row = -1
        try:
            while True:
                row = column.index(text, row + 1)
                rows.append(row)
        except ValueError:
            continue
    return sorted(rows)
