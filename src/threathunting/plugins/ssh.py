"""SSH: who logs in and whether it worked, host keys, versions and fingerprints of both sides (ssh.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.records import Record


def succeeded(record: Record) -> bool:
    """Whether Zeek took the login for successful."""
    return record.get("auth_success") is True


def failed(record: Record) -> bool:
    """Whether Zeek took the login for failed; False where it couldn't tell."""
    return record.get("auth_success") is False


def versions(banner: object) -> Iterable[str]:
    """``SSH-2.0-OpenSSH_9.6`` whole, and the software in it (RFC 4253, 4.2)."""
    if not isinstance(banner, str):
        return ()
    parts = banner.split("-", 2)
    return (banner, parts[2]) if len(parts) == 3 and parts[0] == "SSH" else (banner,)


PLUGIN = Plugin(
    module="SSH",
    logs=(
        Log(
            name="ssh",
            seen=(
                Seen("SSH::AUTH_SUCCESSFUL", IndicatorType.ADDR, ("id.orig_h",), when=succeeded),
                Seen("SSH::AUTH_FAILED", IndicatorType.ADDR, ("id.orig_h",), when=failed),
                # Zeek logs the MD5 with policy/protocols/ssh/md5-host-key-logging only, the SHA-256 always.
                Seen("SSH::IN_SERVER_HOST_KEY", IndicatorType.PUBKEY_HASH, ("host_key",)),
                Seen("SSH::IN_SERVER_HOST_KEY", IndicatorType.PUBKEY_HASH, ("host_key_fingerprint",)),
                Seen("SSH::IN_CLIENT_VERSION", IndicatorType.SOFTWARE, ("client",), versions),
                Seen("SSH::IN_SERVER_VERSION", IndicatorType.SOFTWARE, ("server",), versions),
                # The hassh package's fields.
                Seen("SSH::IN_HASSH", IndicatorType.HASSH, ("hassh",)),
                Seen("SSH::IN_HASSH_SERVER", IndicatorType.HASSH, ("hasshServer",)),
            ),
            ecs={"auth_success": "event.outcome"},
            constants={
                "event.category": ["network", "authentication"],
                "event.type": ["connection", "info", "protocol"],
                "network.protocol": "ssh",
            },
        ),
    ),
)
