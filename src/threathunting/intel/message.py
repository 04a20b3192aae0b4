"""The intel message of topic ``intelligence``: bytes to a change of the store, and back."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from publicsuffixlist import PublicSuffixList

from threathunting.intel import canonical
from threathunting.intel.types import LEVEL_RANK, Indicator, IndicatorType, Item

DEFAULT_SOURCE = "unknown"

_FIRST_TIME, _LAST_TIME = -62135596800.0, 253402300799.0
"""The years 1 to 9999 in seconds since 1970, all that RFC 3339 can write. A later ``expire`` means never."""


class Add(NamedTuple):
    """Arm this item."""

    indicator: Indicator
    item: Item


class Remove(NamedTuple):
    """Disarm one source's item of this indicator."""

    indicator: Indicator
    source: str


Change = Add | Remove


class _Message(msgspec.Struct):
    ioc: str
    type: str
    meta: dict[str, Any] | None = None
    action: str = "add"


_decoder = msgspec.json.Decoder(_Message)
_TYPES = {type.value: type for type in IndicatorType}
_suffixes: PublicSuffixList | None = None


def indicator_type(name: str) -> IndicatorType:
    """The type of that name, ours (``addr``) or Zeek's (``Intel::ADDR``); ValueError where there is none."""
    found = _TYPES.get(name.strip().lower().removeprefix("intel::"))
    if found is None:
        raise ValueError(f"unknown type '{name[:40]}' (known: {', '.join(_TYPES)})")
    return found


def decode(data: bytes, told_at: float, default_source: str = DEFAULT_SOURCE) -> Change:
    """The change that a message asks for; ValueError with the reason where it is refused.

    ``told_at`` is the message's own timestamp (seconds since the epoch): ``expire`` counts from it,
    so that a replay never revives what has expired.
    """
    try:
        message = _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ValueError(f"not an intel message: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    return change(message.ioc, message.type, message.meta or {}, told_at, message.action, default_source)


def change(
    ioc: str,
    type_name: str,
    meta: dict[str, Any],
    told_at: float,
    action: str = "add",
    default_source: str = DEFAULT_SOURCE,
) -> Change:
    """The change for an indicator and its ``meta``, as every reader makes it; ValueError with the reason."""
    type = indicator_type(type_name)
    subdomains = type is IndicatorType.DOMAIN and _flag(meta, "subdomains")
    if subdomains:
        ioc = ioc.strip().removeprefix("*.").removeprefix(".")
    try:
        indicator = canonical.indicator(type, ioc)
    except ValueError as error:
        raise ValueError(f"{type.value} '{ioc[:80]}' {error}") from None
    if subdomains and _is_public_suffix(indicator.value):
        raise ValueError(f"domain '{indicator.value}' is a public suffix; with subdomains it is too wide")
    source = _text(meta, "source") or default_source
    if action == "remove":
        return Remove(indicator, source)
    if action != "add":
        raise ValueError(f"unknown action '{action[:40]}' (known: add, remove)")
    return Add(indicator, item(meta, told_at, source, subdomains))


def item(meta: dict[str, Any], told_at: float, source: str, subdomains: bool = False) -> Item:
    """The intel item that ``meta`` describes; ValueError with the reason."""
    level = sys.intern(_text(meta, "level").lower())
    tags = meta.get("tags") or ()
    if isinstance(tags, str):
        tags = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    if tags and (not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags)):
        raise ValueError("meta.tags is not a list of strings")
    # Where items differ by their id only, the rest of their text is still shared.
    return Item(
        source=sys.intern(source),
        desc=sys.intern(_text(meta, "desc")),
        level=level if level in LEVEL_RANK else "low",
        confidence=_confidence(meta),
        id=_text(meta, "id") or None,
        url=_text(meta, "url") or None,
        tags=tuple(map(sys.intern, tags)),
        expires=_expires(meta, told_at),
        subdomains=subdomains,
    )


def encode(indicator: Indicator, item: Item, action: str = "add") -> bytes:
    """The message that arms (or with ``action="remove"`` disarms) this item."""
    meta: dict[str, Any] = {"source": item.source}
    if item.desc:
        meta["desc"] = item.desc
    meta["level"] = item.level
    for name in ("confidence", "id", "url"):
        if (value := getattr(item, name)) is not None:
            meta[name] = value
    if item.tags:
        meta["tags"] = item.tags
    if item.expires is not None:
        meta["valid_until"] = timestamp(item.expires)
    if item.subdomains:
        meta["subdomains"] = True
    message: dict[str, Any] = {"ioc": indicator.value, "type": indicator.type.value, "meta": meta}
    if action != "add":
        message["action"] = action
    return msgspec.json.encode(message)


def key(indicator: Indicator, source: str) -> bytes:
    """The Kafka key of an item: ``type|canonical|source``."""
    return f"{indicator.type.value}|{indicator.value}|{source}".encode("utf-8", "surrogatepass")


def timestamp(at: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, to the microsecond where there are any."""
    try:
        text = datetime.fromtimestamp(at, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{at} is not a time") from None
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """RFC 3339 (or a date, or seconds since the epoch) to seconds since the epoch; ValueError otherwise.

    A time without a zone is UTC.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not _FIRST_TIME <= seconds <= _LAST_TIME:
            raise ValueError(f"'{text[:40]}' is not a time in seconds since 1970")
        return seconds
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not an RFC 3339 time") from None
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not _FIRST_TIME <= seconds <= _LAST_TIME:
        raise ValueError(f"'{text[:40]}' is not between the years 1 and 9999 in UTC")
    return seconds


def _is_public_suffix(name: str) -> bool:
    global _suffixes
    if _suffixes is None:
        _suffixes = PublicSuffixList(accept_unknown=False)
    return "." not in name or bool(_suffixes.is_public(name))


def _text(meta: dict[str, Any], name: str) -> str:
    value = meta.get(name)
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise ValueError(f"meta.{name} is not a string")  # noqa: TRY004
    return str(value).strip()


def _flag(meta: dict[str, Any], name: str) -> bool:
    value = meta.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else None
    if word in ("true", "t", "yes", "1", "false", "f", "no", "0", ""):
        return word in ("true", "t", "yes", "1")
    raise ValueError(f"meta.{name} is not true or false")


def _number(meta: dict[str, Any], name: str) -> float | None:
    value = meta.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"meta.{name} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"meta.{name} is not a finite number")
    return number


def _confidence(meta: dict[str, Any]) -> int | None:
    number = _number(meta, "confidence")
    if number is None:
        return None
    if not 0 <= number <= 100:
        raise ValueError("meta.confidence is not between 0 and 100")
    return int(number)


def _expires(meta: dict[str, Any], told_at: float) -> float | None:
    seconds = _number(meta, "expire")
    if seconds is not None and seconds <= 0:
        raise ValueError("meta.expire is not more than 0 seconds")
    ends = [told_at + seconds] if seconds is not None and told_at + seconds <= _LAST_TIME else []
    until = meta.get("valid_until")
    if until is not None and until != "":
        if not isinstance(until, str):
            raise ValueError("meta.valid_until is not an RFC 3339 time")
        ends.append(parse_time(until))
    return min(ends) if ends else None
