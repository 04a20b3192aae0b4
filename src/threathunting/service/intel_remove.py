"""Telling the intel topic what to disarm, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from threathunting.intel import message
from threathunting.intel.formats import Refusal
from threathunting.intel.load import load
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, Item
from threathunting.kafka.intel_producer import NOTHING_SENT, Delivery
from threathunting.service.intel_push import VALUE, Producing, Request, change_of, unreadable
from threathunting.service.intel_topic import Cluster, listing

_EVERY = 5_000


@dataclass
class Removed:
    """What came of it. ``items``: those that were armed and are removed; ``not_armed`` needed no removal."""

    delivery: Delivery = NOTHING_SENT
    items: int = 0
    not_armed: list[Indicator] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def remove(
    where: Cluster,
    request: Request,
    *,
    all_sources: bool = False,
    blindly: bool = False,
    note: Callable[[str], None] = lambda text: None,
    reading: Callable[[int, int | None], None] = lambda read, left: None,
    sending: Callable[[Delivery], None] = lambda delivery: None,
) -> Removed:
    """Remove what the request names: of ``request.told.source``, else of the source that a file tells, or of all.

    A null value under an item's key removes it, in every reader and in the topic once it is compacted. An item that
    was told under another key needs one under that as well, or a compacted topic would bring it back; therefore the
    topic is read first. ``blindly`` does without, for producers that are known to use our keys or none.

    Raises ValueError for bad usage and unreadable files, ConnectionError where no broker or topic is found, and
    InterruptedError.
    """
    source = request.told.source
    named, refusals = _named(request)
    if not all_sources and any(not (source or told) for _, told in named):
        raise ValueError("whose item is to be removed? give --source NAME or --all-sources")
    if blindly and all_sources:
        raise ValueError("--all-sources needs to read the topic, so that --blindly can't be given with it")
    if not named:
        return Removed(refusals=refusals)
    if blindly:
        wanted = {(indicator, source or told): None for indicator, told in named}
        keys = [message.key(indicator, told) for indicator, told in wanted]
        return Removed(_send(where, keys, note, sending), len(wanted), [], refusals)
    found = listing(where, everything=True, progress=reading)
    items: dict[tuple[Indicator, str], None] = {}
    not_armed: dict[Indicator, None] = {}
    for indicator, told in named:
        armed = _sources(found.store, indicator)
        hit = armed if all_sources else [one for one in armed if one == (source or told)]
        items |= dict.fromkeys((indicator, one) for one in hit)
        if not hit:
            not_armed[indicator] = None
    keys = [message.key(indicator, one) for indicator, one in items]
    keys += [key for key, item in found.replay.keys_of_others().items() if item in items]
    delivery = _send(where, keys, note, sending) if keys else NOTHING_SENT
    return Removed(delivery, len(items), list(not_armed), refusals)


def _named(request: Request) -> tuple[list[tuple[Indicator, str]], list[Refusal]]:
    """The indicators of a request, each with the source that a file tells; '' for values."""
    found: list[tuple[Indicator, str]] = []
    refusals: list[Refusal] = []
    for value in request.values:
        try:
            found.append((change_of(value, request, 0.0).indicator, ""))
        except ValueError as error:
            refusals.append(Refusal(VALUE, 0, str(error), value))
    if request.files:
        store = Store()
        try:
            # What has expired in the file is named all the same.
            read = load(request.files, store, format=request.format, all_attributes=request.all_attributes)
        except OSError as error:
            raise unreadable(error, request.files) from None
        found += [(indicator, item.source) for indicator, item in store.items()]
        refusals += read.refusals
    return found, refusals


def _sources(store: Store, indicator: Indicator) -> list[str]:
    entry = store.values(indicator.type).get(indicator.value, ())
    return [item.source for item in ((entry,) if isinstance(entry, Item) else entry)]


def _send(
    where: Cluster, keys: Iterable[bytes], note: Callable[[str], None], progress: Callable[[Delivery], None]
) -> Delivery:
    with Producing(where, note) as producer:
        for number, key in enumerate(keys, 1):
            producer.send(key, None)
            if not number % _EVERY:
                progress(producer.delivery())
        return producer.finish(lambda: progress(producer.delivery()))
