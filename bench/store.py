"""How fast and how large the stores of intel are, in memory and on disk.

    python bench/store.py [--count 1000000] [--kind memory,disk] [--own] [--folder .cache]

Arms domains of one feed in no order, then looks some up. With ``--own`` each has its own id and expiry. One process
per store, so that the memory of one isn't the other's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from threathunting.intel.disk_store import DiskStore
from threathunting.intel.entries import IntelStore
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item

_LOOKED_UP = 100_000
_EXPIRES = 4e9
_TICKS = 30
"""The seconds of rest after which is measured, each with what a service does in it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--kind", default="memory,disk")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(".cache"))
    options = parser.parse_args()
    kinds = options.kind.split(",")
    if len(kinds) > 1:
        for kind in kinds:
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--kind", kind], check=True)
        return
    options.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "intel.db")
        store: IntelStore = Store() if kinds == ["memory"] else DiskStore(path)
        print(f"{kinds[0]}, {options.count:,} domains{', each with its own id and expiry' * options.own}")
        measure(store, options.count, options.own)
        if path.exists():
            print(f"  file {path.stat().st_size / 1e6:,.0f} MB")
        store.close()


def measure(store: IntelStore, count: int, own: bool) -> None:
    shared = Item("feed", "bad domain", "high")
    began = now()
    slowest = 0.0
    for number in range(count):
        item = (
            Item("feed", "bad domain", "high", id=f"id-{number}", expires=_EXPIRES + number)
            if own
            else shared
        )
        before = time.perf_counter()
        store.add(Indicator(IndicatorType.DOMAIN, name(number)), item)
        slowest = max(slowest, time.perf_counter() - before)
    say("add", count, began)
    print(f"  the slowest took {slowest * 1000:.0f} ms")
    print(f"  memory {memory('VmRSS')} MB, at most {memory('VmHWM')} MB")
    began = now()
    for _ in range(_TICKS):
        store.expire(0.0)
        again = False
        while again := store.tidy(again=again):
            pass
    print(f"  {_TICKS} times expire and tidy: {time.perf_counter() - began[0]:.1f} s")
    step = max(1, count // _LOOKED_UP)
    for what, numbers in (("hit", range(0, count, step)), ("miss", range(count, 2 * count, step))):
        began = now()
        found = sum(bool(store.lookup(IndicatorType.DOMAIN, name(number), 0)) for number in numbers)
        say(f"look-up ({what})", len(numbers), began)
        assert found == (len(numbers) if what == "hit" else 0)
    armed = store.values(IndicatorType.DOMAIN)
    texts = [name(number) for number in range(count, 2 * count, step)]
    began = now()
    assert not [text for text in texts if text in armed]
    say("in values (miss)", len(texts), began)
    began = now()
    assert sum(map(len, store.folded_values(IndicatorType.DOMAIN))) == count
    say("folded values", count, began)
    print(f"  memory {memory('VmRSS')} MB, at most {memory('VmHWM')} MB")


def name(number: int) -> str:
    return f"{number * 2_654_435_761 % 2**32:x}.example{number % 1000}.com"


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def say(what: str, count: int, began: tuple[float, float]) -> None:
    # By the processor's time too: other work on the machine slows that down less.
    elapsed, worked = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"  {what}: {count / elapsed:,.0f}/s ({count / worked:,.0f}/s of the processor)", flush=True)


def memory(key: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) // 1000


if __name__ == "__main__":
    main()
