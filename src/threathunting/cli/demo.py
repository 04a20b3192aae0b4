"""``threathunting demo``: the whole story on an embedded broker, for people who look on."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from threathunting.cli.common import FAILURE, console, errors_console, sentences

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEVELS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


class Sensor(StrEnum):
    """Who tells of the traffic."""

    zeek = "zeek"
    suricata = "suricata"
    recorded = "recorded"


def demo(
    sensor: Annotated[
        Sensor | None,
        typer.Option(
            help="What reads the example's capture; 'recorded' takes logs that Zeek wrote before. By default Zeek "
            "where there is one, else Suricata, else recorded."
        ),
    ] = None,
) -> None:
    """Show the whole story on a Kafka broker inside this process: IoCs in, evidence out. Takes half a minute."""
    from threathunting.service.demo.story import Story

    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)
    story = Story(Shown(console()), None if sensor is None else sensor.value)
    errors = errors_console()
    with sentences(errors):
        story.play()
    for sentence in story.wrong:
        errors.print(f"error: {sentence}", style="red", highlight=False, markup=False)
    if story.wrong:
        raise typer.Exit(FAILURE)


def _interrupted(*_: Any) -> None:
    # Once is enough: the service and its folder are being taken away.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


class Shown:
    """The screen of the story: a terminal, or whatever reads our output."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def scene(self, title: str) -> None:
        """See ``Screen``."""
        self._print("")
        self._print(title, "bold")

    def command(self, line: str) -> None:
        """See ``Screen``."""
        self._print(f"$ {line}", "cyan")

    def said(self, lines: Sequence[str]) -> None:
        """See ``Screen``."""
        for line in lines:
            self._print(f"  {line}", "dim")

    def note(self, text: str) -> None:
        """See ``Screen``."""
        self._print(text)

    def row(self, cells: Sequence[str], widths: Sequence[int], level: str = "") -> None:
        """See ``Screen``."""
        text = Text("  ")
        for cell, width in zip(cells, widths, strict=True):
            text.append(
                f"{_cut(_clean(cell), width):{width}} ", _LEVELS.get(level, "") if cell == level else ""
            )
        self._out.print(text, no_wrap=True, overflow="ellipsis")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()
    ) -> None:
        """See ``Screen``."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            right = name in numbers
            table.add_column(name, justify="right" if right else "left", overflow="ellipsis", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(_clean(cell)) for cell in row))
        self._out.print(table)

    def _print(self, line: str, style: str = "") -> None:
        self._out.print(Text(_clean(line), style), soft_wrap=True)


def _clean(text: str) -> str:
    """What came over a network must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
