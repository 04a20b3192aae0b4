"""What the story needs of whoever shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Cell = str


class Screen(Protocol):
    """Shows the story as it goes, for people. All text is shown as it is."""

    def scene(self, title: str) -> None:
        """A new part of the story begins."""

    def command(self, line: str) -> None:
        """What a user would type."""

    def said(self, lines: Sequence[str]) -> None:
        """What a command or the service said, line by line."""

    def note(self, text: str) -> None:
        """What happens, in a sentence."""

    def row(self, cells: Sequence[Cell], widths: Sequence[int], level: str = "") -> None:
        """One row of something that is still going on, its cells cut or filled up to these widths."""

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], numbers: Sequence[str] = ()
    ) -> None:
        """A whole table; the columns named in ``numbers`` are numbers."""
