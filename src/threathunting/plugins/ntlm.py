"""NTLM: users, their domain, and the names of both hosts (ntlm.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen


def users(user: object, domain: object) -> Iterable[str]:
    r"""``user``, and ``DOMAIN\user`` where the domain is told."""
    if not isinstance(user, str):
        return ()
    return (user, f"{domain}\\{user}") if isinstance(domain, str) else (user,)


PLUGIN = Plugin(
    module="NTLM",
    logs=(
        Log(
            name="ntlm",
            seen=(
                Seen("NTLM::IN_USER_NAME", IndicatorType.USER_NAME, ("username", "domainname"), users),
                Seen("NTLM::IN_HOST_NAME", IndicatorType.DOMAIN, ("hostname",)),
                Seen("NTLM::IN_DOMAIN_NAME", IndicatorType.DOMAIN, ("domainname",)),
                Seen("NTLM::IN_SERVER_NAME", IndicatorType.DOMAIN, ("server_dns_computer_name",)),
                Seen("NTLM::IN_SERVER_NAME", IndicatorType.DOMAIN, ("server_nb_computer_name",)),
            ),
            ecs={
                "username": "user.name",
                "domainname": "user.domain",
                "hostname": "source.domain",
                "server_dns_computer_name": "destination.domain",
                "success": "event.outcome",
            },
            constants={
                "event.category": ["authentication", "network"],
                "event.type": ["info", "protocol"],
                "network.protocol": "ntlm",
            },
        ),
    ),
)
