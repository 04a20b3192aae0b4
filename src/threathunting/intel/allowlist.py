"""What must never be armed, whatever a feed says."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

import radix

from threathunting.intel import canonical
from threathunting.intel.formats._shape import shape
from threathunting.intel.types import Indicator, IndicatorType

_TYPES = {type.value: type for type in IndicatorType}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^/?#:]+)(?::\d+)?/?")


class AllowList:
    """Values that are refused as intel, with their reason.

    - A domain allows itself and its subdomains.
    - An address or subnet allows what it holds; a subnet that holds anything allowed is refused, too.
    - A URL is refused where its host is allowed and it has no path. (A bad page on a good host is worth one.)
    - An e-mail address is allowed alone, or by ``@example.com`` all of a domain. (A domain doesn't allow its
      e-mail addresses, since a bad sender at a good provider is worth one.)
    - Anything else is allowed as it stands, of any type, or of one type: ``software:curl/8.5.0``.
    """

    def __init__(self) -> None:
        self._domains: dict[str, None] = {}
        self._parents: dict[str, str] = {}
        """The domains above an allowed one, with that one."""
        self._networks = radix.Radix()  # type: ignore[no-untyped-call]
        self._mail_domains: set[str] = set()
        self._values: set[str] = set()
        self._typed: set[Indicator] = set()

    def read(self, path: Path) -> None:
        """Take a file: one value a line, ``#`` begins a comment. ValueError names the line that is none."""
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            self.take(file, str(path))

    def take(self, lines: Iterable[str], name: str) -> None:
        """Take lines, as ``read`` does; ``name`` is what the ValueError calls them."""
        for number, line in enumerate(lines, 1):
            text = re.sub(r"(?:^|\s)#.*", "", line).strip()
            if text:
                try:
                    self.add(text)
                except ValueError as error:
                    raise ValueError(f"{name}:{number}: '{text[:80]}' {error}") from None

    def add(self, text: str, type: IndicatorType | None = None) -> None:
        """Take one value, with its type before it or not; ValueError with the reason where it is none."""
        prefix, colon, rest = text.partition(":")
        if type is None and colon and (named := _TYPES.get(prefix.strip().lower())):
            type, text = named, rest.strip()
        if type is not None:
            self._add(type, text, only=True)
        elif text.startswith("@"):
            self._mail_domains.add(canonical.domain(text[1:]))
        else:
            try:
                found = shape(text)
            except ValueError:
                self._values.add(canonical.plain(text))
            else:
                self._add(found.type, found.value, only=False)

    def add_exact(self, text: str) -> None:
        """Take one value without what lies below it: a domain without its subdomains."""
        self._values.add(canonical.plain(text))

    def _add(self, type: IndicatorType, text: str, *, only: bool) -> None:
        if type in (IndicatorType.ADDR, IndicatorType.SUBNET):
            value = _network(text)
            self._networks.add(value).data["value"] = value
            return
        if type is IndicatorType.DOMAIN:
            text = text.removeprefix("*").removeprefix(".")
        value = canonical.indicator(type, text).value
        if type is IndicatorType.DOMAIN:
            self._domains[value] = None
            for parent in _parents(value):
                self._parents.setdefault(parent, value)
        elif only:
            self._typed.add(Indicator(type, value))
        if not only:
            # Without a type it is allowed as any: a hash may be a file's or a certificate's.
            self._values.add(value)

    def refuses(self, indicator: Indicator, subdomains: bool = False) -> str | None:
        """Why this may not be armed (``on the allow-list (example.com)``), or None where it may.

        ``subdomains``: a domain is meant with its subdomains, so that it may not have an allowed one.
        """
        entry = self._entry(indicator, subdomains)
        return None if entry is None else f"on the allow-list ({entry})"

    def _entry(self, indicator: Indicator, subdomains: bool) -> str | None:
        type, value = indicator
        if value in self._values or indicator in self._typed:
            return value
        if type is IndicatorType.DOMAIN:
            return self._domain(value) or (self._parents.get(value) if subdomains else None)
        if type is IndicatorType.ADDR:
            return self._network(value)
        if type is IndicatorType.SUBNET:
            inside = self._networks.search_covered(value)
            return self._network(value) or (inside[0].data["value"] if inside else None)
        if type is IndicatorType.EMAIL:
            domain = value.rpartition("@")[2]
            return f"@{domain}" if domain in self._mail_domains else None
        if type is IndicatorType.URL and (host := _HOST.fullmatch(value)):
            return self._domain(host[1]) or self._network_of_host(host[1])
        return None

    def _domain(self, value: str) -> str | None:
        return next((name for name in (value, *_parents(value)) if name in self._domains), None)

    def _network(self, value: str) -> str | None:
        node = self._networks.search_best(value)
        return None if node is None else str(node.data["value"])

    def _network_of_host(self, host: str) -> str | None:
        try:
            return self._network(canonical.addr(host))
        except ValueError:
            return None


def _network(text: str) -> str:
    """An address or subnet. Wide ones are welcome here, unlike in intel: ``fe80::/10``."""
    text = canonical.refang(text)
    if "/" not in text:
        return canonical.addr(text)
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("is not a subnet") from None


def _parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[i:]) for i in range(1, len(labels))]
