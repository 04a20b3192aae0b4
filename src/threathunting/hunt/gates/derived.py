"""What the gates derive from many indicators, kept up with the intel: subnets, subdomain rules, hosts of URLs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable

from threathunting.hunt.gates.texts import Memo, lowered
from threathunting.hunt.hosts import host_name, hosts_of
from threathunting.intel.entries import IntelStore
from threathunting.intel.filter import Filter
from threathunting.intel.types import IndicatorType

STALE = 1000
"""Indicators that may be gone and still be in what is derived, beside a tenth of those that are armed."""

LARGE = 200_000
"""Indicators from which on what is derived lies in a filter, of two bytes each, that lets a little more through."""

_ADDRESS_LIKE = re.compile(r"[\s\[\]/0-9a-fA-F:.]+")


class Derived(Memo, ABC):
    """A gate that derives something from each of certain indicators. What a removed one left goes later."""

    def __init__(self, store: IntelStore, type: IndicatorType) -> None:
        super().__init__(store, type)
        self._taken = 0
        self._is_large = False
        self.rebuild()

    @abstractmethod
    def _sources(self) -> Collection[str]:
        """The armed values to derive from."""

    @abstractmethod
    def _build(self, values: Collection[str]) -> None:
        """Derive anew, from these."""

    @abstractmethod
    def _take(self, value: str) -> None:
        """Derive from one more."""

    def rebuild(self) -> None:
        """Derive anew."""
        values = self._sources()
        self._taken = len(values)
        self._is_large = self._taken > LARGE
        self._build(values)

    def follow(self, values: Iterable[str]) -> None:
        """Take these newly armed values in, and drop what is stale where it has become much."""
        for value in values:
            self._take(value)
            self._taken += 1
        armed = len(self._sources())
        is_stale = self._taken - armed > armed // 10 + STALE
        if is_stale or (self._taken > LARGE and not self._is_large):
            self.rebuild()


class Addr(Derived):
    """Addresses: IPv4 in its one form is looked up as it is; the subnets by the first two octets, then exactly."""

    def __init__(self, store: IntelStore) -> None:
        self._v4_starts: set[str] = set()
        super().__init__(store, IndicatorType.ADDR)

    def _sources(self) -> Collection[str]:
        return self._store.values(IndicatorType.SUBNET)

    def _build(self, values: Collection[str]) -> None:
        self._v4_starts = set()
        for subnet in values:
            self._take(subnet)

    def _take(self, value: str) -> None:
        net, _, bits = value.partition("/")
        if ":" in net:
            return
        first, second = (int(octet) for octet in net.split(".")[:2])
        # The canonical form admits nothing wider than /8, so one of these is 256 starts at most.
        for step in range(1 << max(16 - int(bits), 0)):
            self._v4_starts.add(f"{first}.{second + step}")

    def possible(self, texts: Iterable[str]) -> list[str]:
        """See ``Memo``."""
        armed = self._store.values(IndicatorType.ADDR)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        hits = [text for text in all_texts if text in armed]
        if self._v4_starts:
            starts = self._v4_starts
            hits += [text for text in all_texts if text.rsplit(".", 2)[0] in starts and self.matches(text)]
        if _more_than_ipv4(all_texts):
            hits += [text for text in all_texts if _odd(text) and self.matches(text)]
        return hits

    def forms(self, texts: Iterable[str]) -> set[str]:
        """See ``Memo``."""
        all_texts = list(texts)
        return super().forms(filter(_odd, all_texts)) if _more_than_ipv4(all_texts) else set()


def _more_than_ipv4(texts: Iterable[str]) -> bool:
    joined = ".".join(texts).encode("utf-8", "surrogatepass")
    return bool(joined.translate(None, b"0123456789."))


def _odd(text: str) -> bool:
    """Whether a text that isn't a plain IPv4 address may be one: IPv6, and addresses with brackets or space."""
    return bool(_ADDRESS_LIKE.fullmatch(text)) and not text.replace(".", "").isdigit()


