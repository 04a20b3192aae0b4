"""Suricata over a capture: no rules, no daemon, and every event that a plugin can use in one EVE file."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import msgspec

from threathunting.sensors.pcap.process import SensorError, run_child
from threathunting.sensors.pcap.steady import make_steady

CONFIG = "suricata.yaml"
EVE = "eve.json"

_EXPECTED = re.compile(
    # Suricata 7 has not all that our configuration asks of 8, and the end of the input stops the engine.
    r"unknown 'custom' field|No output module named|Signal Received"
)
_READ = re.compile(r"read (\d+) files?, \d+ packets")
_decoder = msgspec.json.Decoder()


def read(program: Path, capture: Path, folder: Path, timeout: float | None) -> tuple[list[Path], list[str]]:
    """Let Suricata read a capture; the EVE file (made steady) and what it complained about.

    Raises SensorError where it didn't read all of the capture, of which its exit status tells nothing.
    """
    config = folder / CONFIG
    config.write_bytes((resources.files(__package__) / CONFIG).read_bytes())
    command: list[str | Path] = [program, "-c", config, "--disable-detection", "--runmode", "single"]
    # Captures from the sending host have wrong checksums, which its network card would have filled in.
    command += ["-k", "none", "-r", capture, "-l", folder]
    status, output = run_child("Suricata", command, folder, timeout, hopeless=b"failed to initialize")
    complaints, files = _messages(output)
    if status != 0 or not files:
        reason = complaints[0] if complaints else f"it ended with status {status} and gave no reason"
        raise SensorError(f"Suricata could not read it: {reason}")
    eve = folder / EVE
    if not eve.exists():
        raise SensorError(f"Suricata wrote no {EVE}")
    make_steady(eve)
    return [eve], complaints


def _messages(output: str) -> tuple[list[str], int]:
    """What Suricata complained about, and how many files it says it has read."""
    complaints = []
    files = 0
    for line in output.splitlines():
        try:
            told = _decoder.decode(line)
            level, message = told["log_level"], told["engine"]["message"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            continue
        found = _READ.search(message)
        if found is not None:
            files = int(found[1])
        if level not in ("Notice", "Info", "Debug") and not _EXPECTED.search(message):
            complaints.append(str(message).strip().rstrip("."))
    return complaints, files
