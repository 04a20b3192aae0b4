"""Where a ``[[zeek]]`` of the configuration is reached."""

from __future__ import annotations

from threathunting.service.config_schema import Zeek
from threathunting.zeek.client import Endpoint


def endpoint_of(settings: Zeek) -> Endpoint:
    """Its WebSocket, and the certificates for it."""
    return Endpoint(
        url=settings.url,
        ca=settings.ca,
        certificate=settings.certificate,
        key=settings.key,
        verify_hostname=settings.verify_hostname,
    )
