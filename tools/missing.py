"""Say in one line each what the tests will skip for want of a system package, and how to get it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import kafka_jars

SHARED = Path(__file__).resolve().parents[2] / "shared"


def main() -> int:
    """Print what is missing; status 1 where it may not be (CI=true), a real Zeek excepted."""
    ci = os.environ.get("CI") == "true"
    missing = []
    if shutil.which("suricata") is None and not os.environ.get("THREATHUNTING_SURICATA"):
        missing.append("no Suricata: tests of captures are skipped; 'make system' installs it")
    if (problem := kafka_jars.problem()) is not None:
        missing.append(f"{problem}: tests with a Kafka broker are skipped")
    if not SHARED.is_dir():
        missing.append("no test data beside the checkout: fidelity and ECS tests are skipped")
    for line in missing:
        print(("ERROR: " if ci else "note: ") + line, file=sys.stderr)
    if shutil.which("zeek") is None and not os.environ.get("THREATHUNTING_ZEEK"):
        print(
            "NOTE: NO ZEEK on PATH or in $THREATHUNTING_ZEEK: tests with a real Zeek ARE SKIPPED",
            file=sys.stderr,
        )
    return int(ci and bool(missing))


if __name__ == "__main__":
    sys.exit(main())
