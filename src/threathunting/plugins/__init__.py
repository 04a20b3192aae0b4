"""All plugins, in one visible list. A user's own come by the entry point group ``threathunting.plugins``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points

from threathunting.plugins import (
    conn,
    dhcp,
    dns,
    file,
    ftp,
    http,
    irc,
    kerberos,
    ldap,
    mysql,
    ntlm,
    postgresql,
    quic,
    radius,
    rdp,
    sip,
    smb,
    smtp,
    socks,
    software,
    ssh,
    ssl,
    tunnel,
    websocket,
    x509,
)
from threathunting.plugins._api import COMMON_ECS, Log, Plugin, Seen, strings

BUILTIN: tuple[Plugin, ...] = (
    conn.PLUGIN,
    dhcp.PLUGIN,
    dns.PLUGIN,
    file.PLUGIN,
    ftp.PLUGIN,
    http.PLUGIN,
    irc.PLUGIN,
    kerberos.PLUGIN,
    ldap.PLUGIN,
    mysql.PLUGIN,
    ntlm.PLUGIN,
    postgresql.PLUGIN,
    quic.PLUGIN,
    radius.PLUGIN,
    rdp.PLUGIN,
    sip.PLUGIN,
    smb.PLUGIN,
    smtp.PLUGIN,
    socks.PLUGIN,
    software.PLUGIN,
    ssh.PLUGIN,
    ssl.PLUGIN,
    tunnel.PLUGIN,
    websocket.PLUGIN,
    x509.PLUGIN,
)

ENTRY_POINTS = "threathunting.plugins"

OTHER = "OTHER"
"""The module of logs that no plugin knows: captured by uid, never matched."""


def installed() -> tuple[Plugin, ...]:
    """The plugins that users installed beside ours; ValueError names the one that is broken."""
    found = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            plugin = point.load()
        except Exception as error:
            raise ValueError(f"plugin '{point.name}' ({point.value}) can't be loaded: {error}") from error
        if not isinstance(plugin, Plugin):
            kind = type(plugin).__name__
            raise ValueError(f"plugin '{point.name}' ({point.value}) is a {kind}, not a Plugin")  # noqa: TRY004
        found.append(plugin)
    return tuple(found)


class Registry:
    """The plugins in force, by module and by log. A later plugin's log replaces an earlier one's."""

    def __init__(self, plugins: Iterable[Plugin], modules: Iterable[str] | None = None) -> None:
        """Take ``plugins``, only those of ``modules`` if given (any case); ValueError on unknown modules."""
        self.plugins = tuple(plugins)
        self.known = frozenset(plugin.module for plugin in self.plugins) | {OTHER}
        self.modules = self.known if modules is None else frozenset(name.strip().upper() for name in modules)
        unknown = sorted(self.modules - self.known)
        if unknown:
            raise ValueError(f"unknown module {', '.join(unknown)} (known: {', '.join(sorted(self.known))})")
        self.module_of: dict[str, str] = {}
        self.logs: dict[str, Log] = {}
        for plugin in self.plugins:
            for log in plugin.logs:
                self.module_of[log.name] = plugin.module
                self.logs[log.name] = log

    def log(self, name: str) -> Log:
        """The log's description; of an unknown log one that looks at nothing and captures by uid."""
        return self.logs.get(name) or Log(name)

    def enabled(self, name: str) -> bool:
        """Whether the module that a log belongs to is on."""
        return self.module_of.get(name, OTHER) in self.modules


__all__ = ["BUILTIN", "COMMON_ECS", "OTHER", "Log", "Plugin", "Registry", "Seen", "installed", "strings"]
