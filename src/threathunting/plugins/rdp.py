"""RDP: the user in the connection's cookie, and the client's name (rdp.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import user_names

PLUGIN = Plugin(
    module="RDP",
    logs=(
        Log(
            name="rdp",
            seen=(
                Seen("RDP::IN_COOKIE", IndicatorType.USER_NAME, ("cookie",), user_names),
                Seen("RDP::IN_CLIENT_NAME", IndicatorType.DOMAIN, ("client_name",)),
            ),
            ecs={"cookie": "user.name", "client_name": "source.domain"},
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "rdp",
            },
        ),
    ),
)
