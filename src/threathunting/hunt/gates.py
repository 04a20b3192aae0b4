"""Which of many texts may match the armed intel: quick, and never wrong about a text that does match.

A gate may let through what doesn't match (the exact look-up decides), but must not hold back what does.
So each follows its type's canonical form (``intel.canonical``); the property tests compare both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from threathunting.hunt.hosts import host_name, hosts_of
from threathunting.intel.canonical import canonical
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType

_MEMO_SIZE = 200_000
"""Texts whose canonical form a gate remembers; then it begins anew."""

_ADDRESS_LIKE = re.compile(r"[\s\[\]/0-9a-fA-F:.]+")
_NOT_IN_IPV4 = bytes(byte for byte in range(256) if byte not in b"0123456789.\n")


class Gates:
    """One gate per indicator type over a store. Rebuilds what it derives when the store has changed."""

    def __init__(self, store: Store) -> None:
        """Derive what the gates need from ``store``."""
        self._store = store
        self._version = -1
        self._gates: dict[IndicatorType, Callable[[Collection[str]], list[str]]] = {
            type: _Memo(store, type).possible for type in IndicatorType
        }
        for type in (
            IndicatorType.SOFTWARE,
            IndicatorType.USER_NAME,
            IndicatorType.FILE_NAME,
            IndicatorType.JA4,
        ):
            self._gates[type] = _Plain(store, type).possible
        for type in (
            IndicatorType.FILE_HASH,
            IndicatorType.CERT_HASH,
            IndicatorType.JA3,
            IndicatorType.HASSH,
        ):
            self._gates[type] = _Hash(store, type).possible
        self._addr = _Addr(store)
        self._domain = _Domain(store)
        self._url = _Url(store)
        self._gates[IndicatorType.ADDR] = self._addr.possible
        self._gates[IndicatorType.DOMAIN] = self._domain.possible
        self._gates[IndicatorType.URL] = self._url.possible
        self.refresh()

    def refresh(self) -> None:
        """Follow the store's changes; to be called before a batch."""
        if self._version != self._store.version:
            self._version = self._store.version
            self._addr.rebuild()
            self._domain.rebuild()
            self._url.rebuild()

    def armed(self, type: IndicatorType) -> bool:
        """Whether anything is armed that an observable of this type can match."""
        return bool(self._store.values(type)) or (
            type is IndicatorType.ADDR and bool(self._store.values(IndicatorType.SUBNET))
        )

    def possible(self, type: IndicatorType, texts: Collection[str]) -> list[str]:
        """Those of ``texts`` that may match, as they were given."""
        return self._gates[type](texts)

    def armed_paths(self) -> bool:
        """Whether a URL without host is armed (``/gate.php``)."""
        return self._url.paths

    def possible_hosts(self, type: IndicatorType, names: Collection[str]) -> list[str]:
        """Those of the host names (see ``host_name``) of which a URL, or which as a name or address, may be armed."""
        if type is IndicatorType.URL:
            return self._url.hosts(names)
        # Of an address in brackets the name is only a part, and one that isn't ASCII has another canonical form.
        odd = [name for name in names if name[:1] == "[" or not name.isascii()]
        if type is IndicatorType.ADDR:
            names = [name for name in names if name[-1:].isdigit()]
        return self.possible(type, names) + odd


class _Memo:
    """The exact answer for each text, remembered. For types that are rare in traffic."""

    def __init__(self, store: Store, type: IndicatorType) -> None:
        self._store = store
        self._type = type
        self._canonical: dict[str, str | None] = {}

    def canonical(self, text: str) -> str | None:
        known = self._canonical.get(text, text)
        if known is text:
            try:
                known = canonical(self._type, text)
            except ValueError:
                known = None
            if len(self._canonical) >= _MEMO_SIZE:
                self._canonical.clear()
            if len(text) < 1000:
                self._canonical[text] = known
        return known

    def matches(self, text: str) -> bool:
        """Whether a text matches, exactly, at some time."""
        value = self.canonical(text)
        return value is not None and bool(self._store.lookup(self._type, value, 0.0))

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(self._type)
        return [text for text in texts if self.canonical(text) in armed]


def _lowered(texts: Collection[str]) -> tuple[list[str], list[str]]:
    """Texts that are plain ASCII, as given and lower-case without space around them; the others are left out."""
    given = list(texts)
    joined = "\n".join(given)
    low = joined.lower().split("\n")
    if len(low) != len(given) or not joined.isascii():
        given = [text for text in given if text.isascii() and "\n" not in text]
        low = [text.lower() for text in given]
    return given, [text.strip() for text in low]


