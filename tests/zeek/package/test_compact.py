"""Armed compactly, on a live Zeek: filters, questions and answers, records that wait, and what is unsure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.zeek import traffic
from tests.zeek.package.compact import CompactLink
from tests.zeek.package.link import lone_zeek

pytestmark = pytest.mark.zeek

ZEEK = {"zeek"}


def records(folder: Path, log: str) -> list[dict[str, Any]]:
    path = folder / f"{log}.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def zeek(folder: Path, script: str = "") -> Iterator[CompactLink]:
    """A Zeek on loopback, when it captures."""
    with lone_zeek(folder, "-i", "lo", script=script) as (bare, _):
        link = CompactLink(int(bare.socket.remote_address[1]))
        link.hello(ZEEK)
        yield link
        link.close()


def test_a_confirmed_value_is_captured_whole(tmp_path: Path) -> None:
    with zeek(tmp_path) as link, traffic.web() as port:
        link.know("domain evil.example", source="SOAR", level="critical", d="a test")
        link.fill(1, {"domain": ["evil.example", "other.example"]}, ZEEK)
        state = link.hello(ZEEK)["zeek"]
        assert (state["mode"], state["armed"]) == ("compact", 2)
        assert state["compact"] == {"test": {"generation": 1, "building": 0, "exact": 2, "subdomains": 0}}
        traffic.get(port, "fine.example")
        traffic.get(port, "evil.example")
        link.serve(lambda: len(records(tmp_path, "conn-investigation")) == 1)
        [sighting] = link.serve(link.sightings)
        assert (sighting["seen.indicator"], sighting["level"], sighting["sources"]) == (
            "evil.example",
            "critical",
            ["SOAR"],
        )
        assert [(one["t"], one["v"], one["w"]) for one in link.asked] == [
            ("domain", "evil.example", "HTTP::IN_HOST_HEADER")
        ]
        for log in ("conn", "http", "files"):
            [record] = records(tmp_path, f"{log}-investigation")
            assert record["threathunting_indicators"] == ["domain evil.example"]
            assert record["threathunting_level"] == "critical"
            assert "threathunting_unverified" not in record
        [http] = records(tmp_path, "http-investigation")
        assert "Host: evil.example" in [line.replace("HOST", "Host") for line in http["request_headers"]]
        counts = link.hello(ZEEK)["zeek"]
        assert (counts["asked"], counts["confirmed"], counts["denied"], counts["unverified"]) == (1, 1, 0, 0)
        assert (counts["pending"], counts["waiting_records"]) == (0, 0)
