"""STIX 2.1 and 2.0: indicator objects of a bundle, of a TAXII envelope, of a list, or one alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from threathunting.intel import message
from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._lines import document
from threathunting.intel.formats._stix_meaning import shapes
from threathunting.intel.formats._stix_pattern import alternatives
from threathunting.intel.formats._tell import Teller
from threathunting.intel.types import LEVEL_RANK

_HEAD = re.compile(rb'"type"\s*:\s*"(?:bundle|indicator)"|"pattern_type"\s*:\s*"|"spec_version"\s*:\s*"2\.')
_LEVEL_LABEL = re.compile(r"(?:severity|(?:threat[-_ ]?)?level|risk)[:=](low|medium|high|critical)", re.I)
_LEVEL_PROPERTIES = ("level", "severity", "x_level", "x_severity")

HIGH_CONFIDENCE, MEDIUM_CONFIDENCE = 85, 50
"""STIX has no level. Where no property or label tells one, confidence from these on makes high and medium."""


class _Objects(msgspec.Struct):
    objects: list[msgspec.Raw] | None = None


class _Head(msgspec.Struct):
    """The little of an object that tells whether it is needed. Its fields may have any type."""

    type: Any = None
    id: Any = None
    name: Any = None
    modified: Any = None
    revoked: Any = None


_heads = msgspec.json.Decoder(_Head)


def looks_like(name: str, head: bytes) -> bool:
    """Whether the head is JSON with a bundle or an indicator."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")) and _HEAD.search(head) is not None


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every indicator object; all have line 0. Revoked ones come first, as removals.

    Of several versions of an object the last modified counts. ``valid_until`` and the STOP of a pattern end
    an item; ``valid_from`` and START don't begin it, since a hunt in old logs looks at earlier traffic.
    """
    teller = Teller(context)
    data = document(stream, context)
    if isinstance(data, Refusal):
        yield data
        return
    try:
        raws = _raw_objects(data)
    except (ValueError, RecursionError) as error:
        yield teller.refuse(0, f"not a STIX bundle: {error}")
        return
    names: dict[str, str] = {}
    indicators: dict[str, tuple[float, bool, msgspec.Raw]] = {}
    for number, raw in enumerate(raws):
        try:
            head = _heads.decode(raw)
        except (ValueError, RecursionError) as error:
            yield teller.refuse(0, f"object {number + 1} is no STIX object: {error}")
            continue
        if head.type == "identity" and isinstance(head.id, str) and isinstance(head.name, str):
            names[head.id] = head.name
        elif head.type == "indicator":
            key = head.id if isinstance(head.id, str) else f"object {number + 1}"
            modified = _time(head.modified)
            if key not in indicators or modified >= indicators[key][0]:
                indicators[key] = (modified, head.revoked is True, raw)
    if not indicators:
        yield teller.refuse(0, "holds no indicator object")
    for revoked in (True, False):
        for _, is_revoked, raw in indicators.values():
            if is_revoked is revoked:
                yield from _told(raw, names, teller, remove=revoked)


def _raw_objects(data: bytes) -> list[msgspec.Raw]:
    if data.lstrip().startswith(b"["):
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    objects = msgspec.json.decode(data, type=_Objects).objects
    return [msgspec.Raw(data)] if objects is None else objects


def _time(value: object) -> float:
    try:
        return message.parse_time(value) if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0


def _told(
    raw: msgspec.Raw, names: dict[str, str], teller: Teller, *, remove: bool
) -> Iterator[Told | Refusal]:
    try:
        told = msgspec.json.decode(raw, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        yield teller.refuse(0, f"not a STIX object: {error}")
        return
    pattern = told.get("pattern")
    pattern_type = told.get("pattern_type", "stix")
    label = f"indicator {_text(told, 'id')}".strip()
    if pattern_type != "stix":
        yield teller.refuse(0, f"{label}: pattern_type {str(pattern_type)[:40]} is not hunted", str(pattern))
        return
    if not isinstance(pattern, str):
        yield teller.refuse(0, f"{label}: has no pattern")
        return
    try:
        found = alternatives(pattern)
    except ValueError as error:
        yield teller.refuse(0, f"{label}: {error}", pattern)
        return
    meta = _meta(told, names)
    for alternative in found:
        try:
            wanted = shapes(alternative)
        except ValueError as error:
            yield teller.refuse(0, f"{label}: {error}", pattern)
            continue
        for type, value, subdomains in wanted:
            full = dict(meta)
            if subdomains:
                full["subdomains"] = True
            if alternative.stop is not None:
                full["valid_until"] = _sooner(full.get("valid_until"), alternative.stop)
            yield teller.tell(0, type, value, full, remove=remove)


def _sooner(first: str | None, second: str) -> str:
    """The sooner of two times; one that is none stays, to be refused with its reason."""
    if first is None:
        return second
    try:
        return min(first, second, key=message.parse_time)
    except ValueError:
        return first


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    return value.strip() if isinstance(value, str) else ""


def _meta(told: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    tags = tuple(
        dict.fromkeys(
            tag
            for field in ("labels", "indicator_types")
            if isinstance(values := told.get(field), list)
            for tag in values
            if isinstance(tag, str)
        )
    )
    confidence = told.get("confidence")
    if isinstance(confidence, int) and not isinstance(confidence, bool) and 0 <= confidence <= 100:
        meta["confidence"] = confidence
    if source := names.get(_text(told, "created_by_ref")):
        meta["source"] = source
    name, description = _text(told, "name"), _text(told, "description")
    # Many producers name an indicator by its value or pattern, which says nothing.
    meta["desc"] = description if not name or name in _text(told, "pattern") else name
    meta["level"] = _level(told, tags, meta.get("confidence"))
    if identity := _text(told, "id"):
        meta["id"] = identity
    references = told.get("external_references")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and (url := _text(reference, "url")):
            meta["url"] = url
            break
    if tags:
        meta["tags"] = tags
    if until := _text(told, "valid_until"):
        meta["valid_until"] = until
    return meta


def _level(told: dict[str, Any], tags: tuple[str, ...], confidence: int | None) -> str:
    for field in _LEVEL_PROPERTIES:
        if (level := _text(told, field).lower()) in LEVEL_RANK:
            return level
    for tag in tags:
        if label := _LEVEL_LABEL.match(tag):
            return label[1].lower()
    if confidence is None or confidence < MEDIUM_CONFIDENCE:
        return "low"
    return "high" if confidence >= HIGH_CONFIDENCE else "medium"


FORMAT = Format("stix", looks_like, read)
