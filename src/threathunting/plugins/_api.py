"""What a plugin is: where to look (*seen*), what to keep (*investigation*), how to name it (*normalized*)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from threathunting.intel.canonical import canonical
from threathunting.intel.types import IndicatorType
from threathunting.records import Observable, Record

COMMON_ECS: Mapping[str, str] = {
    "ts": "@timestamp",
    "uid": "trace.id",
    "id.orig_h": "source.ip",
    "id.orig_p": "source.port",
    "id.resp_h": "destination.ip",
    "id.resp_p": "destination.port",
    "community_id": "network.community_id",
}
"""ECS names of the fields that nearly every Zeek log has."""


@dataclass(frozen=True)
class Seen:
    """One kind of observable that a log holds.

    ``where`` is named as Zeek's ``Intel::Where``. Without ``values`` the one field named is the observable
    itself: a string, or a list of strings. With it, ``values`` gets the fields' values in order (None where
    unset; nothing is known of their types, they come from a log) and yields the texts to look up.
    What isn't of the type (a host name where addresses are asked for) is passed over, so one field may
    stand in several Seens.

    ``host`` speeds up URLs, and the names and addresses in them: it names the field that holds the host of all
    that this Seen yields, with or without a port, or a URL with that host (a value that begins with ``/`` has
    none, and is passed over). Then only rows whose host can match are looked at more closely. Leave it out
    where the host may stand elsewhere.

    ``unless`` names a field that must be unset, for what is seen in few records (the server's address, where a
    request names no host). ``paths`` says that all that this Seen yields are URLs without host (``/gate.php``):
    nothing is looked at while none is armed.

    ``when`` is a further condition on the whole record (``auth_success`` is true), asked only of records in
    which a value was found. Fields that aren't text belong there or behind ``host``: other ``values`` may
    get None for them, as the matcher's columns hold strings and lists of strings.
    """

    where: str
    type: IndicatorType
    fields: tuple[str, ...]
    values: Callable[..., Iterable[str]] | None = None
    host: str | None = None
    unless: str | None = None
    paths: bool = False
    when: Callable[[Record], bool] | None = None

    def __post_init__(self) -> None:
        if self.values is None and len(self.fields) != 1:
            raise ValueError(f"{self.where}: without values, a Seen names one field, not {len(self.fields)}")

    def texts(self, record: Record) -> Iterable[str]:
        """The texts of this kind in a record, as they stand there."""
        if self.unless is not None and record.get(self.unless) is not None:
            return ()
        if self.host is not None:
            host = record.get(self.host)
            if not isinstance(host, str) or host[:1] == "/":
                return ()
        if self.when is not None and not self.when(record):
            return ()
        if self.values is not None:
            return self.values(*[record.get(name) for name in self.fields])
        return strings(record.get(self.fields[0]))


@dataclass(frozen=True)
class Log:
    """One Zeek log that a plugin hunts in and captures.

    ``links`` are fields that name files of the conversation (fuids, certificate fingerprints); ``files`` are
    fields by which a record without uid is itself such a file; ``exclude`` are fields that no capture has.
    ``ecs`` maps fields to ECS names; what is in neither it nor ``COMMON_ECS`` goes under ``zeek.<name>.``.
    """

    name: str
    seen: tuple[Seen, ...] = ()
    ecs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str | list[str]] = field(default_factory=dict)
    """ECS fields with a fixed value, e.g. ``event.category``."""
    exclude: frozenset[str] = frozenset()
    uids: tuple[str, ...] = ("uid",)
    links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def observables(self, record: Record) -> Iterator[Observable]:
        """Every observable of a record, canonical, each once."""
        met = set()
        for seen in self.seen:
            for text in seen.texts(record):
                try:
                    observable = Observable(seen.type, canonical(seen.type, text), seen.where)
                except ValueError:
                    continue
                if observable not in met:
                    met.add(observable)
                    yield observable


@dataclass(frozen=True)
class Plugin:
    """A protocol's hunting: a module name (``HTTP``) to switch it by, and its logs."""

    module: str
    logs: tuple[Log, ...]


def strings(value: object) -> tuple[str, ...]:
    """The strings in a field's value: itself, or the strings of a list; nothing else."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(element for element in value if isinstance(element, str))
    return ()
