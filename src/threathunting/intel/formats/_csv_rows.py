"""Rows of a CSV file, one bad row costing no other."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from threathunting.intel.formats._api import Context, Refusal
from threathunting.intel.formats._tell import refusal

MAX_ROW_LINES = 64
MAX_ROW_CHARACTERS = 1 << 17
"""How much a row with line ends in quotes may hold. If a quote is never closed, its line alone is refused."""

Line = tuple[int, str]


def rows(
    lines: Iterator[Line | Refusal], delimiter: str, context: Context
) -> Iterator[tuple[int, list[str]] | Refusal]:
    """Every row with the number of its first line; empty lines and comments (``#``) are passed over."""
    again: deque[Line | Refusal] = deque()

    def following() -> Line | Refusal | None:
        return again.popleft() if again else next(lines, None)

    while (line := following()) is not None:
        if isinstance(line, Refusal):
            yield line
            continue
        number, text = line
        if is_comment(text):
            continue
        parts = [text]
        taken: list[Line | Refusal] = []
        try:
            row = split(parts, delimiter)
            while row is None and len(parts) < MAX_ROW_LINES and sum(map(len, parts)) < MAX_ROW_CHARACTERS:
                if (more := following()) is None:
                    break
                taken.append(more)
                if isinstance(more, Refusal):
                    break
                parts.append(more[1])
                row = split(parts, delimiter)
            reason = "a quote is never closed"
        except csv.Error as error:
            row = None
            reason = f"is no row of a CSV file: {error}" if len(parts) == 1 else "a quote is never closed"
        if row is None:
            again.extendleft(reversed(taken))
            yield refusal(context, number, reason, text)
        else:
            yield number, row


def is_comment(text: str) -> bool:
    """Whether a line is empty or a comment."""
    return not text.strip() or text.lstrip().startswith("#")


def split(parts: list[str], delimiter: str) -> list[str] | None:
    """The fields of a row that stands on these lines, without space around; None where a quote is open."""
    text = [part + "\n" for part in parts]
    try:
        row = next(csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
        if len(parts) > 1:
            raise  # the quote that ended the row began a field of the next one
        row = next(csv.reader(text, delimiter=delimiter, skipinitialspace=True))
    return [field.strip() for field in row]
