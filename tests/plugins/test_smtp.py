from __future__ import annotations

from typing import Any

from threathunting.plugins import Registry, smtp

LOG = Registry([smtp.PLUGIN]).log("smtp")


def seen(**record: Any) -> set[str]:
    record = {name.rstrip("_"): value for name, value in record.items()}
    return {f"{where[6:]} {type_}:{value}" for type_, value, where in LOG.observables(record)}


def test_addresses_of_a_message() -> None:
    assert seen(
        mailfrom="a@b.example",
        rcptto=["C@d.example"],
        from_='"A, B" <a@b.example>',
        to=["C <c@d.example>", "e@f.example, g@h.example"],
        cc=["I <i@j.example>"],
        reply_to="<k@l.example>",
        fuids=["F1"],
    ) == {
        "IN_MAIL_FROM email:a@b.example",
        "IN_RCPT_TO email:c@d.example",
        "IN_FROM email:a@b.example",
        "IN_TO email:c@d.example",
        "IN_TO email:e@f.example",
        "IN_TO email:g@h.example",
        "IN_CC email:i@j.example",
        "IN_REPLY_TO email:k@l.example",
    }


def test_an_envelope_without_a_message() -> None:
    assert seen(
        mailfrom="a@b.example", rcptto=["c@d.example"], path=["192.0.2.1", "192.0.2.2"], fuids=[]
    ) == {
        "IN_ENVELOPE email:a@b.example",
        "IN_ENVELOPE email:c@d.example",
    }


def test_hosts_on_the_way() -> None:
    assert seen(
        subject="x",
        path=["192.0.2.1", "198.51.100.7"],
        x_originating_ip="203.0.113.9",
        helo="[192.0.2.8]",
        first_received="from relay.example (relay.example [192.0.2.7]) by mx.example with ESMTP id 5.6.7",
        user_agent="Mailer 1.0",
    ) == {
        "IN_RECEIVED_HEADER addr:192.0.2.1",
        "IN_RECEIVED_HEADER addr:198.51.100.7",
        "IN_X_ORIGINATING_IP_HEADER addr:203.0.113.9",
        "IN_HELO addr:192.0.2.8",
        "IN_RELAY domain:relay.example",
        "IN_RELAY domain:mx.example",
        "IN_RELAY addr:192.0.2.7",
        "IN_HEADER software:mailer 1.0",
    }
    assert seen(helo="client.example") == {"IN_HELO domain:client.example"}
