"""POSTGRESQL: users and their client programs (postgresql.log)."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="POSTGRESQL",
    logs=(
        Log(
            name="postgresql",
            seen=(
                Seen("POSTGRESQL::IN_USER_NAME", IndicatorType.USER_NAME, ("user",)),
                Seen("POSTGRESQL::IN_APPLICATION_NAME", IndicatorType.SOFTWARE, ("application_name",)),
            ),
            ecs={"user": "user.name", "frontend": "event.action", "success": "event.outcome"},
            constants={
                "event.category": ["database", "network"],
                "event.type": ["access", "protocol"],
                "network.protocol": "postgresql",
            },
        ),
    ),
)
