"""``threathunting status``: what the running service does, at a glance."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from threathunting.cli.common import console, errors_console, sentences
from threathunting.service.status import InputStatus, IntelStatus, OutputStatus, SensorStatus, Status


def show(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The service's configuration, for its [http] listen."
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where it answers; by default http://127.0.0.1:9167."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the object of /status, nothing else.")] = False,
) -> None:
    """Show what the running service does: intel, inputs, outputs, and what went wrong."""
    from threathunting.service.asking import ask, url_of

    errors = errors_console()
    if config is not None and url is not None:
        raise typer.BadParameter("--config and --url both say where the service is; give one of them")
    with sentences(errors):
        body, status = ask(url or (url_of(config) if config is not None else "http://127.0.0.1:9167"))
        if json:
            sys.stdout.buffer.write(body.rstrip(b"\n") + b"\n")
            sys.stdout.flush()
        else:
            report(console(), status)


def report(out: Console, status: Status) -> None:
    """Print a status for people."""
    say(out, _head(status), "green" if status.ready and not status.unhealthy else "yellow")
    for reason in (*status.unhealthy, *status.not_ready):
        say(out, f"  {reason}", "yellow")
    say(out, f"armed     {_armed(status)}")
    say(out, f"intel     {_intel(status.intel, status.rejected_intel)}")
    for file in status.intel.files:
        refused = f", {file.refused:,} refused" if file.refused else ""
        state = "" if file.state == "read" else f" ({file.state})"
        say(out, f"  {file.path}: {file.items:,} items{refused}{state}")
    _table(
        out,
        ("input", "state", "lag", "records", "records/s", "MB/s", "bad", "last record"),
        [_input(one, status.now) for one in status.inputs],
    )
    _table(
        out,
        ("sensor", "node", "role", "state", "indicators", "waiting", "ack ms", "silent"),
        [row for one in status.sensors for row in _sensor(one)],
    )
    _table(
        out,
        ("filters", "node", "state", "size", *_ASKED.values(), "answered", "dropped", "answers/s"),
        [row for one in status.sensors if one.mode == "compact" for row in _filters(one)],
    )
    _table(
        out,
        ("output", "what", "sent", "waiting", "failed", "last sent"),
        [_output(one, status.now) for one in status.outputs],
    )
    say(
        out,
        f"found     {status.sightings:,} sightings in {status.conversations:,} conversations, "
        f"{status.investigations:,} records captured; {status.records:,} records read",
    )
    say(
        out,
        f"window    {status.window_records:,} records, {_size(status.window_bytes)}; "
        f"{status.commits:,} commits, the last {_ago(status.last_commit, status.now)}",
    )
    dropped = {what: count for what, count in status.dropped.items() if count}
    if dropped:
        say(out, f"dropped   {', '.join(f'{count:,} {what}' for what, count in dropped.items())}", "yellow")
    if status.bad_records:
        say(out, f"bad       {status.bad_records:,} records could not be read, and were kept aside", "yellow")
    _reloads(out, status)
    for error in status.errors:
        times = f", {error.count:,} times" if error.count > 1 else ""
        say(out, f"error     {error.what} ({_ago(error.last, status.now)}{times})", "red")


def say(out: Console, line: str, style: str = "") -> None:
    """Print a line as it is. What came over the network must not steer the terminal."""
    clean = "".join(char if char.isprintable() else " " for char in line)
    out.print(Text(clean, style=style), soft_wrap=True)


def _head(status: Status) -> str:
    state = "unhealthy" if status.unhealthy else "ready" if status.ready else "not ready"
    running = _span(status.now - status.started)
    return f"{status.name}  threathunting {status.version}, up {running} (process {status.pid}): {state}"


def _armed(status: Status) -> str:
    types = ", ".join(f"{count:,} {type}" for type, count in sorted(status.armed.items()) if count)
    return f"{status.indicators:,} indicators" + (f" ({types})" if types else "")


def _intel(intel: IntelStatus, rejected: int) -> str:
    parts = []
    if intel.topic is not None:
        left = max(intel.end - intel.position, 0)
        way = f"{left:,} of {intel.end:,} still to come" if left else f"all {intel.end:,} read"
        parts.append(f"topic {intel.topic}: {way}, {intel.messages:,} messages since the start")
    return "; ".join([*parts, f"{rejected:,} refused"])


def _input(one: InputStatus, now: float) -> list[str]:
    name = f"{one.kind} {one.name}"
    if one.kind == "topic":
        name += f" [{','.join(map(str, one.partitions))}]"
    lag = f"{one.lag:,}" if one.kind == "topic" else _size(one.lag)
    return [
        name,
        one.state,
        lag,
        f"{one.records:,}",
        f"{one.records_per_second:,.0f}",
        f"{one.bytes_per_second / 1e6:,.1f}",
        f"{one.bad_records:,}",
        _ago(one.last_record, now),
    ]


def _sensor(one: SensorStatus) -> list[list[str]]:
    state = "armed" if one.armed else "arming" if one.connected else "not connected"
    rows = [[one.name, "", f"Zeek {one.version}".strip(), state, "", f"{one.waiting:,}", "", ""]]
    for node in one.nodes:
        lag = "" if node.lag_ms is None else f"{node.lag_ms:,.0f}"
        complete = "armed" if node.complete else "arming"
        rows.append(
            ["", node.name, node.role, complete, f"{node.armed:,}", "", lag, _span(node.silent_seconds)]
        )
    return rows + [["", name, "", "missing", "", "", "", ""] for name in one.missing]


_ASKED = {
    "asked": "asked",
    "confirmed": "confirmed",
    "denied": "denied",
    "unverified": "unverified",
    "pending": "pending",
    "waiting_records": "records",
    "sampled": "sampled",
}
"""What a node counts, and the column that it is shown in."""


def _filters(one: SensorStatus) -> list[list[str]]:
    answers = [f"{one.questions_answered:,}", f"{one.questions_dropped:,}", f"{one.answers_per_second:,.0f}"]
    rows = [[one.name, *[""] * (3 + len(_ASKED)), *answers]]
    for node in one.nodes:
        if node.sees_traffic:
            state = "live" if node.generation else "none"
            state = f"{state}, building" if node.building else state
            counts = [f"{getattr(node, name):,}" for name in _ASKED]
            rows.append(["", node.name, state, _size(node.filter_bytes), *counts, "", "", ""])
    return rows


def _output(one: OutputStatus, now: float) -> list[str]:
    name = f"{one.kind} {one.name}"
    return [name, one.what, f"{one.sent:,}", f"{one.waiting:,}", f"{one.failed:,}", _ago(one.last_sent, now)]


def _table(out: Console, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        left = name in ("input", "output", "state", "what", "sensor", "node", "role", "filters")
        table.add_column(name, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in rows:
        table.add_row(*(Text("".join(char if char.isprintable() else " " for char in cell)) for cell in row))
    out.print(table)


def _reloads(out: Console, status: Status) -> None:
    reloads = status.reloads
    if reloads.applied or reloads.refused:
        times = f"changes: {reloads.applied:,} applied, {reloads.refused:,} refused"
        say(out, f"config    {times}, the last {_ago(reloads.last, status.now)}")
    if reloads.waiting:
        say(out, f"  needs a restart: {', '.join(reloads.waiting)}", "yellow")
    for line in (reloads.error or "").splitlines():
        say(out, f"  not in force: {line}", "red")


def _size(count: int) -> str:
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= of:
            return f"{count / of:,.1f} {unit}"
    return f"{count:,} B"


def _span(seconds: float) -> str:
    seconds = max(seconds, 0)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _ago(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    if now - at < 172_800:
        return f"{_span(now - at)} ago"
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"
