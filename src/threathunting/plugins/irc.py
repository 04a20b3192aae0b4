"""IRC: nicks and users, and files offered by DCC (irc.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import file_names


def announced(command: object, value: object) -> Iterable[str]:
    """The nick or user that a NICK or USER command announces: only later records have it in nick or user."""
    return (value,) if isinstance(value, str) and command in ("NICK", "USER") else ()


PLUGIN = Plugin(
    module="IRC",
    logs=(
        Log(
            name="irc",
            seen=(
                Seen("IRC::IN_USER_NAME", IndicatorType.USER_NAME, ("user",)),
                Seen("IRC::IN_USER_NAME", IndicatorType.USER_NAME, ("nick",)),
                Seen("IRC::IN_USER_NAME", IndicatorType.USER_NAME, ("command", "value"), announced),
                Seen("IRC::IN_FILE_NAME", IndicatorType.FILE_NAME, ("dcc_file_name",), file_names),
            ),
            links=("fuid",),
            ecs={
                "user": "user.name",
                "command": "event.action",
                "dcc_file_name": "file.name",
                "dcc_file_size": "file.size",
                "dcc_mime_type": "file.mime_type",
            },
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "irc",
            },
        ),
    ),
)
