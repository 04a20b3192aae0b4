"""Messages of zeek-kafka, of Zeek's JSON writer and of shippers: each gives its record once, or a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from threathunting.sensors.messages import Decoded, Refused, decode

WANTED = {
    "conn": ("uid", "id.orig_h"),
    "dns": ("uid", "query", "answers"),
    "http": ("uid", "host"),
    "*": ("uid",),
}
CONN: dict[str, Any] = {"ts": 1700000000.25, "uid": "C1", "id.orig_h": "10.0.0.1", "conn_state": "SF"}
DNS: dict[str, Any] = {"ts": 1700000001.5, "uid": "C2", "query": "evil.example", "qtype_name": "A"}
BEAT: dict[str, Any] = {
    "@timestamp": "2026-11-24T10:00:00.000Z",
    "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.15.0"},
    "agent": {"type": "filebeat", "name": "sensor", "version": "8.15.0"},
    "ecs": {"version": "8.0.0"},
    "host": {"name": "sensor"},
    "input": {"type": "filestream"},
    "tags": ["forwarded"],
    "log": {"offset": 17, "file": {"path": "/opt/zeek/logs/current/conn.log"}},
}


def dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def beat(**more: object) -> bytes:
    return dumped(BEAT | more)


def rows(decoded: Decoded) -> dict[int, tuple[str, dict[str, Any]]]:
    """By message its log and record; checks that columns, rows and messages agree."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    for batch, messages in decoded.rows:
        assert len(batch) == len(messages) > 0
        assert list(messages) == sorted(messages)
        uids = batch.column("uid")
        for row, message in enumerate(messages):
            record = batch.record(row)
            assert message not in found
            assert uids[row] == (record["uid"] if isinstance(record.get("uid"), str) else None)
            raw = batch.raw(row)
            assert raw is None or json.loads(raw) == record
            found[message] = (batch.log, record)
    assert found.keys().isdisjoint(refused.message for refused in decoded.refused)
    return found


def one(value: bytes, topic_log: str | None = None, wanted: Mapping[str, Sequence[str]] = WANTED) -> Any:
    decoded = decode([value], wanted, topic_log)
    assert decoded.refused == []
    return rows(decoded)[0]


def test_the_tagged_form_gives_the_object_inside() -> None:
    values = [
        b'{"conn": ' + dumped(CONN) + b"}",
        b'{"dns":' + dumped(DNS) + b"}",
        b'{"conn": ' + dumped(CONN) + b"}",
    ]
    decoded = decode(values, WANTED)
    assert rows(decoded) == {0: ("conn", CONN), 1: ("dns", DNS), 2: ("conn", CONN)}
    assert [(batch.log, list(messages)) for batch, messages in decoded.rows] == [
        ("conn", [0, 2]),
        ("dns", [1]),
    ]
    assert decoded.rows[0].batch.raw(1) == dumped(CONN)
    assert decoded.rows[1].batch.column("query") == ["evil.example"]


@pytest.mark.parametrize(
    "form",
    [
        b'{"conn": %s}\n',
        b' \t{ "conn" :%s }  ',
        b'{"conn": %s }',
        b"\x00%s\x00",
    ],
)
def test_white_space_and_zeros_around_do_not_matter(form: bytes) -> None:
    log, record = one(form.replace(b"%s", dumped(CONN)))
    assert (log, record) == ("conn", CONN)


def test_a_tag_tells_more_than_the_topic() -> None:
    assert one(b'{"conn": ' + dumped(DNS) + b"}", "http")[0] == "conn"
    assert one(b'{"conn": ' + dumped(DNS) + b"}\n", "http")[0] == "conn"


def test_plain_records_are_told_by_path_then_topic_then_fields() -> None:
    assert one(dumped({"_path": "dns"} | CONN), "http") == ("dns", {"_path": "dns"} | CONN)
    assert one(dumped(DNS), "http") == ("http", DNS)
    assert one(dumped(DNS)) == ("dns", DNS)
    assert one(dumped({"ts": 1.0, "some": "thing"})) == ("unknown", {"ts": 1.0, "some": "thing"})
    assert one(dumped(DNS | {"_path": 7}))[0] == "dns"


