"""Our own messages (topic ``intelligence``): one JSON object a line, or one JSON array of them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from threathunting.intel import canonical, message
from threathunting.intel.formats._api import Context, Format, Refusal, Told
from threathunting.intel.formats._lines import document, lines
from threathunting.intel.formats._open import Joined
from threathunting.intel.formats._tell import refusal
from threathunting.intel.message import Add, Change
from threathunting.intel.types import IndicatorType, Item

_KEPT_ITEMS = 4096
_TYPES = {type.value: type for type in IndicatorType}
_AHEAD = 1 << 12
_BLANK = b"\xef\xbb\xbf \t\r\n"
_IOC = re.compile(rb'[{,]\s*"ioc"\s*:')
_NO_META = msgspec.Raw(b"null")


class _Unread(msgspec.Struct, gc=False):
    """A message whose meta stays as it came, since most messages of a feed bear the same."""

    ioc: str
    type: str
    meta: msgspec.Raw = _NO_META
    action: str = "add"


_unread = msgspec.json.Decoder(_Unread)
_meta = msgspec.json.Decoder(dict[str, Any] | None)
_array = msgspec.json.Decoder(list[msgspec.Raw])


def looks_like(name: str, head: bytes) -> bool:
    """Whether the head has a JSON object or array with an ``ioc``."""
    return head.lstrip(_BLANK).startswith((b"{", b"[")) and _IOC.search(head) is not None


class _Decoder:
    """``message.decode`` for one file, three times as fast where the same meta comes again."""

    def __init__(self, context: Context) -> None:
        self._told_at = context.told_at
        self._source = context.source
        self._items: dict[bytes, Item] = {}

    def decode(self, data: bytes) -> Change:
        """The same change, or ValueError with the same reason, as ``message.decode``."""
        try:
            told = _unread.decode(data)
            meta = bytes(told.meta)
            item = self._items.get(meta)
            if item is not None and told.action == "add":
                return Add(canonical.indicator(_TYPES[told.type], told.ioc), item)
            fields = _meta.decode(meta) or {}
            change = message.change(told.ioc, told.type, fields, self._told_at, told.action, self._source)
        except (ValueError, KeyError, RecursionError):
            return message.decode(data, self._told_at, self._source)  # which has the whole sentence
        # An item with subdomains is for domains only, so it isn't kept. A backslash could hide the word.
        if isinstance(change, Add) and b"subdomains" not in meta and b"\\" not in meta:
            if len(self._items) >= _KEPT_ITEMS:
                self._items.clear()
            self._items[meta] = change.item
        return change


def read(stream: BinaryIO, context: Context) -> Iterator[Told | Refusal]:
    """Every message of the file. Those of an array, or one written over several lines, have line 0."""
    decode = _Decoder(context).decode
    ahead = stream.read(_AHEAD)
    stream = io.BufferedReader(Joined(ahead, stream))
    begin = ahead.lstrip(_BLANK)
    if begin.startswith(b"[") or begin.split(b"\n", 1)[0].strip() == b"{":
        yield from _read_document(stream, context, decode)
        return
    for line in lines(stream, context):
        if isinstance(line, Refusal):
            yield line
            continue
        number, data = line
        try:
            yield Told(number, decode(data))
        except ValueError as error:
            if data.strip():
                yield refusal(context, number, str(error), data.decode("utf-8", "replace"))


def _read_document(
    stream: BinaryIO, context: Context, decode: Callable[[bytes], Change]
) -> Iterator[Told | Refusal]:
    data = document(stream, context)
    if isinstance(data, Refusal):
        yield data
        return
    try:
        messages = _array.decode(data) if data.lstrip().startswith(b"[") else [msgspec.Raw(data)]
    except (ValueError, RecursionError) as error:
        yield refusal(context, 0, f"not a JSON array of messages: {error}")
        return
    for number, raw in enumerate(messages, 1):
        try:
            yield Told(0, decode(bytes(raw)))
        except ValueError as error:
            yield refusal(context, 0, f"message {number}: {error}", bytes(raw).decode("utf-8", "replace"))


FORMAT = Format("messages", looks_like, read)
