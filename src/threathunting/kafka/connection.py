"""How to reach a Kafka cluster: addresses, TLS, SASL, and any other setting of librdkafka."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

Setting = str | int | float | bool

ReadFile = Annotated[str, msgspec.Meta(extra={"is": "file"})]
"""A path of a file; the configuration takes it relative to its own folder."""

Secret = Annotated[str, msgspec.Meta(extra={"is": "secret"})]
"""A text that is never shown."""

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

    ``ca``, ``certificate`` and ``key`` are paths of PEM files. ``password_file`` and ``key_password_file``
    hold nothing but the secret (and a line end). ``settings`` are librdkafka's own names (CONFIGURATION.md
    there) for what has no key here.
    """

    brokers: list[str]
    tls: bool = False
    ca: ReadFile | None = None
    certificate: ReadFile | None = None
    key: ReadFile | None = None
    key_password: Secret | None = None
    key_password_file: ReadFile | None = None
    verify_hostname: bool = True
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: Secret | None = None
    password_file: ReadFile | None = None
    settings: dict[str, Setting] = {}

    def __post_init__(self) -> None:
        for _, sentence in contradictions(msgspec.structs.asdict(self)):
            raise ValueError(sentence)

    def __repr__(self) -> str:
        return f"Connection({', '.join(self.brokers)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("brokers", self.brokers)]

    def resolved(self) -> Connection:
        """The same with its secrets read from their files; itself where it names none.

        Raises OSError where a file can't be read, and ValueError where it is empty or no text.
        """
        read: dict[str, str | None] = {}
        for name in ("password", "key_password"):
            path = getattr(self, f"{name}_file")
            if path is not None:
                read |= {name: secret_in(path), f"{name}_file": None}
        return msgspec.structs.replace(self, **read) if read else self

    def client(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The configuration of a librdkafka client: ours, the user's settings over it, ``extra`` over both.

        Raises what ``resolved`` raises.
        """
        return self.resolved()._client(extra)

    def _client(self, extra: Mapping[str, Any] | None) -> dict[str, Any]:
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
        """The texts that no log, status or error may show. Raises what ``resolved`` raises."""
        resolved = self.resolved()
        hidden = [resolved.password, resolved.key_password]
        hidden += [
            str(value) for name, value in self.settings.items() if "password" in name or "secret" in name
        ]
        return tuple(text for text in hidden if text)


def contradictions(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What can't be in a connection of these keys and values, as (key, sentence); nothing where all is well."""

    def has(name: str) -> bool:
        return given.get(name) is not None

    brokers, settings = given.get("brokers"), given.get("settings")
    if brokers is not None and not (brokers and all(brokers)):
        yield "brokers", "brokers names no broker; give at least one as 'host:port'"
    if not given.get("tls"):
        for name in ("ca", "certificate", "key", "key_password", "key_password_file"):
            if has(name):
                yield name, f"{name} is for TLS; set tls = true or take it out"
    if has("certificate") != has("key"):
        yield (
            "certificate" if has("certificate") else "key",
            "certificate and key belong together; give both or none",
        )
    for name in ("password", "key_password"):
        if has(name) and has(f"{name}_file"):
            yield f"{name}_file", f"{name} and {name}_file are two ways to say the same; give one of them"
    for name in ("username", "password", "password_file"):
        if has(name) and not has("sasl"):
            yield name, "username and password are for SASL; set sasl or take them out"
            break
    if has("sasl") and not (has("username") and (has("password") or has("password_file"))):
        yield "sasl", f"sasl = '{given['sasl']}' needs username and password (or password_file)"
    for name in sorted(OWN_SETTINGS & set(settings or ())):
        yield "settings", f"settings.'{name}' is not to be changed: that nothing is lost depends on it"


def secret_in(path: str) -> str:
    """The secret that a file holds, without its line end. Raises OSError, or ValueError without its content."""
    try:
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no UTF-8 text, so no secret can be read from it") from None
    if not secret:
        raise ValueError(f"{path} is empty, so no secret can be read from it")
    return secret
