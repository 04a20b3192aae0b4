"""A bare client of the link that arms compactly, and answers what it is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.zeek.package.link import Link

RATE = 0.000001


class CompactLink(Link):
    """Knows ``items`` by label (``domain evil.example``): what it answers with."""

    def __init__(self, port: int, client: str = "test") -> None:
        super().__init__(port, client)
        self.port = port
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[dict[str, Any]] = []
        self.silent = False
        """Whether it answers nothing."""
        self._read = 0

    def know(self, label: str, source: str = "test", level: str = "high", **more: Any) -> None:
        kind, _, value = label.partition(" ")
        self.items.setdefault(label, []).append({"v": value, "t": kind, "s": source, "l": level, **more})

    def fill(
        self,
        generation: int,
        values: dict[str, list[str]],
        nodes: set[str],
        *,
        hold: float = 2.0,
        size: int = 1000,
    ) -> None:
        """A generation from its begin to its swap."""
        self.begin(generation, nodes, hold=hold, size=size)
        for kind, of_kind in values.items():
            for start in range(0, len(of_kind), 5000):
                self.add(generation, kind, of_kind[start : start + 5000], nodes)
        self.end(generation, sum(map(len, values.values())), nodes)

    def begin(self, generation: int, nodes: set[str], *, hold: float = 2.0, size: int = 1000) -> None:
        setup = {"exact": size, "subdomains": size, "rate": RATE, "hold": hold}
        self.acked(nodes, "compact_begin", generation, json.dumps(setup))

    def add(self, generation: int, kind: str, values: Iterable[str], nodes: set[str]) -> None:
        self.acked(nodes, "compact_add", generation, kind, "\n".join(values))

    def end(self, generation: int, total: int, nodes: set[str]) -> None:
        self.acked(nodes, "compact_end", generation, total)

    def acked(self, nodes: set[str], name: str, *args: Any) -> None:
        self.batch += 1
        self.send(name, self.batch, *args)
        self.until_acked(self.batch, nodes)

    def questions(self) -> list[tuple[str, dict[str, Any]]]:
        """(node, question) of those that are ours and have not been looked at yet."""
        found = []
        for name, args in self.events[self._read :]:
            if name == "ThreatHunting::ask":
                found += [(args[1], one) for one in json.loads(args[3]) if one["c"] == self.client]
        self._read = len(self.events)
        self.asked += [one for _, one in found]
        return found

    def answer(self) -> None:
        """Answer what has come."""
        for node, one in self.questions():
            if self.silent:
                continue
            hits = []
            kind, value = one["t"], one["v"]
            label = f"{kind} {value}"
            if label in self.items:
                hits.append({"i": label, "items": self.items[label]})
            while kind == "domain" and "." in value:
                value = value.partition(".")[2]
                label = f"{kind} {value}"
                items = [item for item in self.items.get(label, ()) if item.get("x")]
                if items:
                    hits.append({"i": label, "items": items})
            self.send("verdict", node, json.dumps([{"q": one["q"], "h": hits}]), node=node)

    def speak(self) -> None:
        """Answer from now on, and what was asked meanwhile, too."""
        self.silent = False
        self._read = 0

    def serve(self, holds: Callable[[], Any], seconds: float = 15) -> Any:
        """Answer until something is so; what it gave then."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, f"not so in {seconds} s; last events: {self.events[-5:]}"
            self.poll(0.05)
            self.answer()
        return found
