"""``threathunting zeek``: the package for Zeek, put where a Zeek finds it, and whether that Zeek can hunt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from threathunting.cli.common import FAILURE, console, errors_console, sentences
from threathunting.cli.status import say

if TYPE_CHECKING:
    from threathunting.service.zeek_check import Checked, Linked

app = typer.Typer(
    help="The package for Zeek: install it, and check that Zeek can hunt with it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Zeek = Annotated[
    str | None,
    typer.Option(
        "--zeek",
        metavar="PREFIX|PROGRAM",
        help="The Zeek; by default the one that $THREATHUNTING_ZEEK names, or that is on PATH.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one object on standard output, nothing else.")]


@app.command()
def install(
    zeek: _Zeek = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Make the folder 'threathunting' in DIR, not among the site's scripts. Zeek must look there.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace a newer version, one that was changed, and for a Zeek too old."
        ),
    ] = False,
    json: _Json = False,
) -> None:
    """Put the package where Zeek finds it, and tell the line that loads it."""
    from threathunting.service import zeek_package

    with sentences(errors_console()):
        # Into a folder that is named, it can be put on a machine without Zeek, too.
        found = None if zeek is None and to is not None else zeek_package.find_zeek(zeek)
        done = zeek_package.install(found, to, force)
    if json:
        _print(
            {
                "folder": str(done.folder),
                "version": done.version,
                "replaced": done.replaced,
                "load": zeek_package.LOAD,
                "loaded": done.loaded,
            }
        )
        return
    out = console()
    instead = "" if done.replaced in (None, done.version) else f", in place of {done.replaced}"
    say(out, f"ThreatHunting {done.version} is in {done.folder}{instead}.")
    if done.loaded:
        say(out, f"{done.loader} loads it already; restart Zeek.")
    else:
        say(out, f"Add this line to {done.loader or 'local.zeek'}, and restart Zeek:")
        say(out, zeek_package.LOAD)


@app.command()
def check(
    zeek: _Zeek = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="The service's configuration: asks each [[zeek]] in it, too.",
        ),
    ] = None,
    json: _Json = False,
) -> None:
    """Tell what Zeek there is, whether the package is in it, and which running ones answer."""
    import msgspec

    from threathunting.service import config as configuration
    from threathunting.service import zeek_check, zeek_package

    with sentences(errors_console()):
        links = () if config is None else configuration.load(config).zeek
        try:
            found = zeek_package.find_zeek(zeek)
        except FileNotFoundError:
            # The service may well run where no Zeek does.
            if zeek is not None or not links:
                raise
            found = None
        checked = zeek_check.check(found, links)
    if json:
        _print({"well": checked.well, **msgspec.to_builtins(checked)})
    else:
        _show(checked)
    if not checked.well:
        raise typer.Exit(FAILURE)


def _show(checked: Checked) -> None:
    out = console()
    if checked.program is not None:
        say(out, f"zeek      {checked.version}, {checked.program}")
    if checked.backends or checked.websocket:
        websocket = "WebSocket server" if checked.websocket else "no WebSocket server"
        say(out, f"cluster   {', '.join(checked.backends) or 'no backend'}; {websocket}")
    if checked.program is not None:
        if checked.installed is None:
            taken = ", and this Zeek takes it" if checked.loads else ""
            say(out, f"package   not installed (ours is {checked.package}{taken})")
        else:
            say(out, f"package   {checked.installed_version or 'not ours'}, {checked.installed}")
        if checked.loaded_by_site:
            way = (
                "lets the service in" if checked.listens else "leaves it to the cluster to let the service in"
            )
            say(out, f"local     loads the package, and {way}")
    if checked.missing_analyzers:
        say(
            out,
            f"missing   {', '.join(checked.missing_analyzers)}: no analyzers in this build (Spicy brings them)",
        )
    for link in checked.links:
        _show_link(out, link)
    for problem in (*checked.problems, *(problem for link in checked.links for problem in link.problems)):
        say(out, f"wrong     {problem}", "red")
    if checked.well:
        say(out, "all is well", "green")


def _show_link(out: Any, link: Linked) -> None:
    answered = f"Zeek {link.version}" if link.connected else "no answer"
    say(
        out,
        f"link      {link.name} ({link.url}): {answered}"
        if link.name != link.url
        else f"link      {link.url}: {answered}",
    )
    for node in link.nodes:
        sees = "" if node.sees_traffic else ", sees no traffic"
        say(out, f"  {node.name}: {node.role}, package {node.package}, {node.armed:,} indicators armed{sees}")


def _print(found: dict[str, Any]) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.stdout.flush()
