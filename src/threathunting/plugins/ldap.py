"""LDAP: who binds to a directory (ldap.log); its searches are captured (ldap_search.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import attribute, dn_values, user_names

_USER = attribute("CN", "UID", "sAMAccountName")


def users(opcode: object, name: object) -> Iterable[str]:
    r"""Who a bind is for: a name (``DOMAIN\user``, ``user@domain``), or a DN and the user in it."""
    if not isinstance(opcode, str) or not isinstance(name, str) or not opcode.startswith("bind"):
        return ()
    if "=" in name:
        return (name, *dn_values(_USER, name)[:1])
    return user_names(name)


_CONSTANTS: dict[str, str | list[str]] = {
    "event.category": ["network"],
    "event.type": ["connection", "protocol"],
    "network.protocol": "ldap",
}

PLUGIN = Plugin(
    module="LDAP",
    logs=(
        Log(
            name="ldap",
            seen=(Seen("LDAP::IN_BIND", IndicatorType.USER_NAME, ("opcode", "object"), users),),
            ecs={"opcode": "event.action"},
            constants=_CONSTANTS,
        ),
        Log(name="ldap_search", constants=_CONSTANTS),
    ),
)
