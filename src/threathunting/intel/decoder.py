"""Decoding many intel messages: what ``message.decode`` says, several times as fast where a ``meta`` comes again."""

from __future__ import annotations

from typing import Any

import msgspec

from threathunting.intel import canonical, message
from threathunting.intel.message import _LAST_TIME, DEFAULT_SOURCE, Add, Change
from threathunting.intel.types import IndicatorType, Item

_KEPT = 4096
"""Different metas that are remembered; feeds have a few, or as many as items."""

_TYPES = {type.value: type for type in IndicatorType}
_NO_META = msgspec.Raw(b"null")


class _Unread(msgspec.Struct, gc=False):
    """A message whose meta stays as it came."""

    ioc: str
    type: str
    meta: msgspec.Raw = _NO_META
    action: str = "add"


_unread = msgspec.json.Decoder(_Unread)
_meta = msgspec.json.Decoder(dict[str, Any] | None)


class Decoder:
    """Remembers the items of the metas that it has seen, each with the seconds that it holds, if it has any."""

    def __init__(self, default_source: str = DEFAULT_SOURCE) -> None:
        """``default_source`` is the source of items that name none."""
        self._default_source = default_source
        self._known: dict[bytes, tuple[Item, float | None]] = {}
        self._last: tuple[Item, float, Item] | None = None
        """The last item with a relative end: without that end, the end, and with it."""

    def decode(self, data: bytes, told_at: float) -> Change:
        """The same change, or ValueError with the same reason, as ``message.decode``."""
        try:
            told = _unread.decode(data)
            meta = bytes(told.meta)
            known = self._known.get(meta)
            if known is not None and told.action == "add":
                indicator = canonical.indicator(_TYPES[told.type], told.ioc)
                item, seconds = known
                return Add(indicator, item if seconds is None else self._until(item, told_at + seconds))
            fields = _meta.decode(meta) or {}
            change = message.change(told.ioc, told.type, fields, told_at, told.action, self._default_source)
        except (ValueError, KeyError, RecursionError):
            return message.decode(data, told_at, self._default_source)  # which has the whole sentence
        # An item with subdomains is for domains only, so it isn't kept. A backslash could hide the word.
        if isinstance(change, Add) and b"subdomains" not in meta and b"\\" not in meta:
            self._keep(meta, fields, change.item)
        return change

    def _keep(self, meta: bytes, fields: dict[str, Any], item: Item) -> None:
        seconds: float | None = None
        if fields.get("expire") not in (None, ""):
            seconds = float(fields["expire"])
            item = message.item(fields | {"expire": None}, 0.0, item.source)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[meta] = item, seconds

    def _until(self, item: Item, end: float) -> Item:
        if end > _LAST_TIME or (item.expires is not None and item.expires <= end):
            return item
        if self._last is not None and self._last[0] is item and self._last[1] == end:
            return self._last[2]
        found = msgspec.structs.replace(item, expires=end)
        self._last = item, end, found
        return found
