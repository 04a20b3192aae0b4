"""KERBEROS: clients and the services that they ask tickets for (kerberos.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import host_names


def clients(client: object) -> Iterable[str]:
    """Zeek writes ``user/REALM``; looked for are ``user`` and ``user@realm``."""
    if not isinstance(client, str):
        return ()
    user, slash, realm = client.rpartition("/")
    if not slash:
        return (client,)
    return (user, f"{user}@{realm}") if user else ()


def hosts(service: object) -> Iterable[str]:
    """The host in a service's name: ``cifs/files.example.com`` (RFC 4120, 6.2)."""
    if not isinstance(service, str) or service[:7].lower() == "krbtgt/":
        return ()
    return host_names(service.split("/")[1:2])


PLUGIN = Plugin(
    module="KERBEROS",
    logs=(
        Log(
            name="kerberos",
            seen=(
                Seen("KERBEROS::IN_CLIENT", IndicatorType.USER_NAME, ("client",), clients),
                Seen("KERBEROS::IN_SERVICE", IndicatorType.DOMAIN, ("service",), hosts),
            ),
            links=("client_cert_fuid", "server_cert_fuid"),
            ecs={"request_type": "event.action", "success": "event.outcome", "error_msg": "error.message"},
            constants={
                "event.category": ["authentication", "network"],
                "event.type": ["info", "protocol"],
                "network.protocol": "kerberos",
            },
        ),
    ),
)
