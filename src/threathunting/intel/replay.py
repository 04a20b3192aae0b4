"""From the messages of topic ``intelligence`` to what is armed: the one meaning that a topic has.

However often and in however many partitions it is read, the same items come out: what a source said last of an
indicator counts, an expired item is never revived, and a removed one stays removed.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from threathunting.intel import message
from threathunting.intel.allowlist import AllowList
from threathunting.intel.decoder import Decoder
from threathunting.intel.message import DEFAULT_SOURCE, Add
from threathunting.intel.types import Indicator, IndicatorType, Item

RECENT_SECONDS = 600.0
"""How long a change is remembered, so that an older one that comes later by another partition can't undo it."""

RECENT_LIMIT = 200_000
"""Changes that are remembered at most."""

KEYS_LIMIT = 1_000_000
"""Keys of other producers that are remembered at most, at about 300 bytes each."""

_MAX_BARS = 64
"""A key with more ``|`` than that is none of ours."""

_TYPES = {type.value: type for type in IndicatorType}


class TopicMessage(NamedTuple):
    """A message of the topic, sorted by when it counts.

    ``order`` is the partition's time so far: the latest ``at`` up to this message, in seconds since the epoch, so
    that the order of a partition stands over its timestamps. ``at`` is the message's own timestamp, from which
    ``expire`` counts. A ``value`` of None removes what was told under ``key``.
    """

    order: float
    partition: int
    offset: int
    topic: str
    at: float
    key: bytes | None
    value: bytes | None


class Outcome(StrEnum):
    """What became of a message that was understood."""

    ARMED = "armed"
    """The sink has a new item, or another one of that source."""
    REMOVED = "removed"
    """The sink has an item less."""
    UNCHANGED = "unchanged"
    """What it asks for is so already."""
    EXPIRED = "expired"
    """Its item had expired when it was read. It still ends an earlier item of its source."""
    OUTDATED = "outdated"
    """A newer message about the same item was applied before it."""


class Refused(NamedTuple):
    """A message that was not understood or may not be armed; ``reason`` is one sentence without its end."""

    reason: str


class Sink(Protocol):
    """Where items are armed; ``Store`` is one."""

    def add(self, indicator: Indicator, item: Item) -> bool:
        """Arm an item in place of the same source's; False where it stood there.

        Raises OverflowError or ValueError, with the reason, where it may not be armed.
        """

    def remove(self, indicator: Indicator, source: str) -> bool:
        """Disarm one source's item; False where there was none. Raises OSError where it can't be done."""


