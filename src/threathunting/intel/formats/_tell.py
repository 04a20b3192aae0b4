"""From what a reader found to what it tells: a change, or a refusal with its reason."""

from __future__ import annotations

from typing import Any

from threathunting.intel import canonical, message
from threathunting.intel.formats._api import Context, Refusal, Told
from threathunting.intel.formats._lines import KEPT_TEXT
from threathunting.intel.message import Add, Change
from threathunting.intel.types import IndicatorType, Item

_KEPT_ITEMS = 4096


def refusal(context: Context, line: int, reason: str, text: str = "") -> Refusal:
    """A Refusal that keeps no more than the beginning of ``text``.

    Reasons quote the file and are shown in terminals, so control characters in them are written as escapes.
    """
    if not reason.isprintable():
        reason = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in reason)
    return Refusal(context.path, line, reason, text[:KEPT_TEXT])


class Teller:
    """Makes the changes of one file. The item of a ``meta`` that comes again is made once.

    ``meta`` is that of our message (``threathunting.intel.message``); it may lack the source.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._items: dict[tuple[Any, ...], Item] = {}

    def tell(
        self, line: int, type: IndicatorType, value: str, meta: dict[str, Any], *, remove: bool = False
    ) -> Told | Refusal:
        """The change that arms (or with ``remove`` disarms) a value, or why it is refused."""
        try:
            if "\ufffd" in value:
                raise ValueError("the value holds bytes that are not UTF-8")  # noqa: TRY301
            return Told(line, self._change(type, value, meta, "remove" if remove else "add"))
        except ValueError as error:
            return refusal(self._context, line, str(error), value)

    def refuse(self, line: int, reason: str, text: str = "") -> Refusal:
        """A Refusal of this file."""
        return refusal(self._context, line, reason, text)

    def _change(self, type: IndicatorType, value: str, meta: dict[str, Any], action: str) -> Change:
        context = self._context
        plain = action == "add" and "subdomains" not in meta
        key = tuple(meta.items()) if plain else ()
        if plain and (item := self._items.get(key)) is not None:
            try:
                return Add(canonical.indicator(type, value), item)
            except ValueError:
                pass  # told again below, with its whole sentence
        change = message.change(value, type.value, meta, context.told_at, action, context.source)
        if plain and isinstance(change, Add):
            if len(self._items) >= _KEPT_ITEMS:
                self._items.clear()
            self._items[key] = change.item
        return change
