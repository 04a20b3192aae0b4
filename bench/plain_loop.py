"""The reference: what a person writes in ten minutes. ``orjson.loads`` a line, and look its fields up in sets.

    python bench/plain_loop.py INTEL LOG...

Prints one JSON object: seconds for the intel, seconds for the logs, and hits. It canonicalises nothing, knows no
subnets or subdomains, keeps no conversation, and stops at the first bad line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import orjson

FIELDS = {
    "conn": (("id.orig_h", "addr"), ("id.resp_h", "addr")),
    "dns": (("query", "domain"), ("answers", "addr"), ("answers", "domain")),
    "http": (("host", "domain"), ("host", "addr"), ("referrer", "url"), ("user_agent", "software")),
}


def main() -> None:
    """Load, loop, print."""
    began = time.perf_counter()
    armed: dict[str, set[str]] = {"addr": set(), "domain": set(), "url": set(), "software": set()}
    with Path(sys.argv[1]).open("rb") as file:
        for line in file:
            message = orjson.loads(line)
            armed.setdefault(message["type"], set()).add(message["ioc"])
    loaded = time.perf_counter()
    hits = 0
    urls = armed["url"]
    for name in sys.argv[2:]:
        path = Path(name)
        fields = [(field, armed[type]) for field, type in FIELDS[path.name.split(".")[0]]]
        is_http = path.name.startswith("http")
        with path.open("rb") as file:
            for line in file:
                record = orjson.loads(line)
                for field, values in fields:
                    value = record.get(field)
                    if value.__class__ is list:
                        for element in value:
                            if element in values:
                                hits += 1
                    elif value in values:
                        hits += 1
                if is_http and record["host"] + record["uri"] in urls:
                    hits += 1
    done = time.perf_counter()
    print(json.dumps({"intel": loaded - began, "logs": done - loaded, "hits": hits}))


if __name__ == "__main__":
    main()
