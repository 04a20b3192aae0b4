"""The words of intel: types, levels, indicators and intel items."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec


class IndicatorType(StrEnum):
    """What an indicator is. The first eleven are Zeek's ``Intel::Type``; the last three are ours."""

    ADDR = "addr"
    SUBNET = "subnet"
    URL = "url"
    SOFTWARE = "software"
    EMAIL = "email"
    DOMAIN = "domain"
    USER_NAME = "user_name"
    CERT_HASH = "cert_hash"
    PUBKEY_HASH = "pubkey_hash"
    FILE_HASH = "file_hash"
    FILE_NAME = "file_name"
    JA3 = "ja3"
    JA4 = "ja4"
    HASSH = "hassh"

    @property
    def zeek_name(self) -> str:
        """The name of Zeek's enum value, e.g. ``Intel::CERT_HASH`` (base/frameworks/intel)."""
        return f"Intel::{self.name}"


LEVELS = ("low", "medium", "high", "critical")
"""Levels of an intel item, lowest first."""

LEVEL_RANK = {level: rank for rank, level in enumerate(LEVELS)}


class Indicator(NamedTuple):
    """A type and a canonical value: what is looked for."""

    type: IndicatorType
    value: str


class Item(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An indicator as told by one source. It doesn't hold the indicator, so a feed shares one object.

    ``expires`` is in seconds since the epoch; traffic from that moment on is not matched.
    ``confidence`` is 0 to 100 (STIX 2.1, section 3.2). ``subdomains`` has a meaning for domains only.
    """

    source: str
    desc: str = ""
    level: str = "low"
    confidence: int | None = None
    id: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()
    expires: float | None = None
    subdomains: bool = False

    def alive(self, at: float) -> bool:
        """Whether the item still holds at ``at`` (seconds since the epoch)."""
        return self.expires is None or at < self.expires


def highest_level(items: tuple[Item, ...]) -> str:
    """The highest level among items; ``low`` where there is none."""
    return LEVELS[max((LEVEL_RANK.get(item.level, 0) for item in items), default=0)]
