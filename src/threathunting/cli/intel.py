"""``threathunting intel``: look at intel files and turn them into others; the topic has files of its own."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from threathunting.cli import intel_list, intel_push, intel_remove
from threathunting.cli.common import BAD_INPUT, console, errors_console, sentences
from threathunting.cli.intel_options import AllAttributes, Allow, Files, InputFormat, Warninglists, place
from threathunting.intel.formats import Refusal

app = typer.Typer(
    help="Check and convert intel; push, remove and list it on its Kafka topic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("push")(intel_push.push)
app.command("remove")(intel_remove.remove)
app.command("list")(intel_list.show)


class Target(StrEnum):
    """Formats that can be written."""

    messages = "messages"
    zeek = "zeek"


@app.command()
def check(
    files: Files,
    allow: Allow = None,
    warninglists: Warninglists = None,
    intel_format: InputFormat = None,
    all_attributes: AllAttributes = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one object on standard output, nothing else.")
    ] = False,
) -> None:
    """Count indicators per type, and name everything that is refused. Exit status 2 where anything is."""
    import msgspec

    from threathunting.service.intel import read

    out = console()

    def told(refusal: Refusal) -> None:
        out.print(place(refusal), highlight=False, markup=False, soft_wrap=True)

    with sentences(errors_console()):
        store, report = read(
            files, allow or (), warninglists or (), intel_format, all_attributes, None if json else told
        )
    if json:
        summary = {
            "indicators": len(store),
            "types": store.counts(),
            "read": report.read,
            "armed": sum(report.armed.values()),
            "duplicates": report.duplicates,
            "removed": report.removed,
            "rejected_intel": report.refused,
            "files": [
                {"path": file.path, "format": file.format, "read": file.read, "refused": file.refused}
                for file in report.files
            ],
            "refusals": [
                {"path": r.path, "line": r.line, "reason": r.reason, "text": r.text} for r in report.refusals
            ],
        }
        typer.echo(msgspec.json.encode(summary).decode())
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("type")
        table.add_column("indicators", justify="right")
        for type, count in sorted(store.counts().items()):
            table.add_row(type, f"{count:,}")
        out.print(table)
        out.print(
            f"{len(store):,} indicators from {report.read:,} entries in {len(report.files):,} files; "
            f"{report.duplicates:,} duplicates, {report.removed:,} removed, {report.refused:,} refused",
            highlight=False,
        )
    if report.refused:
        raise typer.Exit(BAD_INPUT)


@app.command()
def convert(
    files: Files,
    to: Annotated[Target, typer.Option(help="messages: our JSON, one a line; zeek: Zeek's intel.dat.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else standard output.")
    ] = None,
    allow: Allow = None,
    warninglists: Warninglists = None,
    intel_format: InputFormat = None,
    all_attributes: AllAttributes = False,
) -> None:
    """Read intel in any format and write it in one, each item once, in canonical form."""
    from threathunting.service.intel import convert as converted

    errors = errors_console()
    with sentences(errors):
        report, written = converted(
            files,
            to.value,
            output,
            sys.stdout.buffer,
            allow or (),
            warninglists or (),
            intel_format,
            all_attributes,
        )
    notes = [f"{written.items:,} items written"]
    if written.skipped:
        notes.append(
            ", ".join(f"{count:,} {type}" for type, count in written.skipped.items())
            + " left out, Zeek has no such type"
        )
    if report.refused:
        first = report.refusals[0]
        notes.append(
            f"{report.refused:,} entries refused, the first at {first.path}:{first.line} ({first.reason})"
        )
    errors.print("; ".join(notes), highlight=False, markup=False, soft_wrap=True)
    if report.refused:
        raise typer.Exit(BAD_INPUT)
