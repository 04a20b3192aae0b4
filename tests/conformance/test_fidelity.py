"""A whole hunt over a day of logs finds what Zeek's Intelligence Framework saw: ../shared/fidelity/README.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from threathunting.hunt.engine import Hunt, Settings
from threathunting.intel.canonical import canonical
from threathunting.intel.load import load
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, Registry
from threathunting.sensors.discover import discover
from threathunting.sinks.jsonl import Folder

from ..quiet import Quiet

pytestmark = pytest.mark.shared

TYPES = {type.zeek_name: type for type in IndicatorType}

# Wheres of Zeek's own scripts (policy/frameworks/intel/seen); Conn::* goes further than Zeek on purpose.
ZEEKS = {
    "Files::IN_HASH", "Files::IN_NAME", "DNS::IN_REQUEST", "HTTP::IN_HOST_HEADER", "HTTP::IN_REFERRER_HEADER",
    "HTTP::IN_USER_AGENT_HEADER", "HTTP::IN_X_FORWARDED_FOR_HEADER", "HTTP::IN_URL", "SMTP::IN_MAIL_FROM",
    "SMTP::IN_RCPT_TO", "SMTP::IN_FROM", "SMTP::IN_TO", "SMTP::IN_CC", "SMTP::IN_RECEIVED_HEADER",
    "SMTP::IN_REPLY_TO", "SMTP::IN_X_ORIGINATING_IP_HEADER", "SMTP::IN_MESSAGE", "SSH::IN_SERVER_HOST_KEY",
    "SSL::IN_SERVER_NAME", "SMTP::IN_HEADER", "X509::IN_CERT", "SMB::IN_FILE_NAME",
}  # fmt: skip

Key = tuple[str | None, str, str]


def key(line: dict[str, Any], where: str, certificates: frozenset[str] = frozenset()) -> Key | None:
    """What an expected sighting and one of ours have in common; None where the value is no value of its type."""
    type = TYPES[line["seen.indicator_type"]]
    try:
        value = canonical(type, line["seen.indicator"])
    except ValueError:
        return None
    # x509.log has no fuid any more, and no log names the fuid of a certificate that Zeek hashed as a file.
    by_value = where == "X509::IN_CERT" or (line["seen.where"] == "Files::IN_HASH" and value in certificates)
    return (None if by_value else line.get("uid") or line.get("fuid"), type.value, value)


def keys_of_ours(line: dict[str, Any]) -> set[Key]:
    type = TYPES[line["seen.indicator_type"]]
    value = line["seen.indicator"]
    return {(id_, type.value, value) for id_ in (line.get("uid"), line.get("fuid"), None)}


@pytest.fixture(scope="module")
def hunted(
    shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Any], list[Any]]:
    folder = shared("fidelity")
    store, registry, out = Store(), Registry(BUILTIN), tmp_path_factory.mktemp("fidelity")
    assert load([folder / "intel.jsonl"], store).refused == 0
    units = discover([str(folder / "logs")], registry.logs.keys()).units
    outcome = Hunt(store, registry, Settings(), Folder(out), Quiet(), out).run(units)
    assert outcome.report.bad_records == 0
    ours = [json.loads(line) for line in (out / "intel.log").read_bytes().splitlines()]
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_bytes().splitlines()]
    assert outcome.sightings == len(ours)
    return ours, expected


def test_recall(hunted: tuple[list[Any], list[Any]]) -> None:
    ours, expected = hunted
    found = set().union(*map(keys_of_ours, ours))
    wanted = [line for line in expected if line["in_logs"]]
    certificates = frozenset(line["seen.indicator"] for line in ours if line["log"] in ("x509", "ssl"))
    missed = [line for line in wanted if key(line, line["seen.where"], certificates) not in found]
    print(missed)
    by_where = Counter(line["seen.where"] for line in missed)
    assert len(wanted) > 2000
    assert len(missed) <= 0.01 * len(wanted), by_where


def test_precision(hunted: tuple[list[Any], list[Any]]) -> None:
    ours, expected = hunted
    allowed = {key(line, line["seen.where"]) for line in expected} | {
        # A sighting may name the file or the connection, where the expected one names the other.
        key(line, "X509::IN_CERT") for line in expected if line["seen.where"] == "X509::IN_CERT"
    }  # fmt: skip
    by_id: dict[tuple[str, str], set[str | None]] = {}
    for found in allowed - {None}:
        assert found is not None
        by_id.setdefault(found[1:], set()).add(found[0])
    zeeks = [line for line in ours if line["seen.where"] in ZEEKS]
    wrong = [
        line
        for line in zeeks
        if by_id.get((TYPES[line["seen.indicator_type"]].value, line["seen.indicator"]), set()).isdisjoint(
            {line.get("uid"), line.get("fuid")} | ({None} if line["seen.where"] == "X509::IN_CERT" else set())
        )
    ]
    assert len(zeeks) > 1000
    assert len(wrong) <= 0.01 * len(zeeks), Counter(line["seen.where"] for line in wrong)
