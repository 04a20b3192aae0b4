"""Conversations: what is captured, by what, in any order of logs, with any number of workers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threathunting.intel.types import Item

from ..making import ENDS, armed, hunt, read, write_log

SHA = "2d8390683adceb0248064b740a80504bf15af8f18841b9bb68ef9f07e5dee4de"
FINGERPRINT = "ab" * 32


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def conn(uid: str, ts: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"ts": ts, "uid": uid, **ENDS, "conn_state": "SF", **more}


def uids(path: Path) -> list[str]:
    return [record["uid"] for record in read(path)]


def test_a_sighting_captures_what_came_before_and_what_follows(logs: Path, out: Path) -> None:
    http = [{"ts": ts, "uid": uid, **ENDS, "host": host} for ts, uid, host in
            ((1, "C1", "a.example"), (2, "C1", "evil.example"), (3, "C1", "b.example"), (4, "C2", "a.example"))]  # fmt: skip
    write_log(logs / "http.log", http)
    # conn.log comes first by name and last by time.
    write_log(logs / "conn.log", [conn("C1", 1.0), conn("C2", 4.0)])
    write_log(
        logs / "weird.log", [{"ts": 2, "uid": "C1", "name": "odd"}, {"ts": 2, "uid": "C9", "name": "odd"}]
    )
    outcome = hunt(logs, armed(("domain", "evil.example")), out)
    assert outcome.sightings == 1
    assert uids(out / "http-investigation.log") == ["C1", "C1", "C1"]
    assert uids(out / "conn-investigation.log") == ["C1"]
    assert uids(out / "weird-investigation.log") == ["C1"]
    assert outcome.captured == {"http-investigation": 3, "conn-investigation": 1, "weird-investigation": 1}


def test_what_did_not_match_is_in_no_file(logs: Path, out: Path) -> None:
    write_log(logs / "conn.log", [conn("C1")])
    outcome = hunt(logs, armed(("domain", "evil.example")), out)
    assert outcome.report.records == 1
    assert sorted(path.name for path in out.iterdir()) == ["summary.json"]


def test_the_sighting_has_zeeks_names_the_level_and_the_items(logs: Path, out: Path) -> None:
    write_log(logs / "http.log", [{"ts": 5.5, "uid": "C1", **ENDS, "host": "www.evil.example", "uri": "/"}])
    store = armed(
        (
            "domain",
            "evil.example",
            Item("feed", level="medium", subdomains=True, desc="all of it", tags=("apt",)),
        ),
        ("domain", "www.evil.example", Item("SOAR", level="critical", confidence=90)),
        ("domain", "www.evil.example", Item("feed", level="low", expires=5.0)),
    )
    hunt(logs, store, out)
    (line,) = read(out / "intel.log")
    assert {name: line[name] for name in ("ts", "uid", *ENDS)} == {"ts": 5.5, "uid": "C1", **ENDS}
    assert line["seen.indicator"] == "www.evil.example"
    assert line["seen.indicator_type"] == "Intel::DOMAIN"
    assert line["seen.where"] == "HTTP::IN_HOST_HEADER"
    assert line["matched"] == ["Intel::DOMAIN"]
    assert line["sources"] == ["SOAR", "feed"]
    assert line["level"] == "critical"
    # The expired item is not told; the rule for subdomains is, as its own indicator.
    assert [(item["indicator"], item["source"], item["level"]) for item in line["intel"]] == [
        ("www.evil.example", "SOAR", "critical"),
        ("evil.example", "feed", "medium"),
    ]
    assert line["intel"][1]["tags"] == ["apt"]


def test_an_investigation_is_the_record_untouched_and_the_intel(logs: Path, out: Path) -> None:
    raw = '{"ts":1.10,  "uid":"C1","big":12345678901234567890123,"name":"\\u00e9","id.orig_h":"192.0.2.66"}'
    (logs / "conn.log").write_text(raw + "\n")
    hunt(logs, armed(("addr", "192.0.2.66")), out)
    (line,) = (out / "conn-investigation.log").read_text().splitlines()
    assert line.startswith(raw[:-1] + ',"threathunting":true,"investigation_id":"')
    captured = json.loads(line)
    assert captured["level"] == "high"
    assert captured["intel"] == [
        {
            "indicator": "192.0.2.66",
            "indicator_type": "Intel::ADDR",
            "where": "Conn::IN_ORIG",
            "source": "test",
            "level": "high",
        }
    ]


def test_fields_of_our_names_keep_their_values(logs: Path, out: Path) -> None:
    write_log(logs / "conn.log", [conn("C1", level=3, intel="own", threathunting=False)])
    hunt(logs, armed(("addr", "192.0.2.1")), out)
    (line,) = read(out / "conn-investigation.log")
    assert (line["original.level"], line["original.intel"], line["original.threathunting"]) == (
        3,
        "own",
        False,
    )
    assert line["threathunting"] is True
    assert line["level"] == "high"


def test_a_file_flags_its_connection_and_all_its_files(logs: Path, out: Path) -> None:
    write_log(logs / "files.log", [
        {"ts": 1, "fuid": "F1", "uid": "C1", **ENDS, "source": "HTTP", "sha256": SHA},
        {"ts": 1, "fuid": "F2", "uid": "C1", **ENDS, "source": "HTTP"},
        {"ts": 1, "fuid": "F3", "uid": "C2", **ENDS, "source": "HTTP"},
    ])  # fmt: skip
    write_log(
        logs / "pe.log", [{"ts": 1, "id": "F2", "machine": "AMD64"}, {"ts": 1, "id": "F3", "machine": "I386"}]
    )
    write_log(logs / "http.log", [{"ts": 1, "uid": "C1", **ENDS, "resp_fuids": ["F1"]}])
    outcome = hunt(logs, armed(("file_hash", SHA)), out)
    assert [line["fuid"] for line in read(out / "files-investigation.log")] == ["F1", "F2"]
    assert [line["id"] for line in read(out / "pe-investigation.log")] == ["F2"]
    assert uids(out / "http-investigation.log") == ["C1"]
    assert len(outcome.conversations) == 1


def test_a_file_without_uid_is_tied_to_the_conversation_that_names_it(logs: Path, out: Path) -> None:
    """As files.log was before Zeek 6, and as x509.log is."""
    write_log(logs / "x509.log", [
        {"ts": 1, "fingerprint": FINGERPRINT, "certificate.subject": "CN=evil.example", "san.dns": ["evil.example"]},
        {"ts": 1, "fingerprint": "cd" * 32, "certificate.subject": "CN=good.example"},
        {"ts": 9, "fingerprint": FINGERPRINT, "certificate.subject": "CN=evil.example", "san.dns": ["evil.example"]},
    ])  # fmt: skip
    write_log(logs / "ssl.log", [
        {"ts": 1, "uid": "C1", **ENDS, "cert_chain_fps": [FINGERPRINT, "ee" * 32]},
        {"ts": 1, "uid": "C2", **ENDS, "cert_chain_fps": ["cd" * 32, "ee" * 32]},
    ])  # fmt: skip
    write_log(logs / "conn.log", [conn("C1"), conn("C2")])
    write_log(
        logs / "files.log",
        [{"ts": 1, "fuid": "F1", "conn_uids": ["C1"]}, {"ts": 1, "fuid": "F2", "conn_uids": ["C2"]}],
    )
    outcome = hunt(logs, armed(("domain", "evil.example")), out)
    assert uids(out / "conn-investigation.log") == ["C1"]
    assert uids(out / "ssl-investigation.log") == ["C1"]
    assert [line["fuid"] for line in read(out / "files-investigation.log")] == ["F1"]
    # The certificate is one file, logged again and again: it is captured once.
    assert [line["fingerprint"] for line in read(out / "x509-investigation.log")] == [FINGERPRINT]
    assert outcome.captured["x509-investigation"] == 1


def test_a_shared_certificate_does_not_flag_other_conversations(logs: Path, out: Path) -> None:
    write_log(logs / "ssl.log", [
        {"ts": 1, "uid": "C1", **ENDS, "server_name": "evil.example", "cert_chain_fps": [FINGERPRINT]},
        {"ts": 1, "uid": "C2", **ENDS, "server_name": "good.example", "cert_chain_fps": [FINGERPRINT]},
    ])  # fmt: skip
    write_log(
        logs / "x509.log", [{"ts": 1, "fingerprint": FINGERPRINT, "certificate.subject": "CN=cdn.example"}]
    )
    hunt(logs, armed(("domain", "evil.example")), out)
    assert uids(out / "ssl-investigation.log") == ["C1"]
    assert len(read(out / "x509-investigation.log")) == 1


def test_scope_record_keeps_only_what_matched_itself(logs: Path, out: Path) -> None:
    write_log(
        logs / "http.log",
        [{"ts": 1, "uid": "C1", "host": "evil.example"}, {"ts": 2, "uid": "C1", "host": "b.example"}],
    )
    write_log(logs / "conn.log", [conn("C1")])
    outcome = hunt(logs, armed(("domain", "evil.example")), out, scope="record")
    assert [line["host"] for line in read(out / "http-investigation.log")] == ["evil.example"]
    assert not (out / "conn-investigation.log").exists()
    assert outcome.investigations == 1


def test_a_module_that_is_off_neither_flags_nor_captures(logs: Path, out: Path) -> None:
    write_log(logs / "http.log", [{"ts": 1, "uid": "C1", "host": "evil.example"}])
    write_log(logs / "dns.log", [{"ts": 1, "uid": "C2", "query": "evil.example"}])
    write_log(logs / "conn.log", [conn("C1"), conn("C2")])
    write_log(logs / "weird.log", [{"ts": 1, "uid": "C1"}])
    outcome = hunt(logs, armed(("domain", "evil.example")), out, modules=["HTTP"])
    assert outcome.captured == {"http-investigation": 1}
    assert outcome.sightings == 1


def test_ecs_form(logs: Path, out: Path) -> None:
    write_log(
        logs / "http.log",
        [
            {
                "ts": 1.5,
                "uid": "C1",
                **ENDS,
                "host": "evil.example",
                "uri": "/x",
                "status_code": 200,
                "trans_depth": 1,
            }
        ],
    )
    hunt(logs, armed(("domain", "evil.example")), out, format="ecs")
    (event,) = read(out / "http-investigation.log")
    assert event["@timestamp"] == "1970-01-01T00:00:01.500000Z"
    assert event["source.ip"] == "10.0.0.1"
    assert event["url.domain"] == "evil.example"
    assert event["http.response.status_code"] == 200
    assert event["zeek.http.trans_depth"] == 1
    assert event["event.severity"] == 73
    (enrichment,) = event["threat.enrichments"]
    assert enrichment["indicator"]["provider"] == "test"
    # Sightings stay in Zeek's names, whatever the form of the captured records.
    assert read(out / "intel.log")[0]["seen.indicator"] == "evil.example"


def test_ids_are_the_same_for_the_same_record(logs: Path, tmp_path: Path) -> None:
    record = {"ts": 1.5, "uid": "C1", **ENDS, "host": "evil.example"}
    store = armed(("domain", "evil.example"))
    ids = []
    for number, text in enumerate((record, dict(reversed(record.items())), {**record, "uid": "C2"})):
        write_log(logs / "http.log", [text])
        out = tmp_path / f"out{number}"
        hunt(logs, store, out)
        ids.append(
            (
                read(out / "intel.log")[0]["sighting_id"],
                read(out / "http-investigation.log")[0]["investigation_id"],
            )
        )
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[2][0]
    assert ids[0][1] != ids[2][1]


def test_tsv_and_json_records_have_the_same_id(logs: Path, tmp_path: Path) -> None:
    header = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    (logs / "dns.log").write_text(
        header
        + "#fields\tts\tuid\tid.orig_h\tid.orig_p\tquery\tanswers\n#types\ttime\tstring\taddr\tport\tstring\tvector[string]\n"
        "1700000000.250000\tC1\t10.0.0.1\t53\tevil.example\t192.0.2.1,192.0.2.2\n"
    )
    store = armed(("domain", "evil.example"))
    hunt(logs, store, tmp_path / "tsv")
    write_log(
        logs / "dns.log",
        [
            {
                "ts": 1700000000.25,
                "uid": "C1",
                "id.orig_h": "10.0.0.1",
                "id.orig_p": 53,
                "query": "evil.example",
                "answers": ["192.0.2.1", "192.0.2.2"],
            }
        ],
    )
    hunt(logs, store, tmp_path / "json")
    assert read(tmp_path / "tsv" / "dns-investigation.log") == read(
        tmp_path / "json" / "dns-investigation.log"
    )
    assert read(tmp_path / "tsv" / "intel.log") == read(tmp_path / "json" / "intel.log")


def test_a_bound_on_conversations_is_kept_and_counted(logs: Path, out: Path) -> None:
    write_log(logs / "conn.log", [conn(f"C{number}") for number in range(20)])
    outcome = hunt(logs, armed(("addr", "192.0.2.1")), out, max_conversations=5)
    assert outcome.sightings == 20
    assert outcome.conversations.dropped_keys == 15
    assert uids(out / "conn-investigation.log") == [f"C{number}" for number in range(5)]


def test_the_tally(logs: Path, out: Path) -> None:
    write_log(logs / "dns.log", [
        {"ts": 10, "uid": "C1", **ENDS, "query": "evil.example"},
        {"ts": 20, "uid": "C1", **ENDS, "query": "evil.example"},
        {"ts": 30, "uid": "C2", **ENDS, "id.orig_h": "10.0.0.2", "query": "evil.example"},
        {"ts": 40, "uid": "C3", **ENDS, "query": "worse.example"},
    ])  # fmt: skip
    store = armed(("domain", "evil.example"), ("domain", "worse.example"))
    outcome = hunt(logs, store, out)
    (first, evil), (second, worse) = outcome.tally.widest_first()
    assert (first.value, second.value) == ("evil.example", "worse.example")
    assert (evil.sightings, evil.conversations, len(evil.hosts), evil.first, evil.last) == (3, 2, 2, 10, 30)
    assert (worse.sightings, worse.conversations, worse.sources, worse.level) == (1, 1, {"test"}, "high")


@st.composite
def traffic(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    uid = st.sampled_from([f"C{number}" for number in range(8)])
    host = st.sampled_from(["evil.example", "good.example", "a.evil.example", "other.example"])
    sha = st.sampled_from([SHA, "0" * 64])
    print_ = st.sampled_from([FINGERPRINT, "cd" * 32, "ef" * 32])
    ts = st.integers(1, 50)
    rows = {
        "conn": st.fixed_dictionaries(
            {
                "ts": ts,
                "uid": uid,
                "id.resp_h": st.sampled_from(["192.0.2.1", "192.0.2.99"]),
                "conn_state": st.just("SF"),
            }
        ),
        "dns": st.fixed_dictionaries({"ts": ts, "uid": uid, "query": host}),
        "http": st.fixed_dictionaries(
            {"ts": ts, "uid": uid, "host": host, "resp_fuids": st.lists(st.sampled_from(["F1", "F2"]))}
        ),
        "files": st.fixed_dictionaries(
            {"ts": ts, "fuid": st.sampled_from(["F1", "F2", "F3"])}, optional={"uid": uid, "sha256": sha}
        ),
        "ssl": st.fixed_dictionaries({"ts": ts, "uid": uid, "cert_chain_fps": st.lists(print_, max_size=2)}),
        "x509": st.fixed_dictionaries(
            {"ts": ts, "fingerprint": print_, "san.dns": st.lists(host, max_size=2)}
        ),
        "pe": st.fixed_dictionaries({"ts": ts, "id": st.sampled_from(["F1", "F2", "F3"])}),
        "weird": st.fixed_dictionaries({"ts": ts, "uid": uid}),
    }
    return {log: draw(st.lists(row, max_size=12)) for log, row in rows.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs=traffic(), seed=st.integers(0, 10_000))
def test_any_number_of_workers_and_any_cut_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, logs: dict[str, list[dict[str, Any]]], seed: int
) -> None:
    base = tmp_path_factory.mktemp("workers")
    folder = base / "logs"
    folder.mkdir()
    for log, rows in logs.items():
        write_log(folder / f"{log}.log", rows)
    store = armed(
        ("domain", "evil.example", Item("a", subdomains=True)),
        ("addr", "192.0.2.1"),
        ("file_hash", SHA),
        ("cert_hash", FINGERPRINT),
    )
    size = random.Random(seed).randrange(50, 2000)
    one = hunt(folder, store, base / "one", unit_bytes=size)
    for workers in (2, 3):
        many = hunt(folder, store, base / f"many{workers}", unit_bytes=size, workers=workers)
        assert many.sightings == one.sightings
        assert many.captured == one.captured
        assert many.tally.widest_first() == one.tally.widest_first()
        assert files(base / f"many{workers}") == files(base / "one")
    # Cut elsewhere, the lines are the same; only which copy of a certificate comes first may differ.
    hunt(folder, store, base / "whole")
    assert {name: sorted(lines) for name, lines in files(base / "whole").items() if "x509" not in name} == {
        name: sorted(lines) for name, lines in files(base / "one").items() if "x509" not in name
    }


def files(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in folder.glob("*.log")}
