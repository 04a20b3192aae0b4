"""Which armed subnets an address is in."""

from __future__ import annotations

import radix


class Subnets:
    """A set of subnets in their canonical form."""

    def __init__(self) -> None:
        self._tree = radix.Radix()  # type: ignore[no-untyped-call]

    def add(self, subnet: str) -> None:
        """One more."""
        # radix writes some IPv6 prefixes another way than ours, so the node bears our form.
        self._tree.add(subnet).data["value"] = subnet

    def remove(self, subnet: str) -> None:
        """One less."""
        self._tree.delete(subnet)

    def covering(self, address: str) -> list[str]:
        """Those that the address is in, nearest first. ValueError where it is no address."""
        return [node.data["value"] for node in self._tree.search_covering(address)]
