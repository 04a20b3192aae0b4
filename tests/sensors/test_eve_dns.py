"""Queries and answers joined: both forms, in bounded memory, and none lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sensors import eve_events as eve
from tests.sensors.eve_events import event
from threathunting.sensors.eve import EveConverter
from threathunting.sensors.eve.dns import DnsJoin


def names(records: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [record["query"] for _, record in records]


def query(number: int, name: str = "a.example", at: float = 0.0, **fields: Any) -> dict[str, Any]:
    body = {"type": "query", "id": number, "rrname": name, "rrtype": "A"}
    return event("dns", body, timestamp=f"2026-03-01T12:00:{at:09.6f}+0000", **fields)


@pytest.mark.parametrize(
    "events", [[eve.QUERY_V2, eve.ANSWER_V2], [eve.QUERY_V3, eve.ANSWER_V3]], ids=["7", "8"]
)
def test_query_and_answer_are_one_record(events: list[dict[str, Any]]) -> None:
    converter = EveConverter()
    assert converter.convert(events[0]) == []
    assert converter.convert(events[1]) == [
        (
            "dns",
            {
                "ts": 1772366400.5,
                "uid": "1638928396601801",
                "id.orig_h": "10.0.0.5",
                "id.orig_p": 50123,
                "id.resp_h": "192.0.2.7",
                "id.resp_p": 53,
                "community_id": "1:SstOIjjOLepdn1pkOn6PP+Hk+MA=",
                "proto": "udp",
                "trans_id": 4711,
                "query": "lure.example",
                "qtype_name": "A",
                "rtt": 0.25,
                "rcode_name": "NOERROR",
                "AA": False,
                "TC": False,
                "RD": True,
                "RA": True,
                "answers": ["cdn.lure.example", "192.0.2.7", "2001:db8::7"],
                "TTLs": [30.0, 60.0, 60.0],
            },
        )
    ]
    assert converter.flush() == []


@pytest.mark.parametrize("answer", [eve.ANSWER_V2, eve.ANSWER_V3], ids=["7", "8"])
def test_an_answer_without_its_query_comes_out_alone(answer: dict[str, Any]) -> None:
    [(_, record)] = EveConverter().convert(answer)
    assert (record["query"], record["id.orig_h"], record["id.resp_p"]) == ("lure.example", "10.0.0.5", 53)
    assert "rtt" not in record


def test_unanswered_queries_come_out_at_the_end() -> None:
    converter = EveConverter()
    for number in range(3):
        assert converter.convert(query(number, f"{number}.example")) == []
    assert names(converter.flush()) == ["0.example", "1.example", "2.example"]
    assert converter.flush() == []
    assert converter.evicted == 0


def test_queries_wait_half_a_minute_of_the_events_own_time() -> None:
    converter = EveConverter()
    converter.convert(query(1, "old.example", at=0.0))
    assert converter.convert(query(2, "new.example", at=29.0)) == []
    assert names(converter.convert(query(3, "now.example", at=31.0))) == ["old.example"]
    assert names(converter.flush()) == ["new.example", "now.example"]


def test_memory_is_bounded_and_what_gives_way_is_counted() -> None:
    join = DnsJoin(max_pending=2)
    given = []
    for number in range(5):
        given += list(join.dns(query(number), {"uid": "x", "n": number}))
    assert [record["n"] for _, record in given] == [0, 1, 2]
    assert join.evicted == 3
    # Many queries of one flow under one id.
    same = DnsJoin()
    for number in range(20):
        given = list(same.dns(query(7), {"uid": "x", "n": number}))
        assert [record["n"] for _, record in given] == ([number - 16] if number >= 16 else [])


def test_an_answer_goes_to_the_query_for_its_name() -> None:
    converter = EveConverter()
    converter.convert(query(4711, "other.example"))
    converter.convert(eve.QUERY_V2)
    assert names(converter.convert(eve.ANSWER_V2)) == ["lure.example"]
    assert names(converter.flush()) == ["other.example"]


def test_several_questions_in_one_message() -> None:
    converter = EveConverter()
    questions = [{"rrname": "a.example", "rrtype": "A"}, {"rrname": "b.example", "rrtype": "AAAA"}]
    asked = eve.QUERY_V3 | {"dns": eve.QUERY_V3["dns"] | {"queries": questions}}
    answered = eve.ANSWER_V3 | {"dns": eve.ANSWER_V3["dns"] | {"queries": questions, "rcode": "NXDOMAIN"}}
    converter.convert(asked)
    records = converter.convert(answered)
    assert names(records) == ["a.example", "b.example"]
    assert {record["rcode_name"] for _, record in records} == {"NXDOMAIN"}


def test_answers_of_other_kinds() -> None:
    answers = [
        {"rrtype": "SRV", "srv": {"name": "srv.example", "port": 1}},
        {"rrtype": "SOA", "soa": {"mname": "ns.example"}},
        {"rrtype": "TXT", "rdata": "v=spf1 ip4:192.0.2.1"},
        {"rrtype": "OPT", "opt": []},
    ]
    body = {"type": "answer", "id": 1, "rrname": "a.example", "answers": answers}
    [(_, record)] = EveConverter().convert(event("dns", body))
    assert record["answers"] == ["srv.example", "ns.example", "v=spf1 ip4:192.0.2.1"]
    assert len(record["TTLs"]) == 3


def test_answers_grouped_by_type() -> None:
    grouped = {"A": ["192.0.2.1"], "AAAA": ["2001:0db8::0001"], "SRV": [{"name": "srv.example"}]}
    [(_, record)] = EveConverter().convert(
        event("dns", {"type": "answer", "id": 1, "rrname": "a.example", "grouped": grouped})
    )
    assert record["answers"] == ["192.0.2.1", "2001:db8::1", "srv.example"]


def test_mdns_names_who_speaks() -> None:
    [(log, record)] = EveConverter().convert(eve.MDNS | {"src_port": 5353, "dest_port": 5353})
    assert (log, record["answers"], record["id.orig_h"]) == ("dns", ["nas._ssh._tcp.local"], "10.0.0.5")
