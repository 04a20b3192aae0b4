"""``threathunting plugins``: what is hunted in, and for what."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from threathunting.cli.common import console, errors_console


def show(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the hunting modules with their logs and observables."""
    import msgspec

    from threathunting.plugins import Plugin, Seen
    from threathunting.service.hunting import registry

    def described(plugin: Plugin) -> dict[str, Any]:
        return {
            "module": plugin.module,
            "logs": [
                {
                    "log": log.name,
                    "observables": [
                        {"where": seen.where, "type": seen.type.value, "fields": list(seen.fields)}
                        for seen in log.seen
                    ],
                }
                for log in plugin.logs
            ],
        }

    def types_by_where(seen: tuple[Seen, ...]) -> str:
        wheres: dict[str, list[str]] = {}
        for one in seen:
            types = wheres.setdefault(one.where, [])
            if one.type.value not in types:
                types.append(one.type.value)
        return "\n".join(f"{where} ({', '.join(types)})" for where, types in wheres.items())

    try:
        plugins = registry(None).plugins
    except ValueError as error:
        errors_console().print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if json:
        typer.echo(msgspec.json.encode([described(plugin) for plugin in plugins]).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("module", "log", "observables (types)"):
        table.add_column(name)
    for plugin in plugins:
        for number, log in enumerate(plugin.logs):
            table.add_row(
                "" if number else plugin.module, log.name, types_by_where(log.seen) or "captured only"
            )
    console().print(table)