@pytest.mark.parametrize("tagged", [False, True])
def test_objects_become_flat_names(tagged: bool) -> None:
    nested = {"ts": 1.5, "uid": "C1", "id": {"orig_h": "10.0.0.1", "orig_p": 5}, "conn_state": "SF"}
    value = dumped({"conn": nested} if tagged else nested)
    decoded = decode([dumped({"conn": CONN}), value, dumped({"conn": CONN})], WANTED)
    expected = {"ts": 1.5, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 5, "conn_state": "SF"}
    assert rows(decoded)[1] == ("conn", expected)
    batch, messages = next(found for found in decoded.rows if 1 in found.messages)
    assert batch.column("id.orig_h")[messages.index(1)] == "10.0.0.1"


def test_a_record_whose_first_field_is_an_object_is_not_tagged() -> None:
    value = b'{"id":{"orig_h":"10.0.0.1"},"uid":"C1","conn_state":"SF","other":{"a":1}}'
    expected = {"id.orig_h": "10.0.0.1", "uid": "C1", "conn_state": "SF", "other.a": 1}
    assert one(value) == ("conn", expected)
    value = b'{"certificate":{"serial":"1"},"uid":"C1","san":{"dns":["a.example"]}}'
    assert one(value) == ("x509", {"certificate.serial": "1", "uid": "C1", "san.dns": ["a.example"]})


def test_braces_within_texts_are_no_objects() -> None:
    record = CONN | {"history": '{"a":{"b": {'}
    decoded = decode([dumped({"conn": record})], WANTED)
    assert rows(decoded) == {0: ("conn", record)}
    assert decoded.rows[0].batch.raw(0) == dumped(record)


# Shippers


def test_filebeat_with_the_line_as_message() -> None:
    log, record = one(beat(message=dumped(CONN).decode()))
    assert (log, record) == ("conn", CONN)
    assert decode([beat(message=dumped(CONN).decode())], WANTED).rows[0].batch.raw(0) == dumped(CONN)
    assert one(beat(message=dumped({"conn": DNS}).decode())) == ("conn", DNS)


def test_filebeat_with_the_fields_under_json() -> None:
    assert one(beat(json=CONN)) == ("conn", CONN)
    nested = {"uid": "C1", "id": {"orig_h": "10.0.0.1"}}
    assert one(beat(json=nested)) == ("conn", {"uid": "C1", "id.orig_h": "10.0.0.1"})


def test_elastic_agent_keeps_the_line_as_event_original() -> None:
    event = {"original": dumped(CONN).decode(), "dataset": "zeek.connection", "kind": "event"}
    value = beat(event=event, source={"ip": "10.0.0.1"}, zeek={"session_id": "C1"})
    assert one(value) == ("conn", CONN)


def test_filebeat_with_the_fields_at_the_root() -> None:
    http = {"ts": 1.5, "uid": "C3", "host": "evil.example", "service": "http", "tags": ["HTTP::URI_SQLI"]}
    value = dumped(BEAT | http)
    assert one(value.replace(b"conn.log", b"http.log")) == ("http", http)
    assert one(dumped(BEAT | CONN)) == ("conn", CONN)


def test_fields_at_the_root_beside_the_line_they_were_made_of() -> None:
    assert one(beat(**CONN, message=dumped(CONN).decode())) == ("conn", CONN)


def test_the_message_of_a_syslog_record_is_its_own() -> None:
    syslog = {"ts": 1.5, "uid": "C4", "facility": "USER", "message": '{"uid":"C9"}'}
    assert one(dumped(BEAT | syslog), "syslog") == ("syslog", syslog)
    assert one(dumped(syslog), "syslog") == ("syslog", syslog)


