"""Records as Zeek logs them, as zeek-kafka writes them: for the benchmark of the live service."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

ENDS = {"id.orig_h": "10.0.0.1", "id.orig_p": 50000, "id.resp_h": "192.0.2.1", "id.resp_p": 80}
HITS = 100
"""One conversation in so many has a sighting."""

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "curl/8.5.0",
    "python-requests/2.32",
)


def conversations(count: int, ts: float, step: float) -> Iterator[tuple[str, list[bytes]]]:
    """(uid, tagged records) of conversations as Zeek logs them: DNS, connection, HTTP, and the file it got."""
    for number in range(count):
        uid = f"C{number:017x}"
        hit = number % HITS == 0
        host = "evil.example" if hit else f"www{number % 9973}.example.org"
        at = ts + number * step
        base = {"ts": at, "uid": uid, **ENDS, "id.orig_p": 1024 + number % 60000}
        yield (
            uid,
            [
                msgspec.json.encode({log: record})
                for log, record in (
                    (
                        "dns",
                        {
                            **base,
                            "proto": "udp",
                            "trans_id": number % 65536,
                            "query": host,
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
                            "answers": [f"198.51.100.{number % 200}"],
                            "TTLs": [60.0],
                        },
                    ),
                    (
                        "conn",
                        {
                            **base,
                            "proto": "tcp",
                            "service": "http",
                            "duration": 0.25,
                            "orig_bytes": 412,
                            "resp_bytes": 12044,
                            "conn_state": "SF",
                            "local_orig": True,
                            "local_resp": False,
                            "missed_bytes": 0,
                            "history": "ShADadFf",
                            "orig_pkts": 9,
                            "orig_ip_bytes": 892,
                            "resp_pkts": 14,
                            "resp_ip_bytes": 12780,
                        },
                    ),
                    (
                        "http",
                        {
                            **base,
                            "trans_depth": 1,
                            "method": "GET",
                            "host": host,
                            "uri": f"/articles/{number % 5000}/index.html",
                            "version": "1.1",
                            "user_agent": AGENTS[number % 3],
                            "request_body_len": 0,
                            "response_body_len": 11800,
                            "status_code": 200,
                            "status_msg": "OK",
                            "tags": [],
                            "resp_fuids": [f"F{number:016x}"],
                            "resp_mime_types": ["text/html"],
                        },
                    ),
                    (
                        "files",
                        {
                            **base,
                            "fuid": f"F{number:016x}",
                            "source": "HTTP",
                            "depth": 0,
                            "analyzers": ["SHA1", "MD5"],
                            "mime_type": "text/html",
                            "duration": 0.01,
                            "local_orig": False,
                            "is_orig": False,
                            "seen_bytes": 11800,
                            "total_bytes": 11800,
                            "missing_bytes": 0,
                            "overflow_bytes": 0,
                            "timedout": False,
                            "md5": f"{number:032x}",
                            "sha1": f"{number:040x}",
                        },
                    ),
                )
            ],
        )
