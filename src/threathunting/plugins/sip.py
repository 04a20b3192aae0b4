"""SIP: who calls whom, by which hosts, with which software (sip.log)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen, strings
from threathunting.plugins._values import addrs_in, host_addrs, host_names

MAX_LENGTH = 4096
"""Of a header this much is read: longer ones are an attack."""

_URI = re.compile(r"\b(?:sips?|tel):(?:([^@\s<>;?\"]{0,256})@)?(\[[0-9a-f:.]+\]|[^\s<>;?,\":]+)?", re.I)


def _parties(values: tuple[object, ...]) -> list[tuple[str, str]]:
    """(user, host) of the SIP URIs in these fields, one of them perhaps empty (RFC 3261, 19.1)."""
    return [
        (user.partition(":")[0], host)
        for value in values
        if value is not None
        for text in strings(value)
        for user, host in _URI.findall(text[:MAX_LENGTH])
    ]


def addresses(*values: object) -> Iterable[str]:
    """``user@host`` of SIP URIs, which look like e-mail addresses."""
    return [f"{user}@{host}" for user, host in _parties(values) if user and host]


def users(*values: object) -> Iterable[str]:
    """The users, or telephone numbers, of SIP URIs."""
    return [user for user, _ in _parties(values) if user]


def names(*values: object) -> Iterable[str]:
    """The hosts of SIP URIs that are names."""
    return host_names([host for _, host in _parties(values)])


def addrs(*values: object) -> Iterable[str]:
    """The hosts of SIP URIs that are addresses."""
    return host_addrs([host for _, host in _parties(values)])


def _seen(where: str, *fields: str) -> tuple[Seen, ...]:
    return (
        Seen(where, IndicatorType.EMAIL, fields, addresses),
        Seen(where, IndicatorType.USER_NAME, fields, users),
        Seen(where, IndicatorType.DOMAIN, fields, names),
        Seen(where, IndicatorType.ADDR, fields, addrs),
    )


PLUGIN = Plugin(
    module="SIP",
    logs=(
        Log(
            name="sip",
            seen=(
                *_seen("SIP::IN_URI", "uri"),
                *_seen("SIP::IN_FROM", "request_from", "response_from"),
                *_seen("SIP::IN_TO", "request_to", "response_to"),
                *_seen("SIP::IN_REPLY_TO", "reply_to"),
                Seen("SIP::IN_VIA", IndicatorType.ADDR, ("request_path", "response_path"), addrs_in),
                Seen("SIP::IN_USER_AGENT_HEADER", IndicatorType.SOFTWARE, ("user_agent",)),
            ),
            ecs={"method": "event.action", "uri": "url.full", "user_agent": "user_agent.original"},
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "sip",
            },
        ),
    ),
)
