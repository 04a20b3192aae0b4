"""RADIUS: users who dial in, and the addresses that they get and come from (radius.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import host_addrs, host_names, user_names

PLUGIN = Plugin(
    module="RADIUS",
    logs=(
        Log(
            name="radius",
            seen=(
                Seen("RADIUS::IN_USER_NAME", IndicatorType.USER_NAME, ("username",), user_names),
                Seen("RADIUS::IN_FRAMED_ADDR", IndicatorType.ADDR, ("framed_addr",)),
                # Zeek before 3.0 called it remote_ip.
                Seen(
                    "RADIUS::IN_TUNNEL_CLIENT", IndicatorType.ADDR, ("tunnel_client", "remote_ip"), host_addrs
                ),
                Seen("RADIUS::IN_TUNNEL_CLIENT", IndicatorType.DOMAIN, ("tunnel_client",), host_names),
            ),
            ecs={"username": "user.name", "result": "event.outcome"},
            constants={
                "event.category": ["authentication", "network"],
                "event.type": ["info", "protocol"],
                "network.protocol": "radius",
            },
        ),
    ),
)
