"""Real captures: what is armed is seen as Zeek's framework sees it, and conversations are captured whole."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.zeek.package.running import Records, bare, investigations, item, run

pytestmark = [pytest.mark.zeek, pytest.mark.shared]

CAPTURES = (
    "certificate-with-sct",
    "client-certificate",
    "connect-with-smtp",
    "cooper-grill-dvwa",
    "http-post-large",
    "http-vlan-0",
    "mapi",
    "multipart-form-data",
    "rfc3030-bdat-multipart-chunked",
    "smtp-one-side-only",
    "socks",
    "ssl-and-ssh-using-sslh",
    "wikipedia",
)

SEEDS = Path(__file__).with_name("seeds")
"""The same uids in every run."""

ORACLE = Path(__file__).with_name("oracle.zeek")

TYPES = {"Intel::ADDR": "addr", "Intel::DOMAIN": "domain", "Intel::URL": "url", "Intel::SOFTWARE": "software"}
TYPES |= {f"Intel::{name.upper()}": name for name in ("email", "file_hash", "file_name", "cert_hash")}
TYPES |= {"Intel::PUBKEY_HASH": "pubkey_hash", "Intel::USER_NAME": "user_name"}

WHILE_WRITING = frozenset(
    {"SMB::IN_ACCESSED_FILE", "SMB::IN_PREVIOUS_NAME", "SMB::IN_SHARE", "SMTP::IN_HELO", "SMTP::IN_ENVELOPE"}
    | {"NTLM::IN_USER_NAME", "NTLM::IN_HOST_NAME", "NTLM::IN_DOMAIN_NAME", "NTLM::IN_SERVER_NAME"}
    | {"SSH::IN_CLIENT_VERSION", "SSH::IN_SERVER_VERSION", "SSL::IN_CERT_CHAIN", "SSL::IN_CLIENT_CERT_CHAIN"}
    | {"FTP::IN_USER_NAME", "FTP::IN_URL", "FTP::IN_FILE_NAME", "FTP::IN_DATA_CHANNEL"}
    | {"KERBEROS::IN_CLIENT", "KERBEROS::IN_SERVICE", "RDP::IN_COOKIE", "RDP::IN_CLIENT_NAME"}
    | {f"SIP::IN_{name}" for name in ("URI", "FROM", "TO", "REPLY_TO", "VIA", "USER_AGENT_HEADER")}
)
"""Places that are looked at when the record itself is written."""

LOGS = [
    "conn",
    "dns",
    "files",
    "ftp",
    "http",
    "kerberos",
    "ntlm",
    "pe",
    "rdp",
    "sip",
    "smb_files",
    "smb_mapping",
    "smtp",
    "ssh",
    "ssl",
    "x509",
]

OURS = WHILE_WRITING | {
    "DNS::IN_RESPONSE",
    "HTTP::IN_URL_PATH",
    "HTTP::IN_USER_NAME",
    "HTTP::IN_FILE_NAME",
    "SMTP::IN_CC",
    "SMTP::IN_REPLY_TO",
    "SMTP::IN_MESSAGE",
    "SSH::AUTH_FAILED",
    "SSH::AUTH_SUCCESSFUL",
}
"""Places that Zeek's own scripts don't ask, or ask otherwise."""


def seen_by_zeek(folder: Path) -> Records:
    return [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]


def hunt(
    shared: Callable[[str], Path], name: str, chosen: set[tuple[str, str]], out: Path
) -> dict[str, Records]:
    """Hunt in a capture for (Zeek's type, value)."""
    [capture] = (shared("pcaps") / name).glob("*.pcap*")
    items = [item(TYPES[type_], value) for type_, value in sorted(chosen)]
    return run(out, items, "-r", str(capture), "frameworks/files/hash-all-files", str(ORACLE))


def sets_of_values(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """All that Zeek saw there, a third of it, and one."""
    known = sorted({(seen["indicator_type"], seen["indicator"].lower()) for seen in seen_by_zeek(folder)})
    chance = random.Random(folder.name)
    some = {value for value in known if chance.random() < 0.3}
    return {"all": set(known), "some": some or {known[0]}, "one": {chance.choice(known)}}


@pytest.mark.parametrize("which", ["all", "some", "one"])
@pytest.mark.parametrize("name", CAPTURES)
def test_sightings_and_conversations(
    name: str, which: str, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shared("pcaps") / name
    chosen = sets_of_values(folder)[which]
    found = hunt(shared, name, chosen, tmp_path)
    sightings = found.get("intel", [])

    expected = Counter(
        (seen["indicator"].lower(), seen["indicator_type"], seen["where"])
        for seen in seen_by_zeek(folder)
        if (seen["indicator_type"], seen["indicator"].lower()) in chosen
        and not seen["where"].startswith("Conn::")
    )
    got = Counter(
        (line["seen.indicator"].lower(), line["seen.indicator_type"], line["seen.where"])
        for line in sightings
        if not line["seen.where"].startswith("Conn::")
    )
    assert expected - got == Counter()
    assert {where for _, _, where in (got - expected)} <= OURS

    # Both ends of every connection, once.
    addrs = {value for type_, value in chosen if type_ == "Intel::ADDR"}
    ends = Counter(
        (record["uid"], where)
        for record in found.get("conn", [])
        for field, where in (("id.orig_h", "Conn::IN_ORIG"), ("id.resp_h", "Conn::IN_RESP"))
        if record[field] in addrs
    )
    assert (
        Counter(
            (line["uid"], line["seen.where"]) for line in sightings if line["seen.where"].startswith("Conn::")
        )
        == ends
    )

    flagged = {line["uid"] for line in sightings if "uid" in line}
    compare(found, tmp_path / "oracle.jsonl")
    for records in investigations(found).values():
        for record in records:
            assert record["threathunting"] is True
            assert record["threathunting_level"] == "low"
            assert len(record["threathunting_indicators"]) == len(record["threathunting_where"]) > 0
            assert {
                (f"Intel::{label.split(' ')[0].upper()}", label.split(" ", 1)[1])
                for label in record["threathunting_indicators"]
            } <= chosen
            if "uid" in record:
                assert record["uid"] in flagged
    if addrs:
        # Flagged from its first packet on, a conversation is captured whole.
        whole = {line["uid"] for line in sightings if line["seen.where"].startswith("Conn::")}
        for log, records in investigations(found).items():
            assert [bare(one) for one in records if one.get("uid") in whole] == [
                bare(one) for one in found[log] if one.get("uid") in whole
            ]


def compare(found: dict[str, Records], oracle: Path) -> None:
    """Hold each investigation log to the full log's records that were written once their conversation was seen."""
    first: dict[str, float] = {}
    writes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in oracle.read_text().splitlines():
        told = json.loads(line)
        if told["what"] == "write":
            writes[told["log"]].append(told)
            continue
        for uid in told["uids"]:
            after = told["seq"] + (0 if told["where"] in WHILE_WRITING else 0.5)
            first[uid] = min(first.get(uid, after), after)
    captured = investigations(found)
    for log in LOGS:
        full = found.get(log, [])
        assert len(full) == len(writes[log])
        due = [
            bare(record)
            for record, write in zip(full, writes[log], strict=True)
            if any(first.get(uid, float("inf")) <= write["seq"] for uid in write["uids"])
        ]
        assert [bare(record) for record in captured.get(log, [])] == due, log
        if not due:
            assert log not in captured
    assert set(captured) <= set(writes)


@pytest.mark.parametrize("name", CAPTURES)
def test_without_a_hit_all_is_as_without_the_package(
    name: str, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    [capture] = (shared("pcaps") / name).glob("*.pcap*")
    reading = ("-r", str(capture), "-G", str(SEEDS))
    armed = run(tmp_path / "armed", [item("domain", "nowhere.example"), item("ja4", "t13d")], *reading)
    unarmed = run(tmp_path / "unarmed", [], *reading)
    without = run(tmp_path / "without", [], *reading, package=False)
    for found in (armed, unarmed, without):
        for changing in ("packet_filter", "reporter"):
            found.pop(changing, None)
    assert unarmed == without
    assert armed == without
    assert "conn" in without
    assert not investigations(without)
