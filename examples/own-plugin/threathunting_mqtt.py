"""MQTT: who connects to a broker, and what is published there (mqtt_connect.log, mqtt_publish.log)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins import Log, Plugin, Seen

_URL = re.compile(r"https?://[^\s\"'<>]+", re.I)


def urls(payload: object) -> Iterable[str]:
    """The URLs in a message: what a bot is told to fetch, for one."""
    return _URL.findall(payload) if isinstance(payload, str) else ()


def hosts(payload: object) -> Iterable[str]:
    """The hosts of these URLs."""
    return [url.split("/")[2].split(":")[0] for url in urls(payload)]


_CONSTANTS: dict[str, str | list[str]] = {
    "event.category": ["network"],
    "event.type": ["protocol"],
    "network.protocol": "mqtt",
}

PLUGIN = Plugin(
    module="MQTT",
    logs=(
        Log(
            name="mqtt_connect",
            seen=(
                Seen("MQTT::IN_CLIENT_ID", IndicatorType.USER_NAME, ("client_id",)),
                Seen("MQTT::IN_WILL", IndicatorType.URL, ("will_payload",), urls),
            ),
            ecs={"connect_status": "event.reason"},
            constants=_CONSTANTS,
        ),
        Log(
            name="mqtt_publish",
            seen=(
                Seen("MQTT::IN_PAYLOAD", IndicatorType.URL, ("payload",), urls),
                Seen("MQTT::IN_PAYLOAD", IndicatorType.DOMAIN, ("payload",), hosts),
                Seen("MQTT::IN_PAYLOAD", IndicatorType.ADDR, ("payload",), hosts),
            ),
            constants=_CONSTANTS,
        ),
    ),
)
