"""The reference: what a person writes in ten minutes. ``orjson.loads`` a line, and look its fields up in sets.

    python bench/plain_loop.py INTEL LOG...

Prints one JSON object: seconds for the intel, seconds for the logs, and hits. It looks at the fields in which a hunt
with this intel looks, in their plainest form. It canonicalises nothing, knows no subnets, subdomains or ports, keeps
no conversation, writes no result, and stops at the first bad line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

Armed = dict[str, set[str]]


def conn(record: dict[str, Any], armed: Armed) -> int:
    """Both ends."""
    addrs = armed["addr"]
    return (record.get("id.orig_h") in addrs) + (record.get("id.resp_h") in addrs)


def dns(record: dict[str, Any], armed: Armed) -> int:
    """The query, and the answers as addresses and as names."""
    addrs, domains = armed["addr"], armed["domain"]
    hits = int(record.get("query") in domains)
    for answer in record.get("answers") or ():
        hits += (answer in addrs) + (answer in domains)
    return hits


def http(record: dict[str, Any], armed: Armed) -> int:
    """The host, the URL with and without its query, the referrer and its host, the user agent, proxies."""
    addrs, domains, urls = armed["addr"], armed["domain"], armed["url"]
    host, uri = record.get("host") or "", record.get("uri") or ""
    hits = (host in domains) + (host in addrs) + (host + uri in urls) + (host + uri.partition("?")[0] in urls)
    referrer = record.get("referrer")
    if referrer is not None:
        bare = referrer.partition("://")[2]
        site = bare.partition("/")[0]
        hits += (bare in urls) + (bare.partition("?")[0] in urls) + (site in domains) + (site in addrs)
    origin = record.get("origin")
    if origin is not None:
        hits += origin.partition("://")[2] in domains
    for header in record.get("proxied") or ():
        hits += header.rpartition(" -> ")[2] in addrs
    return hits + (record.get("user_agent") in armed["software"])


LOOK: dict[str, Callable[[dict[str, Any], Armed], int]] = {"conn": conn, "dns": dns, "http": http}


def main() -> None:
    """Load, loop, print."""
    began = time.perf_counter()
    armed: Armed = {"addr": set(), "domain": set(), "url": set(), "software": set()}
    with Path(sys.argv[1]).open("rb") as file:
        for line in file:
            message = orjson.loads(line)
            armed.setdefault(message["type"], set()).add(message["ioc"])
    loaded = time.perf_counter()
    hits = 0
    for name in sys.argv[2:]:
        path = Path(name)
        look = LOOK[path.name.split(".")[0]]
        with path.open("rb") as file:
            for line in file:
                hits += look(orjson.loads(line), armed)
    done = time.perf_counter()
    print(json.dumps({"intel": loaded - began, "logs": done - loaded, "hits": hits}))


if __name__ == "__main__":
    main()
