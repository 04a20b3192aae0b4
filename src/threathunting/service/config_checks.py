"""What must hold in a configuration beyond the types of its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from threathunting.kafka import connection
from threathunting.kafka.connection import Connection
from threathunting.plugins import OTHER
from threathunting.service.config_schema import Config, Consume, Follow, Http, Hunt, Zeek
from threathunting.service.config_text import Place
from threathunting.service.config_values import Problems

_LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:\s]+):(\d{1,5})")
_URL = re.compile(r"wss?://(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):\d{1,5}(?:/\S*)?")
_COMPACT = (
    "capacity",
    "subdomain_capacity",
    "false_positive_rate",
    "hold",
    "rebuild_share",
    "rebuild_after",
)
Told = Iterator[tuple[str, str]]


def _hunt(given: Mapping[str, Any]) -> Told:
    names = given.get("modules")
    if names is None:
        return
    from threathunting.service.hunting import registry

    if not names:
        yield "modules", "names no module, so nothing would be hunted; take it out to hunt with all"
    try:
        known = registry(None).known
    except ValueError as error:
        yield "modules", str(error)
        return
    unknown = [name for name in names if name.strip().upper() not in known]
    if unknown:
        yield (
            "modules",
            f"no module {', '.join(unknown)} (there are: {', '.join(sorted(known - {OTHER}))}, {OTHER})",
        )


def _follow(given: Mapping[str, Any]) -> Told:
    if given.get("path") == ():
        yield "path", "names no file and no folder"
    if given.get("hunt") is False and given.get("ship") is False:
        yield (
            "hunt",
            "with hunt = false and ship = false nothing is done with these logs; set one, or take them out",
        )


def _consume(given: Mapping[str, Any]) -> Told:
    topics = given.get("topics", ())
    if topics == ():
        yield "topics", "names no topic"
    if given.get("group") == "":
        yield "group", "is empty; give the group a name"
    for topic in given.get("logs") or () if isinstance(topics, tuple) else ():
        if topic not in topics:
            yield "logs", f"'{topic}' is none of topics, so it isn't read"


def _zeek(given: Mapping[str, Any]) -> Told:
    url = given.get("url")
    if isinstance(url, str) and _URL.fullmatch(url) is None:
        yield (
            "url",
            f"'{url}' is none of a WebSocket; write it as 'ws://127.0.0.1:27759' or 'wss://host:port'",
        )
    secure = isinstance(url, str) and url.startswith("wss://")
    for name in ("ca", "certificate", "key"):
        if given.get(name) is not None and not secure:
            yield name, "is for TLS; write the url with wss://, or take it out"
    if (given.get("certificate") is None) != (given.get("key") is None):
        yield "certificate", "and key belong together; give both or none"
    if given.get("mode", "native") == "native":
        # A default that is written out does no harm, and the example does so.
        defaults = {one.name: one.default for one in msgspec.structs.fields(Zeek)}
        for name in _COMPACT:
            if name in given and given[name] != defaults[name]:
                yield name, "is for mode 'compact', and the mode is 'native'; set mode, or take it out"


def _http(given: Mapping[str, Any]) -> Told:
    listen = given.get("listen")
    match = _LISTEN.fullmatch(listen) if listen is not None else None
    if listen is not None and (match is None or int(match[1]) > 65535):
        yield "listen", f"'{listen}' is no address; write it as '127.0.0.1:9167', or false for none"


CHECKS: dict[type, Callable[[Mapping[str, Any]], Told]] = {
    Connection: connection.contradictions,
    Hunt: _hunt,
    Follow: _follow,
    Consume: _consume,
    Http: _http,
    Zeek: _zeek,
}
"""By struct: what contradicts itself in its keys and values, as (key, sentence)."""


_TOPICS: tuple[Place, ...] = (
    ("intel", "topic"),
    ("intel", "rejected"),
    ("consume", "flags_topic"),
    ("output", "kafka", "sensors"),
    ("output", "kafka", "sightings"),
    ("output", "kafka", "investigations"),
)
_MAY_SHARE = {"output.kafka.sightings", "output.kafka.investigations"}


def across(config: Config, problems: Problems) -> None:
    """Tell what sections say against each other."""
    intel, output = config.intel, config.output
    if intel.topic is None and not intel.files and not problems.about(("intel",)):
        problems.tell(("intel",), "names neither a topic nor files, so there is nothing to hunt for")
    read = config.follow or config.consume is not None or config.zeek
    if not read and not problems.about(("follow",), ("consume",), ("zeek",)):
        problems.tell(
            (),
            "there is nothing to hunt in; add a [[follow]] with logs, [consume] with topics, or a [[zeek]]",
        )
    kafka = output.kafka is not None and (output.kafka.sightings or output.kafka.investigations)
    if output.files is None and not kafka and not problems.about(("output",)):
        problems.tell(
            ("output",), "no output is on; add [kafka] or [output.files], or name topics in [output.kafka]"
        )
    followed: dict[str, None] = {}
    for number, follow in enumerate(config.follow):
        for path in follow.path:
            if path in followed:
                problems.tell(("follow", number, "path"), f"{path} is followed twice; take one out")
            followed[path] = None
            if output.files is not None and _within(output.files.folder, path):
                problems.tell(
                    ("output", "files", "folder"),
                    f"lies in {path}, which is followed: results would be read as logs; write them elsewhere",
                )
    _topics(config, problems)


def _within(folder: str, path: str) -> bool:
    return Path(path) in (Path(folder), *Path(folder).parents)


def _topics(config: Config, problems: Problems) -> None:
    named: list[tuple[Place, str]] = []
    if config.consume is not None:
        named += [(("consume", "topics", number), name) for number, name in enumerate(config.consume.topics)]
    for place in _TOPICS:
        value: Any = config
        for name in place:
            value = getattr(value, str(name), None)
        if value is not None:
            named.append((place, value))
    # What stands in the file comes last, so that it is told, and not a default that was there before it.
    named.sort(key=lambda one: one[0] in problems.lines)
    taken: dict[str, str] = {}
    for place, name in named:
        key = ".".join(one for one in place if isinstance(one, str))
        if name in taken and {key, taken[name]} != _MAY_SHARE:
            problems.tell(place, f"'{name}' is {taken[name]} already; give each its own topic")
        taken.setdefault(name, key)


def folders(config: Config, problems: Problems) -> None:
    """Tell which folders can't be made, since something else is there."""
    places: list[tuple[Place, str]] = [(("service", "state"), config.service.state)]
    if config.output.files is not None:
        places.append((("output", "files", "folder"), config.output.files.folder))
    for place, path in places:
        if Path(path).exists() and not Path(path).is_dir():
            problems.tell(place, f"{path} is no folder")


def with_secrets(config: Config, problems: Problems) -> Config:
    """The configuration with the secrets read that stand in files."""
    if config.kafka is None:
        return config
    read: dict[str, str | None] = {}
    for name in ("password", "key_password"):
        path = getattr(config.kafka, f"{name}_file")
        if path is None:
            continue
        try:
            read |= {name: connection.secret_in(path), f"{name}_file": None}
        except OSError as error:
            problems.tell(
                ("kafka", f"{name}_file"), f"{path} can't be read: {(error.strerror or str(error)).lower()}"
            )
        except ValueError as error:
            problems.tell(("kafka", f"{name}_file"), str(error))
    return (
        msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, **read))
        if read
        else config
    )
