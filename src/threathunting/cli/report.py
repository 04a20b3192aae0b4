"""What a person sees when a hunt is over."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from threathunting.hunt.tally import MAX_HOSTS, Seen
from threathunting.intel.types import Indicator
from threathunting.service.hunting import Result

NARROW = 120
"""Terminals of fewer columns get short names and dates without the time."""

ROWS = 50
"""Indicators shown; summary.json has all."""

_STYLE = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


def show(console: Console, errors: Console, result: Result, out: str | None) -> None:
    """Print the table of sighted indicators, and what should not be overlooked on ``errors``."""
    sighted = result.outcome.tally.widest_first()
    if sighted:
        console.print(_table(sighted[:ROWS], console.width))
        if len(sighted) > ROWS:
            console.print(f"... and {len(sighted) - ROWS:,} more indicators (see summary.json)")
    outcome, report = result.outcome, result.outcome.report
    rate = report.bytes / result.seconds / 1e6 if result.seconds else 0.0
    console.print(
        f"{outcome.sightings:,} sightings of {len(sighted):,} indicators "
        f"in {len(outcome.conversations):,} conversations; "
        f"{outcome.investigations:,} records captured. "
        f"{report.records:,} records hunted for {result.indicators:,} indicators "
        f"in {result.seconds:.1f} s ({rate:,.0f} MB/s).",
        highlight=False,
    )
    if out not in (None, "-"):
        console.print(f"Results are in {out}", highlight=False)
    warn(errors, result)


def warn(errors: Console, result: Result) -> None:
    """Print on ``errors`` what was left out and why."""
    outcome, report = result.outcome, result.outcome.report
    for sentence in result.errors:
        errors.print(f"warning: {sentence}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    notes = []
    if result.intel is not None and result.intel.refused:
        first = result.intel.refusals[0]
        notes.append(
            f"{result.intel.refused:,} intel entries refused, the first at {first.path}:{first.line} ({first.reason}); "
            "'threathunting intel check' lists all"
        )
    if report.bad_records:
        where = (
            f", the first at {report.rejected[0].path} byte {report.rejected[0].offset:,} ({report.rejected[0].reason})"
            if report.rejected
            else ""
        )
        notes.append(f"{report.bad_records:,} bad records left out{where}")
    if report.repaired_records:
        notes.append(
            f"{report.repaired_records:,} records hunted without a field of the wrong type or with bad UTF-8 replaced"
        )
    if report.unfinished:
        notes.append(
            f"{report.unfinished:,} unfinished last lines left out (a file that is still written, or cut short)"
        )
    if result.passed_over:
        shown = ", ".join(result.passed_over[:3]) + (", ..." if len(result.passed_over) > 3 else "")
        notes.append(f"{len(result.passed_over):,} files passed over, they are no logs to hunt in: {shown}")
    if dropped := outcome.conversations.dropped_keys + outcome.files.dropped_keys:
        notes.append(
            f"{dropped:,} sightings were of conversations beyond --max-conversations, which are not captured"
        )
    for note in notes:
        errors.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def _table(sighted: list[tuple[Indicator, Seen]], width: int) -> Table:
    narrow = width < NARROW
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("indicator", overflow="fold", min_width=11)
    for name in ("type", "level"):
        table.add_column(name, no_wrap=True)
    table.add_column("source", overflow="ellipsis", no_wrap=True, max_width=8 if narrow else 24)
    for name in ("hits", "convs") if narrow else ("sightings", "conversations"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("first seen", "last seen"):
        table.add_column(name, no_wrap=True)
    table.add_column("hosts", justify="right", no_wrap=True)
    for indicator, seen in sighted:
        table.add_row(
            Text(indicator.value),
            indicator.type.value,
            Text(seen.level, style=_STYLE.get(seen.level, "")),
            Text(", ".join(sorted(seen.sources))),
            f"{seen.sightings:,}",
            f"{seen.conversations:,}",
            _time(seen.first, narrow),
            _time(seen.last, narrow),
            f"{len(seen.hosts):,}{'+' if len(seen.hosts) >= MAX_HOSTS else ''}",
        )
    return table


def _time(at: float | None, narrow: bool) -> str:
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d" if narrow else "%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"
