"""SMB: files opened, renamed and deleted, and the servers whose shares are mapped.

Of smb_files.log, smb_mapping.log and smb_cmd.log (a policy script of Zeek).
"""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import base_name, host_addrs, host_names, user_names


def accessed_files(name: object, share: object) -> Iterable[str]:
    r"""A file's name alone, its path, and its path with the share (``\\server\share\dir\file``)."""
    if not isinstance(name, str):
        return ()
    path = name.lstrip("\\")
    found = [base_name(path), name, path]
    if isinstance(share, str):
        found.append(share.rstrip("\\") + "\\" + path)
    return found


def previous_files(name: object) -> Iterable[str]:
    """A renamed file's former name, alone and with its path."""
    return accessed_files(name, None)


def server(share: object) -> str | None:
    r"""The server in ``\\server\share``."""
    return share[2:].partition("\\")[0] if isinstance(share, str) and share.startswith("\\\\") else None


def server_names(share: object) -> Iterable[str]:
    """The server of a share, if it goes by a name."""
    return host_names(server(share))


def server_addrs(share: object, responder: object) -> Iterable[str]:
    """The server of a share, if it goes by an address other than the responder's (which conn.log has)."""
    return [host for host in host_addrs(server(share)) if host != responder]


# Zeek's SMB::IN_FILE_NAME means a file whose content went by: that is files.log, in plugin FILE.
PLUGIN = Plugin(
    module="SMB",
    logs=(
        Log(
            name="smb_files",
            seen=(
                Seen("SMB::IN_ACCESSED_FILE", IndicatorType.FILE_NAME, ("name", "path"), accessed_files),
                Seen("SMB::IN_PREVIOUS_NAME", IndicatorType.FILE_NAME, ("prev_name",), previous_files),
            ),
            links=("fuid",),
            ecs={
                "action": "event.action",
                "name": "file.path",
                "size": "file.size",
                "times.modified": "file.mtime",
                "times.accessed": "file.accessed",
                "times.created": "file.created",
                "times.changed": "file.ctime",
            },
            constants={
                "event.category": ["file", "network"],
                "event.type": ["access", "protocol"],
                "network.protocol": "smb",
            },
        ),
        Log(
            name="smb_mapping",
            seen=(
                Seen("SMB::IN_SHARE", IndicatorType.DOMAIN, ("path",), server_names),
                Seen("SMB::IN_SHARE", IndicatorType.ADDR, ("path", "id.resp_h"), server_addrs),
            ),
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "smb",
            },
        ),
        Log(
            name="smb_cmd",
            seen=(
                Seen("SMB::IN_USER_NAME", IndicatorType.USER_NAME, ("username",), user_names),
                Seen(
                    "SMB::IN_ACCESSED_FILE",
                    IndicatorType.FILE_NAME,
                    ("referenced_file.name", "referenced_file.path"),
                    accessed_files,
                ),
            ),
            links=("referenced_file.fuid",),
            ecs={"username": "user.name"},
            constants={
                "event.category": ["network"],
                "event.type": ["protocol"],
                "network.protocol": "smb",
            },
        ),
    ),
)
