"""``threathunting run``: the service, or a look at whether it could run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from threathunting.cli.common import BAD_INPUT, console, errors_console, sentences


def run(
    config: Annotated[
        Path,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The configuration (see examples/threathunting.toml)."
        ),
    ] = Path("threathunting.toml"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what would run or what is wrong in the configuration, and end."),
    ] = False,
) -> None:
    """Run the live service: intel and records in, sightings and investigations out, until SIGTERM."""
    from threathunting.service import config as configuration

    errors = errors_console()
    try:
        loaded = configuration.load(config)
    except ValueError as error:
        _wrong(errors, error)
    if check:
        from threathunting.service.checking import plan

        try:
            lines = plan(loaded)
        except ValueError as error:
            _wrong(errors, ValueError(f"{config}: {error}"))
        out = console()
        out.print(f"{config} is fine. It would run:", highlight=False, markup=False, soft_wrap=True)
        for line in lines:
            out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
        return
    with sentences(errors):
        from threathunting.service.live.service import main

        raise typer.Exit(main(loaded, config))


def _wrong(errors: Console, error: ValueError) -> None:
    for line in str(error).splitlines():
        errors.print(f"error: {line}", style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(BAD_INPUT) from None