class _Plain(_Memo):
    """Types whose canonical form is the lower-case text."""

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(self._type)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        given, low = _lowered(all_texts)
        hits = [text for text, key in zip(given, low, strict=True) if key in armed]
        if len(given) != len(all_texts):
            plain = set(given)
            hits += super().possible(text for text in all_texts if text not in plain)
        return hits


class _Hash(_Memo):
    """Hex hashes: usually as they should be; what has separators or space is looked at one by one."""

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(self._type)
        hits = []
        odd = []
        for text in texts:
            if text.isalnum():
                if text.lower() in armed:
                    hits.append(text)
            else:
                odd.append(text)
        return hits + super().possible(odd) if odd else hits


class _Addr(_Memo):
    """Addresses: IPv4 in its one form is looked up as it is; the subnets by the first two octets, then exactly."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, IndicatorType.ADDR)
        self._v4_starts: set[str] = set()

    def rebuild(self) -> None:
        self._v4_starts.clear()
        for subnet in self._store.values(IndicatorType.SUBNET):
            net, _, bits = subnet.partition("/")
            if ":" in net:
                continue
            first, second = (int(octet) for octet in net.split(".")[:2])
            # The canonical form admits nothing wider than /8, so one of these is 256 starts at most.
            for step in range(1 << max(16 - int(bits), 0)):
                self._v4_starts.add(f"{first}.{second + step}")

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(IndicatorType.ADDR)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        hits = [text for text in all_texts if text in armed]
        if self._v4_starts:
            starts = self._v4_starts
            hits += [text for text in all_texts if text.rsplit(".", 2)[0] in starts and self.matches(text)]
        joined = "\n".join(all_texts).encode("utf-8", "surrogatepass")
        if joined.translate(None, b"0123456789.\n"):
            hits += [text for text in all_texts if self._odd(text)]
        return hits

    def _odd(self, text: str) -> bool:
        """Whether a text that isn't a plain IPv4 address may match: IPv6, and addresses with brackets or space."""
        if not _ADDRESS_LIKE.fullmatch(text) or text.replace(".", "").isdigit():
            return False
        return self.matches(text)


class _Domain(_Memo):
    """Names: exact by dictionary, subdomain rules by the last characters that the shortest rules have."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, IndicatorType.DOMAIN)
        self._endings: list[tuple[int, set[str]]] = []

    def rebuild(self) -> None:
        by_length: dict[int, set[str]] = {}
        for rule in self._store.subdomain_rules():
            # Short rules apart, so that they don't make the endings of all others short.
            by_length.setdefault(min(len(rule) // 5, 2), set()).add(rule)
        self._endings = []
        for rules in by_length.values():
            shortest = min(map(len, rules))
            self._endings.append((shortest, {rule[-shortest:] for rule in rules}))

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(IndicatorType.DOMAIN)
        all_texts = texts if isinstance(texts, set | frozenset | list | tuple) else list(texts)
        given, low = _lowered(all_texts)
        low = [text.rstrip(". ") for text in low]
        hits = [text for text, key in zip(given, low, strict=True) if key in armed]
        for length, endings in self._endings:
            hits += [
                text
                for text, key in zip(given, low, strict=True)
                if key[-length:] in endings and self.matches(text)
            ]
        if len(given) != len(all_texts):
            plain = set(given)
            hits += [text for text in all_texts if text not in plain and self.matches(text)]
        return hits


class _Url(_Memo):
    """URLs: by the name of their host first, then by the exact form."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, IndicatorType.URL)
        self._names: set[str] = set()
        self.paths = False

    def rebuild(self) -> None:
        armed = self._store.values(IndicatorType.URL)
        hosts = {url.partition("/")[0] for url in armed}
        self._names = {host if host.replace(".", "").isalnum() else host_name(host) for host in hosts if host}
        self.paths = "" in hosts

    def possible(self, texts: Iterable[str]) -> list[str]:
        armed = self._store.values(IndicatorType.URL)
        given = [text for text in texts if text[:1] != "/"]
        names = hosts_of(given)
        hosts = set(self.hosts(set(names)))
        hits = [
            text
            for text, name in zip(given, names, strict=True)
            if name in hosts and self.canonical(text) in armed
        ]
        if self.paths:
            hits += [text for text in texts if text[:1] == "/" and self.canonical(text) in armed]
        return hits

    def hosts(self, names: Iterable[str]) -> list[str]:
        armed = self._names
        return [name for name in names if name in armed or name[:1] == "[" or not name.isascii()]
