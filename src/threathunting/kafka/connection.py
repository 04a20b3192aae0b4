"""How to reach a Kafka cluster: addresses, TLS, SASL, and any other setting of librdkafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Setting = str | int | float | bool

OWN_SETTINGS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "group.id",
        "isolation.level",
        "partition.assignment.strategy",
        "transactional.id",
    }
)
"""Settings of librdkafka on which it depends that nothing is lost or doubled: not the user's to change."""

_DEFAULTS: dict[str, Setting] = {
    "log_level": 0,
    "socket.keepalive.enable": True,
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 2000,
    # Topics come into being by --create-topics, not by a typing error.
    "allow.auto.create.topics": False,
}


class Connection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A cluster's addresses and how to prove who we are; the keys of ``[kafka]`` in the configuration.

    ``ca``, ``certificate`` and ``key`` are paths of PEM files. ``settings`` are librdkafka's own names
    (CONFIGURATION.md there) for what has no key here.
    """

    brokers: list[str]
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None
    verify_hostname: bool = True
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = None
    settings: dict[str, Setting] = {}

    def __post_init__(self) -> None:
        if not self.brokers or not all(self.brokers):
            raise ValueError("brokers names no broker; give at least one as 'host:port'")
        if not self.tls:
            for name in ("ca", "certificate", "key", "key_password"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is for TLS; set tls = true or take it out")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or none")
        if self.sasl is None and (self.username is not None or self.password is not None):
            raise ValueError("username and password are for SASL; set sasl or take them out")
        if self.sasl is not None and (self.username is None or self.password is None):
            raise ValueError(f"sasl = {self.sasl!r} needs username and password")
        taken = sorted(OWN_SETTINGS & self.settings.keys())
        if taken:
            raise ValueError(f"settings.{taken[0]!r} is not to be changed: that nothing is lost depends on it")

    def client(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The configuration of a librdkafka client: ours, the user's settings over it, ``extra`` over both."""
        found: dict[str, Any] = {"bootstrap.servers": ",".join(self.brokers), **_DEFAULTS}
        protocol = ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        found["security.protocol"] = protocol
        if self.tls:
            for name, setting in (
                ("ca", "ssl.ca.location"),
                ("certificate", "ssl.certificate.location"),
                ("key", "ssl.key.location"),
                ("key_password", "ssl.key.password"),
            ):
                if (value := getattr(self, name)) is not None:
                    found[setting] = value
            found["ssl.endpoint.identification.algorithm"] = "https" if self.verify_hostname else "none"
        if self.sasl:
            found["sasl.mechanism"] = self.sasl
            found["sasl.username"] = self.username
            found["sasl.password"] = self.password
        return found | self.settings | dict(extra or {})

    def secrets(self) -> tuple[str, ...]:
        """The texts that no log, status or error may show."""
        hidden = [self.password, self.key_password]
        hidden += [
            str(value) for name, value in self.settings.items() if "password" in name or "secret" in name
        ]
        return tuple(text for text in hidden if text)
