"""DNS: the query, and the addresses and names in the answers (dns.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="DNS",
    logs=(
        Log(
            name="dns",
            seen=(
                Seen("DNS::IN_REQUEST", IndicatorType.DOMAIN, ("query",)),
                Seen("DNS::IN_RESPONSE", IndicatorType.ADDR, ("answers",)),
                Seen("DNS::IN_RESPONSE", IndicatorType.DOMAIN, ("answers",)),
            ),
            ecs={
                "proto": "network.transport",
                "trans_id": "dns.id",
                "query": "dns.question.name",
                "qclass_name": "dns.question.class",
                "qtype_name": "dns.question.type",
                "rcode_name": "dns.response_code",
            },
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "dns",
            },
        ),
    ),
)
