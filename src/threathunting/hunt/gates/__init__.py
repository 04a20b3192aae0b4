"""Which of many texts may match the armed intel: quick, and never wrong about a text that does match.

A gate may let through what doesn't match (the exact look-up decides), but must not hold back what does.
So each follows its type's canonical form (``intel.canonical``); the property tests compare both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from threathunting.hunt.gates.derived import Addr, Domain, Url
from threathunting.hunt.gates.texts import Hash, Memo, Plain
from threathunting.intel.entries import Change, IntelStore
from threathunting.intel.types import Indicator, IndicatorType

MANY = 1000
"""Newly armed indicators of a type from which on nobody is told which ones they are."""

_ALL = frozenset(IndicatorType)


class News(NamedTuple):
    """What may match now and didn't before, for who keeps what matches nothing. Removals are no news."""

    types: Set[IndicatorType]
    """Types of observables of which any text may match now: subnets came, or subdomain rules, or much else."""
    values: Mapping[IndicatorType, Set[str]]
    """By type of observable the canonical values that came."""
    hosts: Mapping[IndicatorType, Set[str]]
    """The same for names of hosts (see ``host_name``): of URLs the names of their hosts."""


class Gates:
    """One gate per indicator type over a store."""

    def __init__(self, store: IntelStore) -> None:
        """Derive what the gates need from ``store``, and follow its changes from now on."""
        self._store = store
        self._version = store.version
        store.changes_since(self._version)
        self._addr = Addr(store)
        self._domain = Domain(store)
        self._url = Url(store)
        self._gates: dict[IndicatorType, Memo] = {
            IndicatorType.ADDR: self._addr,
            IndicatorType.DOMAIN: self._domain,
            IndicatorType.URL: self._url,
            IndicatorType.SOFTWARE: Plain(store, IndicatorType.SOFTWARE),
            IndicatorType.USER_NAME: Plain(store, IndicatorType.USER_NAME),
            IndicatorType.FILE_NAME: Plain(store, IndicatorType.FILE_NAME),
            IndicatorType.JA4: Plain(store, IndicatorType.JA4),
            IndicatorType.FILE_HASH: Hash(store, IndicatorType.FILE_HASH),
            IndicatorType.CERT_HASH: Hash(store, IndicatorType.CERT_HASH),
            IndicatorType.JA3: Hash(store, IndicatorType.JA3),
            IndicatorType.HASSH: Hash(store, IndicatorType.HASSH),
        }
        for type in IndicatorType:
            self._gates.setdefault(type, Memo(store, type))

    def refresh(self) -> News | None:
        """Follow the store's changes; to be called before a batch. None where there were none."""
        if self._version == self._store.version:
            return None
        changes = self._store.changes_since(self._version)
        self._version = self._store.version
        if changes is None:
            for gate in (self._addr, self._domain, self._url):
                gate.rebuild()
            return News(_ALL, {}, {})
        return self._follow(changes)

    def armed(self, type: IndicatorType) -> bool:
        """Whether anything is armed that an observable of this type can match."""
        return bool(self._store.values(type)) or (
            type is IndicatorType.ADDR and bool(self._store.values(IndicatorType.SUBNET))
        )

    def possible(self, type: IndicatorType, texts: Collection[str]) -> list[str]:
        """Those of ``texts`` that may match, as they were given."""
        return self._gates[type].possible(texts)

    def forms(self, types: Iterable[IndicatorType], texts: Collection[str]) -> set[str]:
        """The canonical forms, as any of ``types``, of those texts that aren't their own form; more is harmless."""
        return {form for type in types for form in self._gates[type].forms(texts)}

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

    def _follow(self, changes: Sequence[tuple[Indicator, Change]]) -> News:
        came: dict[IndicatorType, set[str]] = {}
        for (type, value), change in changes:
            # What came may be gone again, and the other way round: what the store has now counts.
            armed = value in self._store.values(type)
            if change is Change.ARMED and armed:
                came.setdefault(type, set()).add(value)
            elif type is IndicatorType.URL and not armed:
                self._url.removed(value)
        subnets = came.pop(IndicatorType.SUBNET, set())
        domains = came.get(IndicatorType.DOMAIN, set())
        rules = self._store.subdomain_rules()
        new_rules = [domain for domain in domains if domain in rules]
        urls = came.get(IndicatorType.URL, set())
        self._addr.follow(subnets)
        self._domain.follow(new_rules)
        self._url.follow(urls)
        types = {type for type, values in came.items() if len(values) > MANY}
        if subnets:
            types.add(IndicatorType.ADDR)
        if new_rules:
            types.add(IndicatorType.DOMAIN)
        values = {type: values for type, values in came.items() if type not in types}
        hosts = dict(values)
        if IndicatorType.URL in values:
            hosts[IndicatorType.URL] = {self._url.name(url) for url in urls}
        return News(types, values, hosts)
