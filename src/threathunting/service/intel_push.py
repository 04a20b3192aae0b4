"""Telling the intel topic what to arm, for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from threathunting.intel import message
from threathunting.intel.formats import Refusal
from threathunting.intel.formats._shape import shape
from threathunting.intel.load import LoadReport, load
from threathunting.intel.message import Add, Change
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.kafka.intel_producer import NOTHING_SENT, Delivery, IntelProducer
from threathunting.service.intel import allow_list
from threathunting.service.intel_topic import Cluster

VALUE = "--ioc"
"""Stands for a file's name in the refusal of a value from the command line."""

_EVERY = 5_000
_KEPT = 4096


@dataclass(frozen=True)
class Told:
    """What a person tells beside values and files; for items of files it fills what they don't say.

    ``level`` holds for all of them, and ``tags`` are added. ``expire``: seconds from now.
    """

    source: str | None = None
    level: str | None = None
    desc: str = ""
    expire: float | None = None
    confidence: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What to push: files in any format, and values with their type (None: told by their shape)."""

    files: Sequence[str] = ()
    values: Sequence[str] = ()
    type: str | None = None
    subdomains: bool = False
    told: Told = Told()
    allow: Sequence[str] = ()
    warninglists: Sequence[str] = ()
    format: str | None = None
    all_attributes: bool = False


@dataclass
class Pushed:
    """What came of it. ``expired`` items were left out; ``refusals`` are the first thousand of ``refused``."""

    delivery: Delivery = NOTHING_SENT
    expired: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def push(
    where: Cluster,
    request: Request,
    *,
    note: Callable[[str], None] = lambda text: None,
    progress: Callable[[Delivery], None] = lambda delivery: None,
    on_refusal: Callable[[Refusal], None] | None = None,
) -> Pushed:
    """Send all items, and wait until each has arrived or failed. What is refused keeps nothing else back.

    Raises ValueError for bad settings, types or unreadable files, ConnectionError where no broker or topic is found,
    and InterruptedError, with what had arrived, when it is interrupted.
    """
    now = time.time()
    allow = allow_list(request.allow, request.warninglists)
    # Bad usage is told before anything is sent.
    if request.type is not None:
        message.indicator_type(request.type)
    if request.told.expire is not None and request.told.expire <= 0:
        raise ValueError("--expire is not more than 0 seconds")
    with Producing(where, note) as producer:
        outbox = Outbox(producer, now, lambda: progress(producer.delivery()))
        report = LoadReport(on_refusal=on_refusal)
        for value in request.values:
            try:
                change = change_of(value, request, now)
                if isinstance(change, Add) and allow is not None:
                    _check(change, allow.refuses(change.indicator, change.item.subdomains))
                outbox.take(change)
            except ValueError as error:
                report.refuse(Refusal(VALUE, 0, str(error), value))
        if request.files:
            outbox.fill = _filling(request.told, now)
            try:
                read = load(
                    request.files,
                    outbox,
                    allow,
                    format=request.format,
                    source=request.told.source,
                    # It is told now: an 'expire' in a file counts from here, as in any message.
                    told_at=now,
                    all_attributes=request.all_attributes,
                    on_refusal=on_refusal,
                )
            except OSError as error:
                raise unreadable(error, request.files) from None
            report.refused += read.refused
            report.refusals += read.refusals
        delivery = producer.finish(lambda: progress(producer.delivery()))
    return Pushed(delivery, outbox.expired, report.refused, report.refusals)


class Outbox(Store):
    """A store that sends on what it is given, and keeps nothing."""

    def __init__(self, producer: IntelProducer, now: float, progress: Callable[[], None]) -> None:
        super().__init__()
        self.expired = 0
        self.fill: Callable[[Item], Item] = lambda item: item
        """Completes items."""
        self._producer, self._now, self._progress = producer, now, progress
        self._count = 0

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Send an item, unless it has expired."""
        item = self.fill(item)
        if item.expires is not None and item.expires <= self._now:
            self.expired += 1
            return True
        self._send(message.key(indicator, item.source), message.encode(indicator, item))
        return True

    def remove(self, indicator: Indicator, source: str | None = None) -> bool:
        """Send the removal of one source's item; a file's line with ``"action": "remove"``."""
        assert source is not None, "a message removes one source's item"
        self._send(message.key(indicator, source), None)
        return True

    def take(self, change: Change) -> None:
        """Send what a message asks for."""
        if isinstance(change, Add):
            self.add(change.indicator, change.item)
        else:
            self.remove(change.indicator, change.source)

    def _send(self, key: bytes, value: bytes | None) -> None:
        self._producer.send(key, value)
        self._count += 1
        if not self._count % _EVERY:
            self._progress()


class Producing:
    """A producer that is closed at the end, and that tells what had arrived when a person interrupts it."""

    def __init__(self, where: Cluster, note: Callable[[str], None]) -> None:
        self._producer = IntelProducer(where.connection, where.topic, note)

    def __enter__(self) -> IntelProducer:
        return self._producer

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        stands = self._producer.delivery()
        self._producer.close()
        if kind is KeyboardInterrupt:
            raise InterruptedError(
                f"interrupted; {stands.arrived:,} of {stands.sent:,} messages had arrived for certain"
            ) from None


def change_of(value: str, request: Request, now: float) -> Change:
    """The change for a value from the command line; ValueError with the reason."""
    told = request.told
    meta: dict[str, Any] = {
        "source": told.source,
        "level": told.level,
        "desc": told.desc,
        "expire": told.expire,
        "confidence": told.confidence,
        "tags": list(told.tags),
        "subdomains": request.subdomains,
    }
    if request.type is not None:
        return message.change(value, request.type, meta, now)
    try:
        found = shape(value)
    except ValueError as error:
        raise ValueError(f"'{value[:80]}' {error}") from None
    if request.subdomains and found.type is not IndicatorType.DOMAIN:
        raise ValueError(f"'{value[:80]}' is of type {found.type.value}, and only a domain has subdomains")
    meta["subdomains"] = request.subdomains or found.subdomains
    return message.change(found.value, found.type.value, meta, now)


def _check(change: Add, reason: str | None) -> None:
    if reason is not None:
        raise ValueError(f"{change.indicator.type.value} {reason}")


def _filling(told: Told, now: float) -> Callable[[Item], Item]:
    """Completes the items of files with what was told; equal ones once."""
    known: dict[Item, Item] = {}

    def filled(item: Item) -> Item:
        if (found := known.get(item)) is not None:
            return found
        changes: dict[str, Any] = {}
        if told.level is not None:
            changes["level"] = told.level
        if told.desc and not item.desc:
            changes["desc"] = told.desc
        if told.confidence is not None and item.confidence is None:
            changes["confidence"] = told.confidence
        if told.expire is not None and item.expires is None:
            changes["expires"] = now + told.expire
        if told.tags:
            changes["tags"] = (*item.tags, *(tag for tag in told.tags if tag not in item.tags))
        if len(known) >= _KEPT:
            known.clear()
        found = known[item] = msgspec.structs.replace(item, **changes)
        return found

    return filled


def unreadable(error: OSError, files: Sequence[str]) -> ValueError | OSError:
    """What can't be read, as bad input; what went wrong with the cluster meanwhile stays what it is."""
    if isinstance(error, ConnectionError | InterruptedError):
        return error
    return ValueError(
        f"{error.filename or ', '.join(files)} can't be read: {(error.strerror or str(error)).lower()}"
    )
