"""FTP: users, the files they move, and the ends of data channels (ftp.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import base_name

FILE_COMMANDS = frozenset({"RETR", "STOR", "STOU", "APPE", "DELE", "RNFR", "RNTO", "SIZE", "MDTM"})
"""Commands whose argument is a file (RFC 959, RFC 3659)."""


def urls(argument: object) -> Iterable[str]:
    """The URL that Zeek makes of a file command's argument: ``ftp://192.0.2.1/dir/file``."""
    return (argument,) if isinstance(argument, str) and argument.startswith("ftp://") else ()


def files(command: object, argument: object) -> Iterable[str]:
    """The file that a command is about: its name, and its path on the server."""
    if not isinstance(argument, str) or not isinstance(command, str) or command.upper() not in FILE_COMMANDS:
        return ()
    path = argument
    if argument.startswith("ftp://"):
        path = argument[6:].partition("/")[2]
    return {base_name(path): None, path: None, "/" + path.lstrip("/"): None}


def third_parties(orig: object, resp: object, client: object, server: object) -> Iterable[str]:
    """Ends of the data channel that aren't the client's or the server's own (those are in conn.log)."""
    return [addr for addr in (orig, resp) if isinstance(addr, str) and addr not in (client, server)]


PLUGIN = Plugin(
    module="FTP",
    logs=(
        Log(
            name="ftp",
            seen=(
                Seen("FTP::IN_USER_NAME", IndicatorType.USER_NAME, ("user",)),
                Seen("FTP::IN_URL", IndicatorType.URL, ("arg",), urls),
                Seen("FTP::IN_FILE_NAME", IndicatorType.FILE_NAME, ("command", "arg"), files),
                Seen(
                    "FTP::IN_DATA_CHANNEL",
                    IndicatorType.ADDR,
                    ("data_channel.orig_h", "data_channel.resp_h", "id.orig_h", "id.resp_h"),
                    third_parties,
                ),
            ),
            links=("fuid",),
            ecs={
                "user": "user.name",
                "command": "event.action",
                "mime_type": "file.mime_type",
                "file_size": "file.size",
            },
            constants={
                "event.category": ["file", "network"],
                "event.type": ["access", "protocol"],
                "network.protocol": "ftp",
            },
        ),
    ),
)
