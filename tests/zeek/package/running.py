"""Running a real Zeek with our package, and reading what it writes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from threathunting.sensors.pcap import find_sensor

PACKAGE = Path(__file__).resolve().parents[3] / "zeek" / "scripts"

Item = dict[str, Any]
Records = list[dict[str, Any]]


def program() -> str:
    """The Zeek to run; skips where there is none."""
    try:
        return str(find_sensor("zeek").program)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would make the Zeek another one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEEK", "CLUSTER"))}
    return kept | dict(more or {})


def item(type: str, value: str, source: str = "SOAR", level: str = "low", **more: Any) -> Item:
    """An item as the link carries it."""
    return {"v": value, "t": type, "s": source, "l": level} | more


def run(
    folder: Path, items: Iterable[Item], *args: str, script: str = "", package: bool = True
) -> dict[str, Records]:
    """Run Zeek in ``folder`` until it ends; its logs by name."""
    folder.mkdir(parents=True, exist_ok=True)
    script_file = folder / "test.zeek"
    script_file.write_text(script)
    batch = folder / "items.jsonl"
    batch.write_text(json.dumps(list(items)) + "\n")
    command = [program(), "-C", *args, "LogAscii::use_json=T"]
    if package:
        command += [str(PACKAGE), str(script_file), f'ThreatHunting::arm_files={{"{batch}"}}']
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr, done.stderr
    return logs(folder)


def logs(folder: Path) -> dict[str, Records]:
    """The JSON logs in a folder, by name without ``.log``."""
    return {
        path.stem: [json.loads(line) for line in path.read_text(errors="surrogateescape").splitlines()]
        for path in sorted(folder.glob("*.log"))
    }


def investigations(found: Mapping[str, Records]) -> dict[str, Records]:
    """The investigation logs alone, by the name of the log that they are of."""
    return {
        name.removesuffix("-investigation"): records
        for name, records in found.items()
        if name.endswith("-investigation")
    }


MARKS: tuple[str, ...] = ("threathunting", "threathunting_indicators", "threathunting_where")
MARKS += ("threathunting_level", "threathunting_unverified")
CONTENT: tuple[str, ...] = ("request_headers", "request_body", "request_body_sha256")
CONTENT += tuple(name.replace("request", "response") for name in CONTENT)


LEFT_OUT = ("subject", "issuer", "client_subject", "client_issuer")
"""Zeek's ssl.log leaves these to x509.log; an investigation has them at once."""


def bare(record: dict[str, Any]) -> str:
    """A record without what only investigation logs have, to compare."""
    kept = {name: value for name, value in record.items() if name not in MARKS + CONTENT + LEFT_OUT}
    return json.dumps(kept, sort_keys=True)
