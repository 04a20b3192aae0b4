"""WEBSOCKET: host, URL and user agent of the upgrade (websocket.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import host_addrs, host_names


def urls(host: object, uri: object) -> Iterable[str]:
    """The URL by its Host header."""
    return (host + uri,) if isinstance(host, str) and isinstance(uri, str) and host and uri[:1] == "/" else ()


PLUGIN = Plugin(
    module="WEBSOCKET",
    logs=(
        Log(
            name="websocket",
            seen=(
                Seen("WEBSOCKET::IN_HOST_HEADER", IndicatorType.DOMAIN, ("host",), host_names),
                Seen("WEBSOCKET::IN_HOST_HEADER", IndicatorType.ADDR, ("host",), host_addrs),
                Seen("WEBSOCKET::IN_URL", IndicatorType.URL, ("host", "uri"), urls, host="host"),
                Seen("WEBSOCKET::IN_USER_AGENT_HEADER", IndicatorType.SOFTWARE, ("user_agent",)),
            ),
            ecs={"host": "url.domain", "uri": "url.original", "user_agent": "user_agent.original"},
            constants={
                "event.category": ["network", "web"],
                "event.type": ["access", "protocol"],
                "network.protocol": "websocket",
            },
        ),
    ),
)
