"""MYSQL: users who log in (mysql.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen


def users(command: object, argument: object) -> Iterable[str]:
    """The user of a login or of a change of user, which Zeek logs as the command's argument."""
    return (argument,) if isinstance(argument, str) and command in ("login", "change_user") else ()


PLUGIN = Plugin(
    module="MYSQL",
    logs=(
        Log(
            name="mysql",
            seen=(Seen("MYSQL::IN_USER_NAME", IndicatorType.USER_NAME, ("cmd", "arg"), users),),
            ecs={"cmd": "event.action", "success": "event.outcome"},
            constants={
                "event.category": ["database", "network"],
                "event.type": ["access", "protocol"],
                "network.protocol": "mysql",
            },
        ),
    ),
)
