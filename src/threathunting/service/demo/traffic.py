"""A sensor's logs of the example, written once more as if all of it happened now."""

from __future__ import annotations

import hashlib
import re
import string
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from threathunting.sensors import pcap
from threathunting.service.demo.files import CAPTURE, RECORDED, example

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}")
_EVE_TIMES = frozenset({"timestamp", "start", "end"})
_FLOWS = frozenset({"flow_id", "parent_id"})
_IDS = frozenset({"uid", "fuid"})
_LETTERS = string.digits + string.ascii_letters


class Entry(NamedTuple):
    """A line of a log: when a sensor wrote it (seconds since the first record), the log's file, and the record."""

    at: float
    file: str
    record: dict[str, Any]


class Traffic:
    """The example's traffic as a sensor's logs tell it; ``told`` says how they came to be."""

    def __init__(self, logs: Iterable[Path], told: str) -> None:
        """Read the logs: Zeek's in JSON, or one EVE file. Raises OSError."""
        self.told = told
        found = [
            (path.name, msgspec.json.decode(line, type=dict[str, Any]))
            for path in sorted(logs)
            for line in path.read_bytes().splitlines()
        ]
        times = [_time_of(record) for _, record in found]
        self._first = min(times)
        self.seconds = max(times) - self._first
        """How long it took, from the first record to the last."""
        self._ids = frozenset(
            record[name] for _, record in found for name in _IDS if isinstance(record.get(name), str)
        )
        entries = [Entry(_written(record) - self._first, file, record) for file, record in found]
        # Suricata's file is in the order in which it was written.
        self.entries = sorted(entries, key=lambda entry: entry.at) if self._ids else entries
        self.files = sorted({file for file, _ in found})
        self.written: dict[float, float] = {}
        """By the new ``ts`` of a record, when it was last written, both in seconds since the epoch."""

    def play(self, folder: Path, speed: float, number: int, stop: threading.Event) -> None:
        """Append all lines to the files in ``folder``, ``speed`` times as fast as it happened.

        Times become those of writing, and conversations get new uids by ``number``, so that every play is new
        traffic. Ends early once ``stop`` is set.
        """
        began, began_at = time.monotonic(), time.time()

        def moved(at: float) -> float:
            return began_at + (at - self._first) / speed

        files = {name: (folder / name).open("ab", buffering=0) for name in self.files}
        try:
            for entry in self.entries:
                if stop.wait(max(began + entry.at / speed - time.monotonic(), 0)):
                    return
                record = _again(entry.record, moved, lambda name: _renamed(name, number), self._ids)
                self.written[_time_of(record)] = time.time()
                files[entry.file].write(msgspec.json.encode(record) + b"\n")
        finally:
            for file in files.values():
                file.close()


def traffic(sensor: str | None, folder: Path) -> Traffic:
    """The example as ``zeek`` or ``suricata`` reads its capture now (in ``folder``), or as ``recorded`` by Zeek.

    None takes the first of these that there is. Raises FileNotFoundError where the one asked for is missing,
    ValueError where there is none of that name.
    """
    if sensor != "recorded":
        try:
            found = pcap.find_sensor(sensor)
        except FileNotFoundError:
            if sensor is not None:
                raise
        else:
            read = pcap.run(example(CAPTURE), folder, found, timeout=120)
            return Traffic(read.logs, f"{found.name} has read {CAPTURE} in {read.seconds:.1f} s")
    why = (
        "Zeek's own logs of it are taken"
        if sensor
        else "Without Zeek and Suricata here, Zeek's logs of it are taken"
    )
    return Traffic(example(RECORDED).glob("*.log"), f"{why}, as recorded before")


def _time_of(record: dict[str, Any]) -> float:
    if "ts" in record:
        return float(record["ts"])
    return datetime.fromisoformat(record["timestamp"]).timestamp()


def _written(record: dict[str, Any]) -> float:
    """When a sensor writes the record: Zeek logs a connection at its end."""
    return _time_of(record) + (record.get("duration", 0.0) if "conn_state" in record else 0.0)


def _again(
    value: Any, moved: Callable[[float], float], renamed: Callable[[str], str], ids: frozenset[str]
) -> Any:
    """A record with other times and other ids, as Zeek and Suricata write them."""
    if isinstance(value, str):
        return renamed(value) if value in ids else value
    if isinstance(value, list):
        return [_again(one, moved, renamed, ids) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "ts" and isinstance(inner, int | float):
            found[name] = round(moved(inner), 6)
        elif name in _EVE_TIMES and isinstance(inner, str) and _ISO.fullmatch(inner):
            at = datetime.fromtimestamp(moved(datetime.fromisoformat(inner).timestamp()), UTC)
            found[name] = at.strftime("%Y-%m-%dT%H:%M:%S.%f%z")
        elif name in _FLOWS and isinstance(inner, int):
            found[name] = int.from_bytes(_hash(renamed(str(inner)))[:6], "big")
        else:
            found[name] = _again(inner, moved, renamed, ids)
    return found


def _renamed(name: str, number: int) -> str:
    """Another id of the same form and length, the same for the same name and number."""
    return (
        name[:1]
        + "".join(_LETTERS[byte % len(_LETTERS)] for byte in _hash(f"{number} {name}"))[: len(name) - 1]
    )


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=32).digest()
