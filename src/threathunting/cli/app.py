"""The commands. They take words, call the service, and say how it went; there is no logic here.

Exit status: 0 done, 1 a failure, 2 bad usage or bad input.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from threathunting import __version__
from threathunting.cli import common, demo, intel, plugins, run, status, zeek
from threathunting.cli.common import BAD_INPUT, FAILURE, errors_console, sentences
from threathunting.hunt.conversations import MAX_CONVERSATIONS

app = typer.Typer(
    name="threathunting",
    help="Hunt for threat intelligence in network traffic, and capture the whole conversations behind each hit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(intel.app, name="intel")
app.add_typer(zeek.app, name="zeek")

MAX_DEFAULT_WORKERS = 4


class Format(StrEnum):
    """Forms of captured records."""

    zeek = "zeek"
    ecs = "ecs"


class Scope(StrEnum):
    """How much is captured."""

    conversation = "conversation"
    record = "record"


class Sensor(StrEnum):
    """What reads captures."""

    zeek = "zeek"
    suricata = "suricata"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Hunt for threat intelligence in network traffic."""


@app.command()
def hunt(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Zeek logs (JSON or TSV; plain, .gz, .zst), Suricata EVE logs, captures (pcap, pcapng), "
            "folders or globs of them; - is standard input.",
        ),
    ],
    intel: Annotated[
        list[str],
        typer.Option(
            "--intel",
            "-i",
            metavar="FILE",
            help="Intel to hunt for; may be given several times. The format is told from the file.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for intel.log, *-investigation.log and summary.json; - writes sightings to standard output.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="Form of captured records.")] = Format.zeek,
    scope: Annotated[
        Scope, typer.Option(help="Capture whole conversations, or only the records that matched themselves.")
    ] = Scope.conversation,
    modules: Annotated[
        str | None,
        typer.Option(metavar="HTTP,DNS", help="Hunt with these modules only (see 'threathunting plugins')."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Processes to split the input over; by default one per processor, at most 4."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="FILE", help="Allow-list: never hunt for what stands in it."),
    ] = None,
    warninglists: Annotated[
        list[str] | None,
        typer.Option(
            "--warninglist",
            metavar="NAME",
            help="MISP warning list to use as an allow-list (extra [warninglists]).",
        ),
    ] = None,
    sensor: Annotated[
        Sensor | None,
        typer.Option(help="What reads captures; by default Zeek where there is one, else Suricata."),
    ] = None,
    in_sensor: Annotated[
        bool,
        typer.Option(
            "--in-sensor", help="Hunt in captures with Zeek itself: with headers and bodies of HTTP messages."
        ),
    ] = False,
    body_bytes: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=16 * 1024 * 1024,
            metavar="N",
            help="With --in-sensor: capture N bytes of each HTTP body; by default 65,536.",
        ),
    ] = None,
    intel_format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Read the intel as this format instead of telling it from the file."
        ),
    ] = None,
    max_conversations: Annotated[
        int, typer.Option(min=1, help="Capture at most so many conversations.")
    ] = MAX_CONVERSATIONS,
    json: Annotated[
        bool, typer.Option("--json", help="Print one summary object on standard output, nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no notes.")] = False,
) -> None:
    """Hunt through logs and captures, and capture the whole conversations behind each sighting."""
    import msgspec

    from threathunting.cli import report
    from threathunting.cli.progress import Bar
    from threathunting.service import hunting

    errors = errors_console()
    if json and out == hunting.STREAM:
        raise typer.BadParameter("--json and --out - both write to standard output; give one of them")
    if in_sensor and workers is not None:
        raise typer.BadParameter("--workers splits logs; with --in-sensor, Zeek reads one capture at a time")
    if body_bytes is not None and not in_sensor:
        raise typer.BadParameter("--body-bytes is for --in-sensor: logs hold no bodies")
    request = hunting.Request(
        paths=paths,
        intel=intel,
        out=out,
        format=format.value,
        scope=scope.value,
        modules=None if modules is None else [name for name in modules.split(",") if name.strip()],
        workers=workers or min(len(os.sched_getaffinity(0)), MAX_DEFAULT_WORKERS),
        allow=allow or (),
        warninglists=warninglists or (),
        sensor=None if sensor is None else sensor.value,
        intel_format=intel_format,
        max_conversations=max_conversations,
    )

    def note(text: str) -> None:
        if not quiet:
            errors.print(text, highlight=False, markup=False)

    with sentences(errors):
        with Bar(errors, quiet=quiet or json) as bar:
            if in_sensor:
                from threathunting.service import in_sensor as sensor_hunt

                result = sensor_hunt.run(request, bar, note, sys.stdout.buffer, body_bytes)
            else:
                result = hunting.run(request, bar, note, sys.stdout.buffer)
        if json:
            sys.stdout.buffer.write(msgspec.json.encode(result.summary()) + b"\n")
            sys.stdout.flush()
        elif out == hunting.STREAM:
            report.warn(errors, result)
        else:
            report.show(common.console(), errors, result, out)
    if not result.complete:
        raise typer.Exit(FAILURE)
    if result.errors:
        raise typer.Exit(BAD_INPUT)


app.command("run")(run.run)
app.command("status")(status.show)
app.command("plugins")(plugins.show)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line."""
    app()
