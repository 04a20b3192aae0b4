from __future__ import annotations

from typing import Any

from threathunting.plugins import Registry, dns

LOG = Registry([dns.PLUGIN]).log("dns")


def seen(record: dict[str, Any]) -> set[str]:
    return {
        f"{where[5:]} {type_}:{value}"
        for type_, value, where in LOG.observables(record)
        if type_ != "domain" or not value[-1].isdigit()
    }


def test_question_and_answers() -> None:
    record = {
        "query": "A.Example.",
        "qtype_name": "A",
        "rcode_name": "NOERROR",
        "rtt": 0.1,
        "answers": ["b.example", "192.0.2.1"],
    }
    assert seen(record) == {
        "IN_REQUEST domain:a.example",
        "IN_RESPONSE domain:b.example",
        "IN_RESPONSE addr:192.0.2.1",
    }
    assert seen({"query": "a.example"}) == {"IN_REQUEST domain:a.example"}
    assert seen({"query": "a.example", "answers": ["192.0.2.1"]}) == {
        "IN_REQUEST domain:a.example",
        "IN_RESPONSE addr:192.0.2.1",
    }


def test_a_refusal_that_repeats_the_question() -> None:
    assert seen({"query": "a.example", "qtype_name": "A", "rcode_name": "NXDOMAIN"}) == {
        "IN_REQUEST domain:a.example"
    }


def test_an_answer_to_no_question() -> None:
    assert seen(
        {"query": "a.local", "rcode_name": "NOERROR", "answers": ["192.0.2.1"], "id.resp_p": 5353}
    ) == {
        "IN_UNSOLICITED_RESPONSE domain:a.local",
        "IN_UNSOLICITED_RESPONSE addr:192.0.2.1",
    }


def test_netbios_names() -> None:
    assert seen({"query": "WORKSTATION", "qtype_name": "NB", "id.resp_p": 137}) == {
        "IN_NETBIOS_NAME domain:workstation"
    }
