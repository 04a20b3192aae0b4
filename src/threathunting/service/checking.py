"""What a configuration would run, in words."""

from __future__ import annotations

from collections.abc import Iterator

from threathunting.kafka.checks import check
from threathunting.kafka.connection import Connection
from threathunting.service.config_schema import Config, Follow
from threathunting.service.hunting import registry
from threathunting.service.intel import allow_list


def plan(config: Config) -> list[str]:
    """A line for each part that would run. Builds the registry and reads the allow-lists.

    ValueError says what is wrong in what the configuration names.
    """
    modules = registry(config.hunt.modules)
    if config.kafka is not None:
        check(config.kafka)
    try:
        allow_list(config.intel.allow, config.intel.warninglists)
    except OSError as error:
        raise ValueError(
            f"{error.filename} can't be read: {(error.strerror or str(error)).lower()}"
        ) from None
    hunt = config.hunt
    how = "whole conversations" if hunt.scope == "conversation" else "the records that matched"
    on = [plugin.module for plugin in modules.plugins if plugin.module in modules.modules]
    lines = [
        f"name      {config.service.name}, state in {config.service.state}",
        *([] if config.kafka is None else [f"kafka     {_connection(config.kafka)}"]),
        f"intel     {'; '.join(_intel(config))}",
        f"hunt      {len(on)} modules, level {hunt.min_level} and above, captures {how}",
        *(f"input     {_followed(follow)}" for follow in config.follow),
    ]
    if config.consume is not None:
        topics = ", ".join(config.consume.topics)
        lines.append(f"input     topics {topics}, in group {config.consume.group}")
    lines += [f"sensor    Zeek at {zeek.url}, armed {zeek.mode}ly" for zeek in config.zeek]
    lines += [f"output    {output} as {config.output.format}" for output in _outputs(config)]
    lines.append(f"http      {config.http.listen or 'off'}")
    return lines


def _connection(kafka: Connection) -> str:
    how = "TLS" if kafka.tls else "plain text"
    if kafka.certificate is not None:
        how = "mutual TLS"
    log_in = f", {kafka.sasl} as {kafka.username}" if kafka.sasl else ""
    return f"{', '.join(kafka.brokers)} ({how}{log_in})"


def _intel(config: Config) -> Iterator[str]:
    intel = config.intel
    if intel.topic is not None:
        yield f"topic {intel.topic}" + (f", refused to {intel.rejected}" if intel.rejected else "")
    if intel.files:
        yield f"files {', '.join(intel.files)}"
    if intel.allow or intel.warninglists:
        yield f"allow-lists {', '.join((*intel.allow, *intel.warninglists))}"


def _followed(follow: Follow) -> str:
    does = [word for word, on in (("hunt", follow.hunt), ("ship", follow.ship)) if on]
    return f"{', '.join(follow.path)} ({' and '.join(does)}, from the {follow.begin})"


def _outputs(config: Config) -> Iterator[str]:
    if config.output.kafka is not None:
        sink = config.output.kafka
        named = (sink.sightings, sink.investigations, sink.sensors)
        yield f"topics {', '.join(topic for topic in named if topic)}"
    if config.output.files is not None:
        yield f"folder {config.output.files.folder}"