class Domain(Derived):
    """Names: exact by dictionary, subdomain rules by the last characters that the shortest rules have."""

    _CLASSES = (1, 5, 10)
    """Shortest lengths of rules that share an ending's length, so that short ones don't cut all others short."""

    def __init__(self, store: IntelStore) -> None:
        self._endings: dict[int, tuple[int, set[str] | Filter]] = {}
        super().__init__(store, IndicatorType.DOMAIN)

    def _sources(self) -> Collection[str]:
        return self._store.subdomain_rules()

    def _build(self, values: Collection[str]) -> None:
        if self._is_large:
            # Of so many some are as short as they can be.
            self._endings = {size: (least, Filter()) for size, least in enumerate(self._CLASSES)}
            for rule in values:
                self._take(rule)
            return
        by_class: dict[int, set[str]] = {}
        for rule in values:
            by_class.setdefault(min(len(rule) // 5, 2), set()).add(rule)
        self._endings = {}
        for size, rules in by_class.items():
            shortest = min(map(len, rules))
            self._endings[size] = shortest, {rule[-shortest:] for rule in rules}

    def _take(self, value: str) -> None:
        size = min(len(value) // 5, 2)
        length, endings = self._endings.get(size, (len(value), set()))
        if len(value) < length and not isinstance(endings, Filter):
            # Half-way down to the shortest there can be: then it comes to a few cuts, however many rules come.
            least = self._CLASSES[size]
            length = least + (len(value) - least) // 2
            endings = {ending[-length:] for ending in endings}
        if value[-length:] not in endings:
            endings.add(value[-length:])
        self._endings[size] = length, endings

    def possible(self, texts: Iterable[str]) -> list[str]:
        """See ``Memo``."""
        armed = self._store.values(IndicatorType.DOMAIN)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        given, low = lowered(all_texts)
        low = [text.rstrip(". ") for text in low]
        hits = [text for text, key in zip(given, low, strict=True) if key in armed]
        for length, endings in self._endings.values():
            hits += [
                text
                for text, key in zip(given, low, strict=True)
                if key[-length:] in endings and self.matches(text)
            ]
        if len(given) != len(all_texts):
            plain = set(given)
            hits += [text for text in all_texts if text not in plain and self.matches(text)]
        return hits

    def forms(self, texts: Iterable[str]) -> set[str]:
        """See ``Memo``."""
        return super().forms(
            text for text in texts if not (text.isascii() and text == text.lower().strip().rstrip(". "))
        )


class Url(Derived):
    """URLs: by the name of their host first, then by the exact form."""

    def __init__(self, store: IntelStore) -> None:
        self._names: set[str] | Filter = set()
        self._paths: set[str] = set()
        super().__init__(store, IndicatorType.URL)

    @property
    def paths(self) -> bool:
        """Whether a URL without host is armed."""
        return bool(self._paths)

    def _sources(self) -> Collection[str]:
        return self._store.values(IndicatorType.URL)

    def _build(self, values: Collection[str]) -> None:
        if self._is_large:
            self._names, self._paths = Filter(), set()
            for url in values:
                self._take(url)
            return
        hosts = {url.partition("/")[0] for url in values}
        self._paths = {url for url in values if url[:1] == "/"} if "" in hosts else set()
        self._names = {_name(host) for host in hosts if host}

    def _take(self, value: str) -> None:
        if value[:1] == "/":
            self._paths.add(value)
        elif (name := self.name(value)) not in self._names:
            self._names.add(name)

    def removed(self, value: str) -> None:
        """Forget a URL without host: while one is thought to be armed, much more is looked at."""
        self._paths.discard(value)

    def name(self, value: str) -> str:
        """The name of an armed URL's host, empty where it has none."""
        host = value.partition("/")[0]
        return _name(host) if host else ""

    def possible(self, texts: Iterable[str]) -> list[str]:
        """See ``Memo``."""
        armed = self._store.values(IndicatorType.URL)
        given = [text for text in texts if text[:1] != "/"]
        names = hosts_of(given)
        hosts = set(self.hosts(set(names)))
        hits = [
            text
            for text, name in zip(given, names, strict=True)
            if name in hosts and self.canonical(text) in armed
        ]
        if self._paths:
            hits += [text for text in texts if text[:1] == "/" and self.canonical(text) in armed]
        return hits

    def hosts(self, names: Iterable[str]) -> list[str]:
        """Those of the host names of which a URL may be armed."""
        armed = self._names
        return [name for name in names if name in armed or name[:1] == "[" or not name.isascii()]


def _name(host: str) -> str:
    return host if host.replace(".", "").isalnum() else host_name(host)
