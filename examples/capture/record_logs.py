#!/usr/bin/env python3
"""Write what sensors say about ``traffic.pcap``: Suricata's ``eve.json`` and Zeek's logs in ``zeek/``.

    python3 examples/capture/record_logs.py [FOLDER]

FOLDER, with the capture, is ``examples`` unless given. Suricata (7 or 8) is looked for on PATH and runs with
the project's own configuration; Zeek (8) is taken from $THREATHUNTING_ZEEK or PATH. What is not there is left
out, and its logs stay as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIGURATION = HERE.parents[1] / "src" / "threathunting" / "sensors" / "pcap" / "suricata.yaml"
ZEEK_SCRIPTS = (
    "policy/protocols/conn/community-id-logging",
    "policy/protocols/ssh/md5-host-key-logging",
    "policy/frameworks/files/hash-all-files",
)
ZEEK_SETTINGS = """
redef LogAscii::use_json = T;
redef Site::private_address_space_is_local = F;
redef Site::local_nets += { 10.20.0.0/24, [2001:db8:20::]/64 };
"""
ABOUT_ZEEK_ITSELF = (
    "packet_filter",
    "reporter",
    "analyzer",
    "capture_loss",
    "loaded_scripts",
    "stats",
    "telemetry",
)


def main() -> None:
    """Record what can be recorded here; at least one sensor must be there."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent
    capture = folder.resolve() / "traffic.pcap"
    suricata = shutil.which("suricata")
    zeek = shutil.which(os.environ.get("THREATHUNTING_ZEEK") or "zeek")
    if not suricata and not zeek:
        sys.exit("record_logs: finds neither suricata nor zeek on PATH")
    if suricata:
        report(record_suricata(suricata, capture, folder / "eve.json"))
    if zeek:
        report(*record_zeek(zeek, capture, folder / "zeek"))


def report(*files: Path) -> None:
    """Say what was written."""
    for file in files:
        print(f"{file}: {file.stat().st_size} bytes")


def record_suricata(program: str, capture: Path, target: Path) -> Path:
    """Suricata's events, as the project itself has them made."""
    with tempfile.TemporaryDirectory() as name:
        how = ("--disable-detection", "--runmode", "single", "-k", "none")
        command = [program, "-c", str(CONFIGURATION), *how, "-r", str(capture), "-l", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        if "read 1 file" not in done.stdout:
            sys.exit(f"record_logs: suricata did not read {capture}: {done.stdout[-500:]}")
        shutil.copyfile(Path(name) / "eve.json", target)
    return target


def record_zeek(program: str, capture: Path, target: Path) -> list[Path]:
    """Zeek's logs on the traffic, one JSON object a line, with the same uids for the same capture."""
    with tempfile.TemporaryDirectory() as name:
        command = [program, "--deterministic", "-C", "-r", str(capture), *ZEEK_SCRIPTS, "-e", ZEEK_SETTINGS]
        subprocess.run(command, cwd=name, check=True)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        logs = [log for log in sorted(Path(name).glob("*.log")) if log.stem not in ABOUT_ZEEK_ITSELF]
        return [Path(shutil.copyfile(log, target / log.name)) for log in logs]


if __name__ == "__main__":
    main()
