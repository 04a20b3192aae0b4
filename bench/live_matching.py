"""What matching a batch costs while intel comes and goes.

    python bench/live_matching.py [--records 1000000] [--indicators 1000000]

Before each batch of 2,000 records k changes are made: addresses, domains, hashes and URLs are armed, and what was
armed is removed again. The table has the median ms of processor time for a batch, without decoding it. A subdomain
rule or a subnet makes a matcher forget all names or addresses that it knows to match nothing, so these are
measured apart. Inputs are those of bench/hunt.py.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median

from generate import address, name

from hunt import HERE, make
from threathunting.hunt.fast import FastMatcher
from threathunting.intel.load import load
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import ReadReport
from threathunting.sensors.batches import json_batch

LOGS = ("conn", "dns", "http")
RECORDS = 2000
BATCHES = 60


class Feed:
    """Changes a store: of five changes four arm something, as far as there is nothing old to remove."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.random = random.Random(20261124)
        self.number = itertools.count()
        self.old: deque[Indicator] = deque()

    def mixed(self) -> None:
        """Arm or remove one of what a million indicators are made of."""
        number = next(self.number)
        kind = number % 5
        if kind == 4:
            self.store.remove(self.old.popleft())
            return
        made = (
            Indicator(IndicatorType.ADDR, address(self.random)),
            Indicator(IndicatorType.DOMAIN, name(number, "live")),
            Indicator(IndicatorType.FILE_HASH, f"{self.random.getrandbits(256):064x}"),
            Indicator(IndicatorType.URL, f"{name(number, 'liveurl')}/{self.random.getrandbits(32):x}.php"),
        )[kind]
        self.store.add(made, Item("live", level="high"))
        self.old.append(made)

    def rules_and_subnets(self) -> None:
        """Arm one."""
        number = next(self.number)
        if number % 2:
            made = Indicator(IndicatorType.SUBNET, f"{address(self.random).rpartition('.')[0]}.0/24")
        else:
            made = Indicator(IndicatorType.DOMAIN, name(number, "live"))
        self.store.add(made, Item("live", level="high", subdomains=True))


def batches(store: Store, blocks: dict[str, list[bytes]], change: Callable[[], None], k: int) -> list[float]:
    """Median ms for a batch of each log, from when half of the batches have passed."""
    matcher = FastMatcher(store, Registry(BUILTIN))
    medians = []
    for log, of_log in blocks.items():
        took = []
        for block in of_log:
            for _ in range(k):
                change()
            began = time.process_time()
            wanted = matcher.wanted()[log]
            asked = time.process_time()
            batch = json_batch(log, wanted, block, 0, Path(log), ReadReport())
            read = time.process_time()
            for _ in matcher.matches(batch):
                pass
            took.append(time.process_time() - read + asked - began)
        medians.append(median(took[len(took) // 2 :]) * 1e3)
    return medians


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".cache" / "bench")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--indicators", type=int, default=1_000_000)
    arguments = parser.parse_args()
    data = make(arguments.folder / "full", arguments.records, arguments.indicators, gz=True)
    store = Store()
    load([data / "intel.jsonl"], store)
    blocks = {}
    for log in LOGS:
        with (data / "logs" / f"{log}.log").open("rb") as file:
            blocks[log] = [b"".join(itertools.islice(file, RECORDS)) for _ in range(BATCHES)]
    feed = Feed(store)
    print(
        f"{len(store):,} indicators, batches of {RECORDS:,} records, median ms of processor time for a batch\n"
    )
    print(f"| changes between two batches | {' | '.join(LOGS)} |\n|---|{'---|' * len(LOGS)}")
    for text, change, k in (
        ("0", feed.mixed, 0),
        *((f"{k}", feed.mixed, k) for k in (1, 10, 100)),
        *((f"{k} rules or subnets", feed.rules_and_subnets, k) for k in (1, 10)),
    ):
        took = batches(store, blocks, change, k)
        print(f"| {text} | {' | '.join(f'{ms:.2f}' for ms in took)} |", flush=True)


if __name__ == "__main__":
    main()
