"""The nodes of one Zeek, as they show themselves over the link."""

from __future__ import annotations

from dataclasses import dataclass

from threathunting.zeek.protocol import About


@dataclass
class Node:
    """A node that holds intel."""

    name: str
    boot: str
    about: About
    seen: float
    """When it last said something, in seconds of a monotonic clock; so are all times here."""
    complete: bool = False
    """Whether it has the full set, since this boot and this connection."""
    armed: int = 0
    lag: float | None = None
    """Seconds that its last acknowledgement took."""
    last_ack: float | None = None


class Nodes:
    """Those that have shown themselves, by name. Another thread may ask about them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def traffic_nodes(self) -> list[Node]:
        """The nodes that see traffic."""
        return [node for node in list(self.nodes.values()) if node.about.sees_traffic]

    def missing(self) -> list[str]:
        """Names of nodes that should be there and aren't."""
        expected = {name for node in list(self.nodes.values()) for name in node.about.expected_nodes}
        return sorted(expected - self.nodes.keys())
