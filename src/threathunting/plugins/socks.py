"""SOCKS: where a proxy is asked to connect to, and by whom (socks.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import host_addrs, host_names

PLUGIN = Plugin(
    module="SOCKS",
    logs=(
        Log(
            name="socks",
            seen=(
                Seen("SOCKS::IN_REQUEST", IndicatorType.DOMAIN, ("request.name",), host_names),
                Seen("SOCKS::IN_REQUEST", IndicatorType.ADDR, ("request.host", "request.name"), host_addrs),
                Seen("SOCKS::IN_BOUND", IndicatorType.DOMAIN, ("bound.name",), host_names),
                Seen("SOCKS::IN_BOUND", IndicatorType.ADDR, ("bound.host", "bound.name"), host_addrs),
                Seen("SOCKS::IN_USER_NAME", IndicatorType.USER_NAME, ("user",)),
            ),
            ecs={"user": "user.name"},
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "socks",
            },
        ),
    ),
)
