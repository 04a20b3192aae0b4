"""Where the example lies: in the package of an installation, in ``examples/`` of a checkout."""

from __future__ import annotations

from pathlib import Path

import threathunting

CAPTURE, RECORDED, INTEL, ALLOW = "traffic.pcap", "zeek", "intel.jsonl", "allowlist.txt"


def example(name: str) -> Path:
    """A file or folder of the example. Raises FileNotFoundError where it isn't."""
    package = Path(threathunting.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"the example's {name} is neither in the package nor beside it; install threathunting anew"
    )