def test_logstash_time_stands_in_for_a_missing_one() -> None:
    value = dumped(
        {"@timestamp": "2026-11-24T10:00:00.000Z", "@version": "1", "uid": "C1", "conn_state": "SF"}
    )
    assert one(value) == ("conn", {"ts": "2026-11-24T10:00:00.000Z", "uid": "C1", "conn_state": "SF"})


@pytest.mark.parametrize(
    ("file", "fields", "topic_log", "expected"),
    [
        ("/logs/http.log", DNS, None, "http"),
        ("/logs/http.log", DNS, "conn", "conn"),
        ("/logs/http.log", DNS | {"_path": "conn"}, None, "conn"),
        ("/logs/http_site-a.log", DNS, None, "http"),
        ("/logs/everything.log", DNS, None, "dns"),
        ("/logs/own.log", {"ts": 1.0}, None, "own"),
        ("C:\\logs\\x", {"ts": 1.0}, None, "unknown"),
    ],
)
def test_the_log_of_what_filebeat_read(
    file: str, fields: dict[str, Any], topic_log: str | None, expected: str
) -> None:
    envelope = {"log": {"file": {"path": file}}}
    assert one(beat(**envelope, message=dumped(fields).decode()), topic_log)[0] == expected


def test_an_envelope_without_a_record_is_refused() -> None:
    for value in (
        beat(message="#separator \\x09"),
        beat(),
        beat(event={"original": 7}),
        beat(message="{broken"),
    ):
        decoded = decode([value], WANTED)
        assert decoded.rows == []
        assert [refused.message for refused in decoded.refused] == [0]


# What is wrong


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "an empty message"),
        (b"", "an empty message"),
        (b" \n", "not JSON"),
        (b"{", "not JSON"),
        (b"}", "not JSON"),
        (b"nonsense", "not JSON"),
        (b"[1]", "not a JSON object but list"),
        (b"7", "not a JSON object but int"),
        (b'{"conn": {"uid": "C1"}', "not JSON"),
        (b'{"conn": {"uid": }}', "not JSON"),
        (b'{"conn": {"uid":"C1"}{"uid":"C2"}}', "not JSON"),
        (b'{"uid":"C1"}{"uid":"C2"}', "not JSON"),
        (b'{"uid":"C1"}\n{"uid":"C2"}', "not JSON"),
        (b'{"conn": ' + b'{"a":' * 5000 + b"}" * 5001, "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"timestamp":"2026-11-24T10:00:00+0000","event_type":"dns"}', "EVE"),
    ],
)
def test_bad_values_are_refused_and_hold_nothing_up(value: bytes | None, reason: str) -> None:
    good = [dumped({"conn": CONN}), dumped(DNS)]
    decoded = decode([good[0], value, good[1], value], WANTED)
    assert rows(decoded) == {0: ("conn", CONN), 2: ("dns", DNS)}
    assert sorted(refused.message for refused in decoded.refused) == [1, 3]
    assert all(reason in refused.reason for refused in decoded.refused)


def test_many_bad_ones_in_a_row_are_each_refused_once() -> None:
    decoded = decode([b"\xff\xfe poison"] * 1000 + [dumped({"conn": CONN})], WANTED)
    assert rows(decoded) == {1000: ("conn", CONN)}
    assert [refused.message for refused in decoded.refused] == list(range(1000))


def test_objects_in_one_message_are_not_taken_for_those_of_another() -> None:
    """Two objects in one message and two halves of one in others: as many objects as messages."""
    values = [b'{"uid":"C1"}{"uid":"C2"}', b'{"conn_state":"SF"', b"}"]
    assert [refused.message for refused in decode(values, WANTED).refused] == [0, 1, 2]
    tagged = [b'{"conn": {"uid":"C1"}{"uid":"C2"}}', dumped({"conn": CONN}), b'{"conn": {}}']
    decoded = decode(tagged, WANTED)
    assert rows(decoded) == {1: ("conn", CONN), 2: ("conn", {})}


