"""DNS: the name asked for, and the addresses and names in the answers (dns.log)."""

from __future__ import annotations

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.records import Record

NETBIOS_PORT = 137
"""Zeek decodes names on this port: ``query`` is then not what stood in the packet."""


def is_netbios(record: Record) -> bool:
    """Whether the record is of NetBIOS' name service."""
    return record.get("id.resp_p") == NETBIOS_PORT


def is_unsolicited(record: Record) -> bool:
    """Whether Zeek saw an answer and no question: multicast announcements, LLMNR answers, spoofing."""
    return "rcode_name" in record and "qtype_name" not in record and "rtt" not in record


def is_asked(record: Record) -> bool:
    """Whether the record has a question in plain DNS."""
    return not is_netbios(record) and not is_unsolicited(record)


def is_answered(record: Record) -> bool:
    """Whether answers belong to a question that was seen."""
    return not is_unsolicited(record)


PLUGIN = Plugin(
    module="DNS",
    logs=(
        Log(
            name="dns",
            seen=(
                Seen("DNS::IN_REQUEST", IndicatorType.DOMAIN, ("query",), when=is_asked),
                Seen("DNS::IN_NETBIOS_NAME", IndicatorType.DOMAIN, ("query",), when=is_netbios),
                Seen("DNS::IN_RESPONSE", IndicatorType.ADDR, ("answers",), when=is_answered),
                Seen("DNS::IN_RESPONSE", IndicatorType.DOMAIN, ("answers",), when=is_answered),
                Seen("DNS::IN_UNSOLICITED_RESPONSE", IndicatorType.DOMAIN, ("query",), when=is_unsolicited),
                Seen("DNS::IN_UNSOLICITED_RESPONSE", IndicatorType.ADDR, ("answers",), when=is_unsolicited),
                Seen("DNS::IN_UNSOLICITED_RESPONSE", IndicatorType.DOMAIN, ("answers",), when=is_unsolicited),
            ),
            ecs={
                "proto": "network.transport",
                "trans_id": "dns.id",
                "query": "dns.question.name",
                "qclass_name": "dns.question.class",
                "qtype_name": "dns.question.type",
                "rcode_name": "dns.response_code",
                "opcode_name": "dns.op_code",
                "answers": "dns.answers.data",
                "TTLs": "dns.answers.ttl",
            },
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "dns",
            },
        ),
    ),
)
