"""QUIC: the server name asked for (quic.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="QUIC",
    logs=(
        Log(
            name="quic",
            seen=(Seen("QUIC::IN_SERVER_NAME", IndicatorType.DOMAIN, ("server_name",)),),
            ecs={"server_name": "tls.client.server_name", "client_protocol": "tls.next_protocol"},
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "quic",
            },
        ),
    ),
)
