"""Which sensor reads a capture, and letting it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from threathunting.sensors.pcap import suricata, zeek
from threathunting.sensors.pcap.capture import beginning, check, unpacked
from threathunting.sensors.pcap.process import SensorError

MIN_SURICATA = 7
"""Major version of the oldest Suricata whose EVE events are understood."""

VARIABLES = {"zeek": "THREATHUNTING_ZEEK", "suricata": "THREATHUNTING_SURICATA"}
"""Environment variables that name a sensor's program, or the folder that it was installed into."""

_VERSION = re.compile(r"version (\d+)\.\d[\w.\-]*")


@dataclass(frozen=True)
class Sensor:
    """A program that reads captures. ``kind`` is ``zeek`` or ``suricata``."""

    kind: str
    program: Path

    @property
    def name(self) -> str:
        """Its name as people write it."""
        return self.kind.capitalize()


@dataclass(frozen=True)
class PcapResult:
    """What reading a capture gave: logs to hunt in, and sentences on what wasn't read."""

    logs: list[Path]
    warnings: list[str]
    seconds: float


def find_sensor(choice: str | None) -> Sensor:
    """The sensor named by ``choice`` (``zeek`` or ``suricata``, any case); without one Zeek, else Suricata.

    Looked for where $THREATHUNTING_ZEEK or $THREATHUNTING_SURICATA says, else on PATH. Raises ValueError
    where the choice is no sensor, FileNotFoundError where it, or every one, is missing or too old.
    """
    kinds = tuple(VARIABLES) if choice is None else (choice.strip().lower(),)
    if not set(kinds) <= VARIABLES.keys():
        raise ValueError(f"'{choice}' is no sensor: choose zeek or suricata")
    for kind in kinds:
        program = _program(kind)
        if program is None:
            continue
        version = _major(program) if kind == "suricata" else None
        if version is not None and version < MIN_SURICATA:
            raise FileNotFoundError(f"{program} is Suricata {version}, and at least {MIN_SURICATA} is needed")
        return Sensor(kind, program)
    if choice is None:
        raise FileNotFoundError(
            "reading a capture takes Zeek or Suricata, and neither is here: "
            "run 'make system' or 'apt install suricata', or set THREATHUNTING_ZEEK"
        )
    how = {
        "zeek": "install it and have it on PATH, or set THREATHUNTING_ZEEK to it",
        "suricata": "run 'make system' or 'apt install suricata'",
    }
    raise FileNotFoundError(f"{kinds[0].capitalize()} is not here: {how[kinds[0]]}")


def _program(kind: str) -> Path | None:
    named = os.environ.get(VARIABLES[kind])
    if not named:
        found = shutil.which(kind)
        return None if found is None else Path(found).absolute()
    for path in (Path(named), Path(named) / "bin" / kind):
        if path.is_file() and os.access(path, os.X_OK):
            return path.absolute()
    raise FileNotFoundError(f"{VARIABLES[kind]} is '{named}', where there is no {kind} to run")


def _major(program: Path) -> int | None:
    """The major version that a Suricata tells; None where it doesn't."""
    try:
        told = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(told.stdout + told.stderr)
    return None if found is None else int(found[1])


Reader = Callable[[Path, Path, Path, float | None], tuple[list[Path], list[str]]]

_READERS: dict[str, Reader] = {"zeek": zeek.read, "suricata": suricata.read}


def run(pcap: Path, workdir: Path, sensor: Sensor, timeout: float | None = None) -> PcapResult:
    """Let a sensor read a capture (plain, or in gzip, zstd, bzip2 or xz).

    All is written into ``workdir``, an empty folder. A capture that is cut short or damaged is read up to
    there, which the warnings say. Raises SensorError, an OSError, where the sensor can't read it, dies or
    takes longer than ``timeout`` seconds.
    """
    began = time.monotonic()
    workdir = workdir.absolute()
    capture, problem = unpacked(pcap.absolute(), workdir)
    warnings = [f"{pcap} {problem}"] if problem is not None else []
    checked = check(capture)
    if checked.packets == 0:
        # Sensors take this for an error.
        told = f"{pcap} {checked.problem or 'holds no packets'}"
        return PcapResult([], [*warnings, told], time.monotonic() - began)
    if checked.problem is not None:
        warnings.append(f"{pcap} {checked.problem}; what comes before was read")
        capture = beginning(capture, checked.end, workdir)
    try:
        logs, complaints = _READERS[sensor.kind](sensor.program, capture, workdir, timeout)
    except SensorError as error:
        raise SensorError(f"{pcap}: {error}") from None
    warnings += [f"{pcap}: {sensor.name}: {complaint}" for complaint in complaints]
    return PcapResult(logs, warnings, time.monotonic() - began)