class Replay:
    """Applies messages to a sink, one after the other.

    In a first reading they must come sorted (``TopicMessage`` sorts by itself). Afterwards they may come as
    they arrive, each partition in its order: for ten minutes an older message of another partition undoes nothing.

    ``allow`` (an allow-list or None) and ``default_expire`` (seconds from the message's timestamp for items
    without an end, or None) may be set anew at any time, for messages from then on.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        allow: AllowList | None = None,
        default_source: str = DEFAULT_SOURCE,
        default_expire: float | None = None,
        recent_limit: int = RECENT_LIMIT,
        keys_limit: int = KEYS_LIMIT,
    ) -> None:
        """The limits bound what is remembered of changes and of other producers' keys."""
        self.allow = allow
        self.default_expire = default_expire
        self.counts: Counter[str] = Counter()
        """Messages by outcome; ``refused`` too. ``forgotten_keys`` and ``forgotten_changes``: what a limit dropped."""
        self._sink = sink
        self._decode = Decoder(default_source).decode
        self._recent: dict[tuple[Indicator, str], tuple[float, int, int]] = {}
        self._older: dict[tuple[Indicator, str], tuple[float, int, int]] = {}
        """The order, partition and offset of the newest change of an item: of this while, and of the one before."""
        self._turned = 0.0
        """When the while began."""
        self._recent_limit = max(recent_limit // 2, 1)
        self._keys: OrderedDict[bytes, tuple[Indicator, str]] = OrderedDict()
        """The item last told under a key that isn't the key of that item in our form."""
        self._keys_limit = keys_limit
        self._ended: tuple[Item, float, Item] | None = None

    def apply(self, told: TopicMessage, now: float) -> Outcome | Refused:
        """Make of one message what it asks for. ``now``: seconds since the epoch."""
        try:
            outcome = self._removal(told, now) if told.value is None else self._change(told, told.value, now)
        except OSError as error:
            outcome = Refused(str(error))
        self.counts["refused" if isinstance(outcome, Refused) else outcome.value] += 1
        return outcome

    def keys_of_others(self) -> Mapping[bytes, tuple[Indicator, str]]:
        """The keys not in our form, each with the indicator and source of the item last told under it. Read only.

        A compacted topic forgets such an item only after a null value under that very key.
        """
        return self._keys

    def _change(self, told: TopicMessage, value: bytes, now: float) -> Outcome | Refused:
        try:
            change = self._decode(value, told.at)
        except ValueError as error:
            return Refused(str(error))
        indicator = change.indicator
        if not isinstance(change, Add):
            if self._is_outdated(told, indicator, change.source, now):
                return Outcome.OUTDATED
            return Outcome.REMOVED if self._sink.remove(indicator, change.source) else Outcome.UNCHANGED
        item = change.item
        if item.expires is None and self.default_expire is not None:
            item = self._with_end(item, told.at + self.default_expire)
        if self.allow is not None and (reason := self.allow.refuses(indicator, item.subdomains)) is not None:
            return Refused(f"{indicator.type.value} {reason}")
        if told.key is not None:
            self._remember_key(told.key, indicator, item.source)
        if self._is_outdated(told, indicator, item.source, now):
            return Outcome.OUTDATED
        if item.expires is not None and item.expires <= now:
            self._sink.remove(indicator, item.source)
            return Outcome.EXPIRED
        try:
            return Outcome.ARMED if self._sink.add(indicator, item) else Outcome.UNCHANGED
        except (OverflowError, ValueError) as error:
            return Refused(str(error))

    def _removal(self, told: TopicMessage, now: float) -> Outcome | Refused:
        if told.key is None:
            return Refused("a null value without a key removes nothing")
        targets = items_of_key(told.key)
        if (other := self._keys.pop(told.key, None)) is not None:
            targets.append(other)
        if not targets:
            return Outcome.UNCHANGED
        newest = [target for target in targets if not self._is_outdated(told, *target, now)]
        removed = [self._sink.remove(indicator, source) for indicator, source in newest]
        if any(removed):
            return Outcome.REMOVED
        return Outcome.UNCHANGED if newest else Outcome.OUTDATED

    def _is_outdated(self, told: TopicMessage, indicator: Indicator, source: str, now: float) -> bool:
        """Whether a newer change of the item was applied; if not, this one is remembered."""
        item = (indicator, source)
        last = self._recent.get(item)
        if last is None and self._older:
            last = self._older.get(item)
        if last is not None and last > told[:3]:
            return True
        if told.order >= now - RECENT_SECONDS:
            if now >= self._turned + RECENT_SECONDS or len(self._recent) >= self._recent_limit:
                self._turn(now)
            self._recent[item] = told[:3]
        return False

    def _turn(self, now: float) -> None:
        if now < self._turned + RECENT_SECONDS:
            self.counts["forgotten_changes"] += len(self._older)
        self._older, self._recent, self._turned = self._recent, {}, now

    def _remember_key(self, key: bytes, indicator: Indicator, source: str) -> None:
        if key == message.key(indicator, source):
            return
        known = self._keys
        known.pop(key, None)
        if len(known) >= self._keys_limit:
            known.popitem(last=False)
            self.counts["forgotten_keys"] += 1
        known[key] = (indicator, source)

    def _with_end(self, item: Item, end: float) -> Item:
        """The item with an end; equal ones one after the other are one object, as they share their memory."""
        if self._ended is None or self._ended[0] is not item or self._ended[1] != end:
            self._ended = item, end, msgspec.structs.replace(item, expires=end)
        return self._ended[2]


def items_of_key(key: bytes) -> list[tuple[Indicator, str]]:
    """The indicators and sources that have this key in our form, ``type|canonical|source``.

    It is one, but for values and sources that hold ``|`` themselves; none, where the key is somebody else's.
    """
    try:
        name, bar, rest = key.decode("utf-8", "surrogatepass").partition("|")
    except UnicodeDecodeError:
        return []
    type = _TYPES.get(name)
    if not bar or type is None or rest.count("|") > _MAX_BARS:
        return []
    parts = rest.split("|")
    return [
        (Indicator(type, "|".join(parts[:cut])), "|".join(parts[cut:]))
        for cut in range(1, len(parts))
        if "|".join(parts[cut:])
    ]
