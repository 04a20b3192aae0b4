"""Make the benchmark's inputs: a million indicators, and logs of conn, dns and http that look like an office's.

    python bench/generate.py FOLDER [--records 1000000] [--indicators 1000000] [--hits 0.001]

Hosts, names and URLs follow a long-tailed popularity (Zipf), as traffic does, with a share of names and paths
that occur once. The generator is seeded: the same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import bisect
import gzip
import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SUBNETS = 1000
SUBDOMAIN_RULES = 1000
START = 1_760_000_000.0
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "omega",
    "news",
    "shop",
    "cdn",
    "img",
    "api",
    "mail",
    "login",
    "static",
    "video",
    "cloud",
    "data",
    "app",
    "web",
    "net",
    "home",
]
TLDS = ("com", "net", "org", "info", "de", "fr", "io", "cn", "ru", "example")
AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{v}.0 Safari/537.36"
    for v in range(80, 140)
]


def zipf(random_: random.Random, size: int, exponent: float = 1.05) -> Callable[[], int]:
    """A function that draws ranks below ``size``, the first ones often."""
    weights = list(itertools.accumulate(1 / (rank + 1) ** exponent for rank in range(size)))
    total = weights[-1]
    return lambda: bisect.bisect(weights, random_.random() * total)


def name(number: int, salt: str) -> str:
    """A domain name, one per number and salt."""
    random_ = random.Random(f"{salt}{number}")
    labels = [random_.choice(WORDS) + format(random_.getrandbits(28), "x"), random_.choice(TLDS)]
    if random_.random() < 0.6:
        labels.insert(0, random_.choice(WORDS))
    return ".".join(labels)


def address(random_: random.Random) -> str:
    """A public-looking IPv4 address."""
    return f"{random_.randint(11, 223)}.{random_.randrange(256)}.{random_.randrange(256)}.{random_.randint(1, 254)}"


def indicators(random_: random.Random, count: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(type, value, meta): addresses, domains, hashes and URLs in equal parts, subnets and subdomain rules."""
    meta: dict[str, Any] = {"source": "bench", "desc": "made for the benchmark", "level": "high"}
    for _ in range(SUBNETS):
        yield (
            "subnet",
            f"{random_.randint(11, 223)}.{random_.randrange(256)}.{random_.randrange(256)}.0/24",
            meta,
        )
    for number in range(SUBDOMAIN_RULES):
        yield "domain", name(number, "rule"), {**meta, "subdomains": True}
    for number in range(count // 4):
        yield "addr", address(random_), meta
        yield "domain", name(number, "bad"), meta
        yield "file_hash", f"{random_.getrandbits(256):064x}", meta
        yield "url", f"{name(number, 'badurl')}/{random_.choice(WORDS)}/{random_.getrandbits(32):x}.php", meta


class Traffic:
    """Draws records; a share ``hits`` of them holds an indicator."""

    def __init__(self, random_: random.Random, found: list[tuple[str, str]], hits: float) -> None:
        """``found`` are (type, value) of the indicators to be hit."""
        self.random = random_
        self.hits = hits
        self.clients = [
            f"10.{random_.randrange(16)}.{random_.randrange(256)}.{random_.randint(1, 254)}"
            for _ in range(5000)
        ]
        self.servers = [address(random_) for _ in range(50_000)]
        self.names = [name(number, "good") for number in range(100_000)]
        self.server = zipf(random_, len(self.servers))
        self.site = zipf(random_, len(self.names))
        self.agent = zipf(random_, len(AGENTS))
        self.bad: dict[str, list[str]] = {}
        for type, value in found:
            self.bad.setdefault(type, []).append(value)
        self.number = 0

    def common(self) -> dict[str, Any]:
        """The fields that every log begins with."""
        self.number += 1
        random_ = self.random
        server = address(random_) if random_.random() < 0.1 else self.servers[self.server()]
        if random_.random() < self.hits:
            server = random_.choice(self.bad["addr"])
        return {
            "ts": round(START + self.number * 0.0137, 6),
            "uid": "C" + format(random_.getrandbits(92), "x")[:17],
            "id.orig_h": random_.choice(self.clients),
            "id.orig_p": random_.randint(1024, 65535),
            "id.resp_h": server,
            "id.resp_p": 443,
        }

    def host(self) -> str:
        """A name, mostly popular, one in ten never seen again."""
        if self.random.random() < self.hits:
            return self.random.choice(self.bad["domain"])
        if self.random.random() < 0.1:
            return f"{self.random.getrandbits(48):x}.{self.names[self.site()]}"
        return self.names[self.site()]

    def conn(self) -> dict[str, Any]:
        """A line of conn.log."""
        random_ = self.random
        return self.common() | {
            "proto": "tcp",
            "service": "ssl",
            "duration": round(random_.expovariate(0.2), 6),
            "orig_bytes": random_.randrange(5000),
            "resp_bytes": random_.randrange(90000),
            "conn_state": "SF",
            "local_orig": True,
            "local_resp": False,
            "missed_bytes": 0,
            "history": "ShADadFf",
            "orig_pkts": random_.randrange(40),
            "orig_ip_bytes": random_.randrange(8000),
            "resp_pkts": random_.randrange(80),
            "resp_ip_bytes": random_.randrange(99000),
            "ip_proto": 6,
        }

    def dns(self) -> dict[str, Any]:
        """A line of dns.log."""
        random_ = self.random
        return self.common() | {
            "id.resp_p": 53,
            "proto": "udp",
            "trans_id": random_.getrandbits(16),
            "rtt": round(random_.random() / 10, 6),
            "query": self.host(),
            "qclass": 1,
            "qclass_name": "C_INTERNET",
            "qtype": 1,
            "qtype_name": "A",
            "rcode": 0,
            "rcode_name": "NOERROR",
            "AA": False,
            "TC": False,
            "RD": True,
            "RA": True,
            "Z": 0,
            "answers": [self.servers[self.server()] for _ in range(random_.randint(1, 3))],
            "TTLs": [300.0],
            "rejected": False,
        }

    def http(self) -> dict[str, Any]:
        """A line of http.log."""
        random_ = self.random
        host, uri = (
            self.host(),
            f"/{random_.choice(WORDS)}/{random_.getrandbits(32):x}?id={random_.getrandbits(16)}",
        )
        if random_.random() < self.hits:
            host, _, path = random_.choice(self.bad["url"]).partition("/")
            uri = "/" + path
        record = self.common() | {
            "id.resp_p": 80,
            "trans_depth": 1,
            "method": "GET",
            "host": host,
            "uri": uri,
            "version": "1.1",
            "user_agent": AGENTS[self.agent()],
            "request_body_len": 0,
            "response_body_len": random_.randrange(90000),
            "status_code": 200,
            "status_msg": "OK",
            "tags": [],
            "resp_fuids": ["F" + format(random_.getrandbits(92), "x")[:17]],
            "resp_mime_types": ["text/html"],
        }
        if random_.random() < 0.5:
            record["referrer"] = (
                f"http://{self.names[self.site()]}/{random_.choice(WORDS)}/{random_.getrandbits(20):x}"
            )
        return record


def main() -> None:
    """Write intel.jsonl, conn.log, dns.log, http.log and, if asked, conn.log.gz to the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000, help="records of each log")
    parser.add_argument("--indicators", type=int, default=1_000_000)
    parser.add_argument("--hits", type=float, default=0.001, help="share of values that are indicators")
    parser.add_argument("--gz", action="store_true", help="write a .gz beside each log")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    random_ = random.Random(20261124)
    sample: list[tuple[str, str]] = []
    with (arguments.folder / "intel.jsonl").open("w") as file:
        for number, (type, value, meta) in enumerate(indicators(random_, arguments.indicators)):
            file.write(json.dumps({"ioc": value, "type": type, "meta": meta}) + "\n")
            if number % 100 == 0 or number % 101 == 0 or number % 103 == 0:
                sample.append((type, value))
    traffic = Traffic(random_, sample, arguments.hits)
    logs = arguments.folder / "logs"
    logs.mkdir(exist_ok=True)
    for log in ("conn", "dns", "http"):
        make = getattr(traffic, log)
        with (logs / f"{log}.log").open("w") as file:
            for _ in range(arguments.records):
                file.write(json.dumps(make(), separators=(",", ":")) + "\n")
        if arguments.gz:
            packed = arguments.folder / "gz"
            packed.mkdir(exist_ok=True)
            with (
                (logs / f"{log}.log").open("rb") as plain,
                gzip.open(packed / f"{log}.log.gz", "wb", 6) as out,
            ):
                while block := plain.read(1 << 20):
                    out.write(block)


if __name__ == "__main__":
    main()
