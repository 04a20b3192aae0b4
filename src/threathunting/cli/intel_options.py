"""What the commands of ``threathunting intel`` have in common: options, and how they say things."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from threathunting.cli.common import FAILURE
from threathunting.intel.formats import Refusal

if TYPE_CHECKING:
    from threathunting.kafka.intel_producer import Delivery

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Intel files or folders; - is standard input.")
]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", metavar="FILE", help="Allow-list: refuse what stands in it.")
]
Warninglists = Annotated[
    list[str] | None,
    typer.Option(
        "--warninglist",
        metavar="NAME",
        help="MISP warning list to use as an allow-list (extra [warninglists]).",
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--intel-format", metavar="NAME", help="Read as this format instead of telling it from the file."
    ),
]
AllAttributes = Annotated[
    bool, typer.Option("--all-attributes", help="MISP: take attributes that are not marked to_ids, too.")
]
Brokers = Annotated[
    str | None,
    typer.Option(
        "--brokers",
        "-b",
        metavar="HOST:PORT,...",
        help="Kafka brokers to begin with.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The service's configuration: its [kafka] and [intel].",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "-X",
        metavar="NAME=VALUE",
        help="Setting of librdkafka, as security.protocol=SASL_SSL; '${NAME}' is taken from the environment, "
        "so that no secret stands on the command line.",
    ),
]
Topic = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The intel topic; by default the configuration's, or intelligence.",
    ),
]
Level = Literal["low", "medium", "high", "critical"]
Type = Annotated[
    str | None,
    typer.Option(
        "--type", "-t", metavar="TYPE", help="Type of the values, as domain; by default told by their shape."
    ),
]

_REDRAW_SECONDS = 0.1


def place(refusal: Refusal) -> str:
    """``file:line: reason`` of something refused."""
    where = f"{refusal.path}:{refusal.line}" if refusal.line else refusal.path
    return f"{where}: {refusal.reason}"


def say(errors: Console, text: str) -> None:
    """A note on standard error, as it stands."""
    errors.print(text, highlight=False, markup=False, soft_wrap=True)


def say_lost(errors: Console, delivery: Delivery, what: str) -> None:
    """Say how many messages did not arrive, and end with exit status 1, if there are any."""
    if lost := delivery.sent - delivery.arrived:
        reason = delivery.reason or "no broker took them"
        say(errors, f"error: {lost:,} of {delivery.sent:,} {what} did not arrive: {reason}")
        raise typer.Exit(FAILURE)


def counted(count: int, one: str, many: str) -> str:
    """``1 item``, ``2,000 items``."""
    return f"{count:,} {one if count == 1 else many}"


class Counting:
    """A line with a count, on a terminal's standard error only."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._shown = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._shown.add_task("")
        self._drawn = 0.0

    def __enter__(self) -> Counting:
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.stop()

    def show(self, text: str) -> None:
        """Show this now, unless something was shown a moment ago."""
        now = time.monotonic()
        if now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._shown.update(self._task, description=text)
            self._shown.refresh()
