"""``threathunting intel remove``: tell the topic what to disarm."""

from __future__ import annotations

from typing import Annotated

import typer

from threathunting.cli.common import BAD_INPUT, errors_console, sentences
from threathunting.cli.intel_options import (
    AllAttributes,
    Brokers,
    ConfigFile,
    Counting,
    InputFormat,
    Settings,
    Topic,
    Type,
    counted,
    place,
    say,
    say_lost,
)

_NAMED = 10
"""Indicators that weren't armed and are named; the others are counted."""


def remove(
    values: Annotated[
        list[str] | None, typer.Argument(metavar="VALUE", help="Values to disarm, defanged or not.")
    ] = None,
    intel: Annotated[
        list[str] | None,
        typer.Option("--intel", "-i", metavar="FILE", help="Disarm what stands in this file, in any format."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Remove what this source tells; by default, the source that the file tells."
        ),
    ] = None,
    all_sources: Annotated[bool, typer.Option("--all-sources", help="Remove what any source tells.")] = False,
    type: Type = None,
    blindly: Annotated[
        bool,
        typer.Option(
            "--blindly",
            help="Don't read the topic first: faster, but an item told under another producer's key comes back on a "
            "compacted topic.",
        ),
    ] = False,
    intel_format: InputFormat = None,
    all_attributes: AllAttributes = False,
    brokers: Brokers = None,
    config: ConfigFile = None,
    settings: Settings = None,
    topic: Topic = None,
) -> None:
    """Disarm intel: what other sources tell of the same indicator stays.

    Exit status: 1 where not all messages arrived, 2 where values can't be understood (the others are removed).
    """
    from threathunting.kafka.intel_producer import Delivery
    from threathunting.service import intel_push, intel_remove, intel_topic

    errors = errors_console()
    if not (values or intel):
        raise typer.BadParameter("nothing to remove; name values, or a file with --intel")
    if source is not None and all_sources:
        raise typer.BadParameter("--source and --all-sources exclude each other; give one of them")
    with sentences(errors), Counting(errors) as counting:

        def reading(read: int, left: int | None) -> None:
            counting.show(f"{read:,} messages read" + (f", {left:,} left" if left else ""))

        def sending(delivery: Delivery) -> None:
            counting.show(f"{delivery.sent:,} removals sent, {delivery.arrived:,} arrived")

        done = intel_remove.remove(
            intel_topic.cluster(brokers, config, settings or (), topic),
            intel_push.Request(
                files=intel or (),
                values=values or (),
                type=type,
                told=intel_push.Told(source=source),
                format=intel_format,
                all_attributes=all_attributes,
            ),
            all_sources=all_sources,
            blindly=blindly,
            note=lambda text: say(errors, text),
            reading=reading,
            sending=sending,
        )
    for refusal in done.refusals:
        say(errors, place(refusal))
    for indicator in done.not_armed[:_NAMED]:
        by = f" by source {source}" if source is not None else ""
        say(errors, f"{indicator.type.value} {indicator.value} is not armed{by}")
    if (more := len(done.not_armed) - _NAMED) > 0:
        say(errors, f"{more:,} more are not armed")
    say_lost(errors, done.delivery, "removals")
    say(errors, f"{counted(done.items, 'item', 'items')} removed")
    if done.refusals:
        raise typer.Exit(BAD_INPUT)
