"""``threathunting intel list``: what the topic arms now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from threathunting.cli.common import errors_console, sentences
from threathunting.cli.intel_options import (
    Allow,
    Brokers,
    ConfigFile,
    Counting,
    Level,
    Settings,
    Topic,
    Warninglists,
    counted,
    say,
)
from threathunting.intel import message
from threathunting.intel.types import Indicator, Item

_COLUMNS = ("type", "indicator", "level", "source", "expires", "description")
_WIDEST = 60
"""Characters up to which a column's cells are put below each other."""


def show(
    type: Annotated[str | None, typer.Option("--type", "-t", metavar="TYPE", help="Only this type.")] = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this source tells.")] = None,
    level: Annotated[Level | None, typer.Option(help="Only this level.")] = None,
    value: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only indicators that hold this text.")
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="One message a line, as 'intel push' and the topic take them, and nothing else."
        ),
    ] = False,
    allow: Allow = None,
    warninglists: Warninglists = None,
    brokers: Brokers = None,
    config: ConfigFile = None,
    settings: Settings = None,
    topic: Topic = None,
) -> None:
    """List what the topic arms now: all of it is read and applied as the service does."""
    from threathunting.service.intel_topic import cluster, listing

    errors = errors_console()
    with sentences(errors):
        wanted = None if type is None else message.indicator_type(type)
        part = None if value is None else value.lower()
        where = cluster(brokers, config, settings or (), topic)
        with Counting(errors, quiet=json) as counting:

            def progress(read: int, left: int | None) -> None:
                counting.show(f"{read:,} messages read" + (f", {left:,} left" if left else ""))

            found = listing(where, allow or (), warninglists or (), progress=progress)
        rows = sorted(
            (
                (indicator, item)
                for indicator, item in found.store.items()
                if (wanted is None or indicator.type is wanted)
                and (source is None or item.source == source)
                and (level is None or item.level == level)
                and (part is None or part in indicator.value.lower())
            ),
            key=lambda row: (row[0], row[1].source),
        )
        if json:
            for indicator, item in rows:
                sys.stdout.buffer.write(message.encode(indicator, item) + b"\n")
        else:
            for line in _table(rows):
                sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
        sys.stdout.flush()
    if not json:
        counts = found.replay.counts
        indicators = len({indicator for indicator, _ in rows})
        notes = [f"{counted(len(rows), 'item', 'items')} of {counted(indicators, 'indicator', 'indicators')}"]
        notes.append(f"{counted(found.messages, 'message', 'messages')} read")
        notes += [f"{counts[name]:,} {name}" for name in ("expired", "refused") if counts[name]]
        say(errors, "; ".join(notes))


def _table(rows: list[tuple[Indicator, Item]]) -> Iterator[str]:
    """Lines with cells below each other; drawn by hand, since a million of them should take a moment only."""
    cells = [_COLUMNS, *(_cells(indicator, item) for indicator, item in rows)]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(indicator: Indicator, item: Item) -> tuple[str, ...]:
    value = f"*.{indicator.value}" if item.subdomains else indicator.value
    expires = "never" if item.expires is None else message.timestamp(round(item.expires))
    return tuple(map(_printable, (indicator.type.value, value, item.level, item.source, expires, item.desc)))


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor: it comes from outside."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)
