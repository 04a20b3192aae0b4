"""CONN: both ends of every connection, TCP, UDP and ICMP (conn.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="CONN",
    logs=(
        Log(
            name="conn",
            seen=(
                Seen("Conn::IN_ORIG", IndicatorType.ADDR, ("id.orig_h",)),
                Seen("Conn::IN_RESP", IndicatorType.ADDR, ("id.resp_h",)),
            ),
            ecs={
                "proto": "network.transport",
                "service": "network.protocol",
                "duration": "event.duration",
                "orig_bytes": "source.bytes",
                "orig_pkts": "source.packets",
                "resp_bytes": "destination.bytes",
                "resp_pkts": "destination.packets",
                "orig_l2_addr": "source.mac",
                "resp_l2_addr": "destination.mac",
                "vlan": "network.vlan.id",
                "inner_vlan": "network.inner.vlan.id",
            },
            constants={"event.category": ["network"], "event.type": ["connection", "end"]},
        ),
    ),
)
