"""Which conversations and files are flagged, by whom, and who knows of it: what instances tell each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from threathunting.hunt.conversations import MAX_CONVERSATIONS, MAX_REASONS, Reason

NOT_YET = 1 << 62
"""As the place of a flag that nobody else has been told of."""


class Kind(StrEnum):
    """What a flag says of its key."""

    CONVERSATION = "conversation"
    """A conversation (uid) had a sighting: all of it is captured."""
    FILE = "file"
    """A file or certificate was sighted in a record without uid: the conversations that name it are flagged."""
    BELONGS = "belongs"
    """A file of a captured conversation: its record without uid (x509, pe, ocsp) is captured, once."""
    SPENT = "spent"
    """The record of such a file has been captured."""


class Raised(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A flag as it is told to other instances and kept over a restart.

    ``origin`` is the stream whose record raised it (``topic/partition``, or ``files``), ``at`` that stream's
    time in seconds since the epoch.
    """

    kind: Kind
    key: str
    origin: str
    at: float
    reasons: tuple[Reason, ...] = ()

    def encode(self) -> bytes:
        """As JSON."""
        return _encoder.encode(self)

    @staticmethod
    def decode(data: bytes) -> Raised:
        """From JSON; ValueError where it is none of ours."""
        try:
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"not a flag: {error}") from None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Raised)


class Flag:
    """A key's reasons, who raised it, and its place in the order in which all are told (an offset)."""

    __slots__ = ("at", "origins", "place", "reasons", "told")

    def __init__(self, reasons: tuple[Reason, ...], at: float) -> None:
        self.reasons = reasons
        self.at = at
        self.told = at
        self.place = NOT_YET
        self.origins: frozenset[str] = frozenset()

    def known(self, origin: str, upto: int) -> bool:
        """Whether a stream that has been told of everything before place ``upto`` acts on this flag."""
        return self.place < upto or origin in self.origins


class FlagTable:
    """All flags by kind and key, bounded; the one that was needed least recently goes first.

    ``idle`` is in seconds of the streams' own time: a flag that no record needed for so long is forgotten.
    """

    def __init__(self, limit: int = MAX_CONVERSATIONS, idle: float = 86_400.0) -> None:
        self.limit = limit
        self.idle = idle
        self.dropped_keys = 0
        """Flags that went before their time, to make room."""
        self.dropped_reasons = 0
        self._flags: dict[Kind, dict[str, Flag]] = {kind: {} for kind in Kind}
        self._interned: dict[tuple[Reason, ...], tuple[Reason, ...]] = {}

    def __len__(self) -> int:
        """Number of flagged conversations."""
        return len(self._flags[Kind.CONVERSATION])

    def of(self, kind: Kind) -> dict[str, Flag]:
        """The flags of a kind by key. Read only."""
        return self._flags[kind]

    def all(self) -> Iterator[tuple[Kind, str, Flag]]:
        """Every flag."""
        for kind, flags in self._flags.items():
            for key, flag in flags.items():
                yield kind, key, flag

    def tell(self, raised: Raised, place: int = NOT_YET) -> Flag:
        """Take in a flag, new or told again; ``place`` where it stands among those told to all."""
        flags = self._flags[raised.kind]
        flag = flags.pop(raised.key, None)
        if flag is None:
            if len(flags) >= self.limit:
                del flags[next(iter(flags))]
                self.dropped_keys += 1
            flag = Flag(self._intern(raised.reasons), raised.at)
        else:
            self._merge(flag, raised.reasons)
            flag.at = max(flag.at, raised.at)
        flag.told = max(flag.told, raised.at)
        flags[raised.key] = flag
        flag.place = min(flag.place, place)
        if raised.origin not in flag.origins:
            flag.origins |= {raised.origin}
        return flag

    def touch(self, kind: Kind, key: str, at: float) -> bool:
        """A record needed this flag at ``at``: it stays longer. Whether that is long enough to tell others again."""
        flags = self._flags[kind]
        flag = flags.get(key)
        # Not for every record: what is needed again within a hundredth of the time is young enough.
        if flag is None or at - flag.at <= self.idle / 100:
            return False
        flag.at = at
        flags[key] = flags.pop(key)
        return at - flag.told > self.idle / 4

    def expire(self, now: float) -> list[tuple[Kind, str]]:
        """Forget what has been idle too long at ``now`` of the streams' time, and return it."""
        gone = []
        for kind, flags in self._flags.items():
            while flags:
                key = next(iter(flags))
                if flags[key].at >= now - self.idle:
                    break
                del flags[key]
                gone.append((kind, key))
        return gone

    def _merge(self, flag: Flag, reasons: Iterable[Reason]) -> None:
        new = [reason for reason in reasons if reason not in flag.reasons]
        if new:
            room = MAX_REASONS - len(flag.reasons)
            self.dropped_reasons += max(len(new) - room, 0)
            flag.reasons = self._intern(flag.reasons + tuple(new[:room]))

    def _intern(self, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        if len(self._interned) > self.limit:
            self._interned.clear()
        return self._interned.setdefault(reasons, reasons)
