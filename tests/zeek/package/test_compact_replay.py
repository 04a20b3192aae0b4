"""The same live traffic, armed natively and compactly: the same investigation records."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zeek.package.compact import CompactLink
from tests.zeek.package.link import lone_zeek
from tests.zeek.package.running import bare, investigations, item, logs
from tests.zeek.package.test_captures import SEEDS, TYPES, seen_by_zeek
from tests.zeek.replay import frames, wire

pytestmark = [
    pytest.mark.zeek,
    pytest.mark.shared,
    pytest.mark.xdist_group("zeek-cluster"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a veth pair"),
]

ZEEK = {"zeek"}
SCRIPT = """
@load frameworks/files/hash-all-files
redef tcp_inactivity_timeout = 3sec;
redef udp_inactivity_timeout = 3sec;
"""


def captures(pcaps: Path) -> list[Path]:
    """Those that can be replayed."""
    found = []
    for path in sorted(pcaps.glob("*/*.pcap")):
        next(frames(path))
        found.append(path)
    return found


def random_set(pcaps: Path, chance: random.Random, size: int) -> list[tuple[str, str]]:
    """(type, value): a part of what Zeek sees in the captures, and names that nobody asks for."""
    seen = {
        (TYPES[one["indicator_type"]], one["indicator"].lower())
        for capture in captures(pcaps)
        for one in seen_by_zeek(capture.parent)
        # The service refuses values with control characters.
        if one["indicator"].isprintable()
    }
    some = chance.sample(sorted(seen), min(len(seen) // 3, size))
    return some + [("domain", f"n{chance.randrange(10**9)}.example") for _ in range(size - len(some))]


def written(folder: Path) -> dict[str, list[tuple[str, set[tuple[str, str]]]]]:
    """By log each record without our marks, and its reasons, in an order of its own."""
    found = {}
    for name, records in investigations(logs(folder)).items():
        found[name] = sorted(
            (
                bare(one),
                set(zip(one["threathunting_indicators"], one["threathunting_where"], strict=True)),
            )
            for one in records
        )
    return found


@pytest.mark.parametrize(("seed", "cut"), [(1, False), (2, False), (3, False), (4, True), (5, True)])
def test_native_and_compact_are_the_same(
    seed: int, cut: bool, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """``cut``: the link goes away and comes back again and again; what is captured stays the same."""
    pcaps = shared("pcaps")
    chosen = random_set(pcaps, random.Random(seed), 1000)
    with wire() as cable:
        args = ("-i", cable.tap, "-G", str(SEEDS))
        with (
            lone_zeek(tmp_path / "native", *args, script=SCRIPT) as (native, _),
            lone_zeek(tmp_path / "compact", *args, script=SCRIPT) as (plain, _),
        ):
            link = CompactLink(int(plain.socket.remote_address[1]))
            native.hello(ZEEK)
            link.hello(ZEEK)
            native.command("arm", [item(kind, value) for kind, value in chosen], ZEEK)
            values: dict[str, list[str]] = {}
            for kind, value in chosen:
                link.know(f"{kind} {value}", level="low")
                values.setdefault(kind, []).append(value)
            link.fill(1, values, ZEEK, size=10_000, hold=0.3 if cut else 2.0)
            playing = threading.Thread(target=lambda: [cable.replay(path) for path in captures(pcaps)])
            playing.start()
            while cut and playing.is_alive():
                link.close()
                time.sleep(1)
                link = again(link)
                began = time.monotonic()
                link.serve(lambda began=began: time.monotonic() - began > 0.7)  # type: ignore[misc]
            link.serve(lambda: not playing.is_alive(), 60)
            playing.join()
            link.serve(lambda: link.hello(ZEEK)["zeek"]["pending"] == 0, 30)
            # Connections without an end are over by now.
            link.serve(lambda: link.hello(ZEEK)["zeek"]["waiting_records"] == 0 and idle(tmp_path), 30)
            assert (link.hello(ZEEK)["zeek"]["unverified"] > 0) is cut
            native.until(lambda _: len(native.sightings()) >= len(link.sightings()))
    assert sightings(tmp_path / "compact") == sightings(tmp_path / "native")
    compact, natively = written(tmp_path / "compact"), written(tmp_path / "native")
    assert len(natively) > 5
    assert {log: [one for one, _ in records] for log, records in compact.items()} == {
        log: [one for one, _ in records] for log, records in natively.items()
    }
    # A record that waits may learn of further reasons meanwhile, but of no fewer.
    for log, records in natively.items():
        for (_, reasons), (_, of_compact) in zip(records, compact[log], strict=True):
            assert reasons <= of_compact, log


def sightings(folder: Path) -> list[tuple[str, str, str]]:
    found = logs(folder)["intel"]
    return sorted((one.get("uid", ""), one["seen.indicator"], one["seen.where"]) for one in found)


def again(link: CompactLink) -> CompactLink:
    """The same client, connected anew."""
    other = CompactLink(link.port)
    other.items, other.events, other.batch = link.items, link.events, link.batch + 100
    other.asked = link.asked
    other.hello(ZEEK)
    return other


_sizes: dict[Path, int] = {}


def idle(folder: Path) -> bool:
    """Whether nothing was written for a while."""
    size = sum(path.stat().st_size for path in folder.glob("*/*.log") if path.name != "websocket.log")
    before, _sizes[folder] = _sizes.get(folder), size
    return before == size