def test_bad_utf8_and_wrong_types_cost_one_field() -> None:
    values = [
        b'{"conn": {"uid":"C1","id.orig_h":"\xff"}}',
        b'{"conn": {"uid":"C2","id.orig_h":7}}',
        b'{"conn": {"uid":"C3","history":"\xff"}}',
        b'{"conn": {"uid":"C4","duration":1e999}}',
    ]
    decoded = decode(values, WANTED)
    assert decoded.refused == []
    found = {message: record for message, (_, record) in rows(decoded).items()}
    assert found[0] == {"uid": "C1", "id.orig_h": "\ufffd"}
    assert found[1] == {"uid": "C2", "id.orig_h": 7}
    assert found[2] == {"uid": "C3", "history": "\ufffd"}
    assert found[3] == {"uid": "C4", "duration": float("inf")}
    assert decoded.repaired == 2


def test_a_message_of_5_mb() -> None:
    record = DNS | {"answers": [f"host{number}.example" for number in range(250_000)]}
    value = dumped({"dns": record})
    assert len(value) > 5_000_000
    assert one(value) == ("dns", record)
    assert one(beat(message=dumped(record).decode()), "dns") == ("dns", record)


_texts = st.text(max_size=20) | st.sampled_from(['{"', '":{', "}}", "\n", "\\"])
_values = st.one_of(_texts, st.integers(-(2**60), 2**60), st.booleans(), st.lists(_texts, max_size=3))
_records = st.dictionaries(
    st.sampled_from(["uid", "id.orig_h", "query", "answers", "conn_state", "message", "host", "ts"]), _values
).map(lambda record: record | {"uid": "C"})
_forms = st.sampled_from(["tagged", "path", "message", "json", "bad"])


@given(st.lists(st.tuples(_forms, _records), max_size=12))
@example([("bad", {}), ("tagged", {"uid": "C"}), ("message", {"uid": "C"})])
def test_every_message_gives_its_own_record(made: list[tuple[str, dict[str, Any]]]) -> None:
    values: list[bytes | None] = []
    expected: dict[int, tuple[str, dict[str, Any]]] = {}
    for number, (form, fields) in enumerate(made):
        record = fields | {"number": number}
        if form == "bad":
            values.append(dumped(record)[:-1])
            continue
        if form == "path":
            record["_path"] = "dns"
            if "ts" not in record and "message" in record:
                # As shippers' messages are told by.
                record["ts"] = 1.5
        values.append(
            {
                "tagged": dumped({"dns": record}),
                "path": dumped(record),
                "message": beat(message=dumped(record).decode()),
                "json": beat(json=record),
            }[form]
        )
        expected[number] = ("dns", record)
    decoded = decode(values, WANTED, "dns")
    assert rows(decoded) == expected
    assert {refused.message for refused in decoded.refused} == set(range(len(made))) - expected.keys()


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([b'{"conn": {}}', b'{"a":{"b":1}}', b"{}"]), max_size=8)
)
def test_any_bytes_give_one_row_or_one_reason(values: list[bytes]) -> None:
    decoded = decode(values, WANTED)
    met = sorted([*rows(decoded), *(refused.message for refused in decoded.refused)])
    assert met == list(range(len(values)))


def test_refused_says_place_and_reason() -> None:
    assert decode([None], WANTED).refused == [Refused(0, "an empty message")]


def test_what_zeek_kafka_puts_beside_the_record_becomes_part_of_it() -> None:
    value = b'{"conn": {"ts": 1.0, "uid": "C1"}, "sensor": "edge", "site": 7}'
    (rows,) = decode([value], {"conn": ("uid",), "*": ()}).rows
    assert rows.batch.log == "conn"
    assert rows.batch.record(0) == {"ts": 1.0, "uid": "C1", "sensor": "edge", "site": 7}
