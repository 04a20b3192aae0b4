"""MISP: an event or several, the answer to a search for attributes, and a feed folder by its manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._lines import document
from threathunting.intel.formats._open import CompressedDataError, opened
from threathunting.intel.formats._tell import Teller
from threathunting.intel.formats._type_names import typed

_EVENT = re.compile(rb'"Event"\s*:\s*[{\[]|"response"\s*:\s*[{\[]|"Attribute"\s*:\s*\[')
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_MANIFEST = re.compile(rb'\s*\{\s*"' + _UUID.encode() + rb'"\s*:\s*\{')
_LEVELS = {"1": "high", "2": "medium", "3": "low", "4": "low"}
"""``threat_level_id``: high, medium, low, undefined."""

_FALSE = (False, 0, "0", "false", "False")
_TRUE = (True, 1, "1", "true", "True")


class _Attribute(NamedTuple):
    """An attribute with the event it stands in."""

    told: dict[str, Any]
    event: dict[str, Any]
    deleted: bool


def looks_like(name: str, head: bytes) -> bool:
    """Whether the head is JSON with an event, a search's response, or the manifest of a feed."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    return is_manifest(head) or (head.lstrip().startswith((b"{", b"[")) and _EVENT.search(head) is not None)


def is_manifest(head: bytes) -> bool:
    """Whether this is the ``manifest.json`` of a feed: events by UUID."""
    return _MANIFEST.match(head) is not None


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every attribute with ``to_ids``, in events and their objects; all have line 0.

    Deleted attributes come first, as removals. For a manifest, the file of every event beside it is read,
    oldest first.
    """
    data = document(stream, context)
    if isinstance(data, Refusal):
        yield data
    elif is_manifest(data):
        yield from _feed(data, context)
    else:
        yield from _document(data, context)


def _feed(data: bytes, context: Context) -> Iterator[Told | Refusal]:
    try:
        manifest = msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        yield Teller(context).refuse(0, f"not a MISP manifest: {error}")
        return
    for uuid in sorted(manifest, key=lambda uuid: (_timestamp(manifest[uuid]), uuid)):
        if not re.fullmatch(_UUID, uuid):
            yield Teller(context).refuse(0, "a name in the manifest is no UUID", uuid)
            continue
        path = Path(context.path).parent / f"{uuid}.json"
        inner = replace(context, path=str(path))
        try:
            with path.open("rb") as raw:
                data_or_refusal = document(opened(raw)[1], inner)
        except (OSError, CompressedDataError) as error:
            yield Teller(inner).refuse(0, f"the manifest names it, but it can't be read: {error}")
            continue
        if isinstance(data_or_refusal, Refusal):
            yield data_or_refusal
        else:
            yield from _document(data_or_refusal, inner)


def _timestamp(entry: object) -> int:
    value = entry.get("timestamp") if isinstance(entry, dict) else None
    return int(value) if isinstance(value, int | str) and re.fullmatch(r"\d{1,12}", str(value), re.A) else 0


def _document(data: bytes, context: Context) -> Iterator[Told | Refusal]:
    teller = Teller(context)
    try:
        attributes = list(_attributes(msgspec.json.decode(data), {}, deleted=False))
    except (ValueError, RecursionError) as error:
        yield teller.refuse(0, f"not a MISP event: {error}")
        return
    if not attributes:
        yield teller.refuse(0, "holds no attribute")
    for attribute in sorted(attributes, key=lambda attribute: not attribute.deleted):
        yield from _told(attribute, teller, context)


def _attributes(told: Any, event: dict[str, Any], *, deleted: bool) -> Iterator[_Attribute]:
    """The attributes of whatever was found: a response, an event, an object, or a list of these."""
    if isinstance(told, list):
        for entry in told:
            yield from _attributes(entry, event, deleted=deleted)
    elif isinstance(told, dict):
        for name in ("response", "Event"):
            inner = told.get(name)
            if isinstance(inner, dict | list):
                yield from _attributes(inner, {}, deleted=deleted)
        if "Attribute" in told or "Object" in told:
            event = event or told
            gone = deleted or told.get("deleted") in _TRUE
            for attribute in _dicts(told.get("Attribute")):
                own = attribute.get("Event")  # as the answer to a search for attributes has it
                in_event = own if isinstance(own, dict) else event
                yield _Attribute(attribute, in_event, gone or attribute.get("deleted") in _TRUE)
            for inner in _dicts(told.get("Object")):
                yield from _attributes(inner, event, deleted=gone)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _told(attribute: _Attribute, teller: Teller, context: Context) -> Iterator[Told | Refusal]:
    told = attribute.told
    type_name, value = told.get("type"), told.get("value")
    if not isinstance(type_name, str) or not isinstance(value, str):
        yield teller.refuse(0, "an attribute has no type or no value", str(value))
        return
    text = f"{type_name} {value}"
    if not attribute.deleted and told.get("to_ids") in _FALSE and not context.all_attributes:
        yield teller.refuse(0, "to_ids is false", text)
        return
    try:
        shapes = typed(type_name, value)
    except ValueError as error:
        if not attribute.deleted:
            yield teller.refuse(0, str(error), text)
        return
    meta = _meta(attribute)
    for type, found, subdomains in shapes:
        yield teller.tell(
            0, type, found, meta | {"subdomains": True} if subdomains else meta, remove=attribute.deleted
        )


def _meta(attribute: _Attribute) -> dict[str, Any]:
    told, event = attribute.told, attribute.event
    organisation = event.get("Orgc")
    meta: dict[str, Any] = {
        "source": (_text(organisation, "name") if isinstance(organisation, dict) else "") or "MISP",
        "desc": _text(event, "info") or _text(told, "comment"),
        "level": _LEVELS.get(str(event.get("threat_level_id")), "low"),
    }
    if uuid := _text(told, "uuid"):
        meta["id"] = uuid
    tags = dict.fromkeys(
        name for holder in (event, told) for tag in _dicts(holder.get("Tag")) if (name := _text(tag, "name"))
    )
    if tags:
        meta["tags"] = tuple(tags)
    return meta


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    return value.strip() if isinstance(value, str) else ""


FORMAT = Format("misp", looks_like, read)
