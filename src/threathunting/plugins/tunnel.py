"""TUNNEL: both ends of tunnels (tunnel.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="TUNNEL",
    logs=(
        Log(
            name="tunnel",
            seen=(
                Seen("TUNNEL::IN_ORIG", IndicatorType.ADDR, ("id.orig_h",)),
                Seen("TUNNEL::IN_RESP", IndicatorType.ADDR, ("id.resp_h",)),
            ),
            ecs={"action": "event.action"},
            constants={"event.category": ["network"], "event.type": ["connection"]},
        ),
    ),
)
