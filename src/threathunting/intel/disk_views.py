"""A store on disk as the mappings that its readers ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from threathunting.intel.entries import Entry
from threathunting.intel.types import IndicatorType


class Viewed(Protocol):
    """What the mappings need of a store."""

    def get(self, type: IndicatorType, value: str) -> Entry | None:
        """The items of an indicator."""

    def is_rule(self, domain: str) -> bool:
        """Whether the subdomains of a domain are wanted."""

    def count(self, type: IndicatorType) -> int:
        """Number of indicators of a type."""

    def rule_count(self) -> int:
        """Number of subdomain rules."""

    def raw_values(self, type: IndicatorType) -> Iterator[list[str]]:
        """The armed values of a type."""

    def raw_rules(self) -> Iterator[list[str]]:
        """The subdomain rules."""


class Values(Mapping[str, Entry]):
    """The values of a type with their items. It may change while it is gone through."""

    def __init__(self, store: Viewed, type: IndicatorType) -> None:
        self._store = store
        self._type = type

    def __getitem__(self, value: str) -> Entry:
        entry = self._store.get(self._type, value)
        if entry is None:
            raise KeyError(value)
        return entry

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and self._store.get(self._type, value) is not None

    def __len__(self) -> int:
        return self._store.count(self._type)

    def __iter__(self) -> Iterator[str]:
        for chunk in self._store.raw_values(self._type):
            yield from chunk


class SubdomainRules(Mapping[str, None]):
    """The domains of which the subdomains are wanted. It may change while it is gone through."""

    def __init__(self, store: Viewed) -> None:
        self._store = store

    def __getitem__(self, domain: str) -> None:
        if domain not in self:
            raise KeyError(domain)

    def __contains__(self, domain: object) -> bool:
        return isinstance(domain, str) and self._store.is_rule(domain)

    def __len__(self) -> int:
        return self._store.rule_count()

    def __iter__(self) -> Iterator[str]:
        for chunk in self._store.raw_rules():
            yield from chunk
