"""The keys of the configuration, their types and defaults. ``examples/threathunting.toml`` explains each."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from threathunting.hunt.conversations import MAX_CONVERSATIONS
from threathunting.hunt.forms import Format
from threathunting.hunt.passes import Scope
from threathunting.intel.entries import DEFAULT_LIMIT
from threathunting.kafka.connection import Connection
from threathunting.service.config_values import is_a

Level = Literal["low", "medium", "high", "critical"]
Duration = Annotated[float, is_a("duration", ge=0)]
"""Seconds."""
Span = Annotated[float, is_a("duration", gt=0)]
"""Seconds, more than none."""
Size = Annotated[int, is_a("size", ge=0)]
"""Bytes."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Capacity = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
"""Values that a filter is made for."""
TopicName = Annotated[str, is_a("topic")]
Topic = Annotated[TopicName | None, is_a("optional")]
FilePath = Annotated[str, is_a("path")]
Paths = Annotated[tuple[FilePath, ...], is_a("list")]
"""One path or a list of them."""
Existing = Annotated[tuple[Annotated[str, is_a("there")], ...], is_a("list")]
ExistingFiles = Annotated[tuple[Annotated[str, is_a("file")], ...], is_a("list")]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Service(_Section, frozen=True):
    """``[service]``. ``name`` is never empty once loaded."""

    name: str = ""
    state: FilePath = "/var/lib/threathunting"


class Intel(_Section, frozen=True):
    """``[intel]``: what is hunted for. Without ``[kafka]``, ``topic`` and ``rejected`` are None."""

    topic: Topic = "intelligence"
    rejected: Topic = "intelligence.rejected"
    files: Existing = ()
    default_source: str = "unknown"
    default_expire: Annotated[Span | None, is_a("optional")] = None
    allow: ExistingFiles = ()
    warninglists: tuple[str, ...] = ()
    max_indicators: Count = DEFAULT_LIMIT
    store: Literal["memory", "disk"] = "memory"
    levels: dict[str, Level] = {}


class Hunt(_Section, frozen=True):
    """``[hunt]``: where and how is hunted. ``modules`` is None for all of them."""

    modules: tuple[str, ...] | None = None
    min_level: Level = "low"
    scope: Scope = "conversation"
    look_behind: Duration = 60.0
    look_behind_bytes: Size = 256_000_000
    conversation_idle: Span = 86_400.0
    max_conversations: Count = MAX_CONVERSATIONS


class Follow(_Section, frozen=True):
    """One ``[[follow]]``: logs that are read as they grow."""

    path: Paths
    rotated: Paths = ()
    begin: Literal["beginning", "end"] = "beginning"
    hunt: bool = True
    ship: bool = True


class Zeek(_Section, frozen=True):
    """One ``[[zeek]]``: a live Zeek that runs the ThreatHunting package, by its WebSocket API.

    What stands after ``mode`` is for mode ``compact`` only.
    """

    url: str
    name: str = ""
    ca: Annotated[str | None, is_a("file")] = None
    certificate: Annotated[str | None, is_a("file")] = None
    key: Annotated[str | None, is_a("file")] = None
    verify_hostname: bool = True
    mode: Literal["native", "compact"] = "native"
    capacity: Capacity = 10_000_000
    subdomain_capacity: Capacity = 1_000_000
    false_positive_rate: Annotated[float, msgspec.Meta(gt=0, le=0.01)] = 1e-6
    hold: Annotated[float, is_a("duration", gt=0, le=60)] = 2.0
    rebuild_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2
    rebuild_after: Span = 86_400.0


class Consume(_Section, frozen=True):
    """``[consume]``: topics of records, read in a consumer group."""

    topics: tuple[TopicName, ...]
    group: str = "threathunting"
    logs: dict[str, str] = {}
    flags_topic: TopicName = "conversations"


class KafkaOutput(_Section, frozen=True):
    """``[output.kafka]``: the topics for results."""

    enabled: bool = True
    sightings: Topic = "sightings"
    investigations: Topic = "investigations"
    sensors: Topic = "sensors"


class FilesOutput(_Section, frozen=True):
    """``[output.files]``: a folder for results."""

    folder: FilePath


class Output(_Section, frozen=True):
    """``[output]``. ``kafka`` is None without ``[kafka]`` and where it isn't enabled."""

    format: Format = "ecs"
    kafka: KafkaOutput | None = None
    files: FilesOutput | None = None


class Commit(_Section, frozen=True):
    """``[commit]``: how often results and positions are made fast together."""

    interval: Annotated[float, is_a("duration", gt=0, le=30)] = 0.1
    max_records: Count = 20_000


class Http(_Section, frozen=True):
    """``[http]``: where metrics and state are served; ``listen`` is None for nowhere."""

    listen: Annotated[str | None, is_a("optional")] = "127.0.0.1:9167"

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of ``listen``."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Log(_Section, frozen=True):
    """``[log]``: what the service says on standard error."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(_Section, frozen=True):
    """The whole file. Durations are seconds, sizes are bytes, paths are absolute, secrets are read."""

    service: Service = Service()
    kafka: Connection | None = None
    intel: Intel = Intel()
    hunt: Hunt = Hunt()
    follow: tuple[Follow, ...] = ()
    consume: Consume | None = None
    zeek: tuple[Zeek, ...] = ()
    output: Output = Output()
    commit: Commit = Commit()
    http: Http = Http()
    log: Log = Log()

    def secrets(self) -> tuple[str, ...]:
        """The texts that no log, status or error may show."""
        return () if self.kafka is None else self.kafka.secrets()
