"""``threathunting intel push``: tell the topic what to arm, and make the topics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from threathunting.cli.common import BAD_INPUT, errors_console, sentences
from threathunting.cli.intel_options import (
    AllAttributes,
    Allow,
    Brokers,
    ConfigFile,
    Counting,
    InputFormat,
    Level,
    Settings,
    Topic,
    Type,
    Warninglists,
    counted,
    place,
    say,
    say_lost,
)
from threathunting.intel.formats import Refusal

if TYPE_CHECKING:
    from threathunting.service.intel_push import Pushed


def push(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Intel files or folders in any format; - is standard input."),
    ] = None,
    ioc: Annotated[
        list[str] | None,
        typer.Option(
            "--ioc", metavar="VALUE", help="A value to arm, defanged or not; may be given several times."
        ),
    ] = None,
    type: Type = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who says so, where an entry doesn't tell.")
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Level of all that is pushed.")] = None,
    desc: Annotated[str, typer.Option(metavar="TEXT", help="What it is, where an entry doesn't tell.")] = "",
    expire: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="How long it holds from now, as 12h or 30d, where an entry doesn't tell."
        ),
    ] = None,
    confidence: Annotated[
        int | None, typer.Option(min=0, max=100, help="How sure that is, where an entry doesn't tell.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag for all that is pushed.")
    ] = None,
    subdomains: Annotated[
        bool,
        typer.Option(
            "--subdomains", help="Arm the subdomains of --ioc domains, too; as *.evil.example does."
        ),
    ] = False,
    allow: Allow = None,
    warninglists: Warninglists = None,
    intel_format: InputFormat = None,
    all_attributes: AllAttributes = False,
    brokers: Brokers = None,
    config: ConfigFile = None,
    settings: Settings = None,
    topic: Topic = None,
    create_topics: Annotated[
        bool,
        typer.Option(
            "--create-topics",
            help="First make all topics of the service that aren't there, with the settings that it needs.",
        ),
    ] = False,
    partitions: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Partitions of the topics for results."),
    ] = 6,
    replication: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Copies of each topic; by default 3, or one per broker.",
        ),
    ] = None,
    unkeyed: Annotated[
        bool,
        typer.Option(
            "--unkeyed",
            help="Make the intel topic for producers that set no key: nothing is compacted, all is kept for ever.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one summary object on standard output, nothing else.")
    ] = False,
) -> None:
    """Push intel to its Kafka topic, and wait until a broker has acknowledged every message.

    Exit status: 1 where not all arrived, 2 where entries were refused (the others were pushed all the same).
    """
    import msgspec

    from threathunting.kafka.intel_producer import Delivery
    from threathunting.service import intel_push, intel_topic

    errors = errors_console()
    if not (files or ioc or create_topics):
        raise typer.BadParameter("nothing to push; name files, or values with --ioc")
    if subdomains and not ioc:
        raise typer.BadParameter("--subdomains is for values of --ioc; in a file, write *.evil.example")
    if type is not None and not ioc:
        raise typer.BadParameter("--type is for values of --ioc; a file's entries have types of their own")
    if unkeyed and not create_topics:
        raise typer.BadParameter("--unkeyed says how --create-topics makes the intel topic; give both")

    def refused(refusal: Refusal) -> None:
        say(errors, place(refusal))

    began = time.monotonic()
    with sentences(errors):
        told = intel_push.Told(
            source, level, desc, None if expire is None else _seconds(expire), confidence, tuple(tag or ())
        )
        request = intel_push.Request(
            files or (),
            ioc or (),
            type,
            subdomains,
            told,
            allow or (),
            warninglists or (),
            intel_format,
            all_attributes,
        )
        where = intel_topic.cluster(brokers, config, settings or (), topic)
        if create_topics:
            for made in intel_topic.create_topics(where, partitions, replication, unkeyed=unkeyed):
                state = "created" if made.created else "was there already"
                say(errors, "; ".join([f"topic {made.name} {state}", *made.differs]))
        pushed = intel_push.Pushed()
        if files or ioc:
            with Counting(errors, quiet=json) as counting:

                def progress(delivery: Delivery) -> None:
                    counting.show(f"{delivery.sent:,} sent, {delivery.arrived:,} arrived")

                pushed = intel_push.push(
                    where, request, note=lambda text: say(errors, text), progress=progress, on_refusal=refused
                )
    if json:
        summary = {
            "topic": where.topic,
            "sent": pushed.delivery.sent,
            "arrived": pushed.delivery.arrived,
            "expired": pushed.expired,
            "rejected_intel": pushed.refused,
            "seconds": round(time.monotonic() - began, 3),
        }
        typer.echo(msgspec.json.encode(summary).decode())
    elif files or ioc:
        say(errors, _summary(pushed, where.topic))
    say_lost(errors, pushed.delivery, "messages")
    if pushed.refused:
        raise typer.Exit(BAD_INPUT)


def _seconds(text: str) -> float:
    from threathunting.service.config_values import duration

    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"--expire '{text[:40]}' {error}") from None


def _summary(pushed: Pushed, topic: str) -> str:
    notes = [f"{counted(pushed.delivery.arrived, 'message', 'messages')} arrived on topic {topic}"]
    if pushed.expired:
        notes.append(f"{counted(pushed.expired, 'item', 'items')} left out, as expired")
    if pushed.refused:
        notes.append(f"{counted(pushed.refused, 'entry', 'entries')} refused")
    return "; ".join(notes)
