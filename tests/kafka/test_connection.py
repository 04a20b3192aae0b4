"""Connections: what librdkafka is told, what contradicts itself, and that secrets stay hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from threathunting.kafka.connection import OWN_SETTINGS, Connection


def test_plain_text_needs_only_brokers() -> None:
    client = Connection(brokers=["a:1", "b:2"]).client({"group.id": "g"})
    assert client["bootstrap.servers"] == "a:1,b:2"
    assert client["security.protocol"] == "PLAINTEXT"
    assert client["group.id"] == "g"
    assert not any(name.startswith(("ssl.", "sasl.")) for name in client)


def test_mutual_tls() -> None:
    connection = Connection(
        brokers=["a"],
        tls=True,
        ca="ca.pem",
        certificate="c.pem",
        key="k.pem",
        key_password="p",
        verify_hostname=False,
    )
    client = connection.client()
    assert client["security.protocol"] == "SSL"
    assert client["ssl.ca.location"] == "ca.pem"
    assert client["ssl.certificate.location"] == "c.pem"
    assert client["ssl.key.location"] == "k.pem"
    assert client["ssl.key.password"] == "p"
    assert client["ssl.endpoint.identification.algorithm"] == "none"
    assert Connection(brokers=["a"], tls=True).client()["ssl.endpoint.identification.algorithm"] == "https"


@pytest.mark.parametrize(("tls", "protocol"), [(True, "SASL_SSL"), (False, "SASL_PLAINTEXT")])
def test_log_in(tls: bool, protocol: str) -> None:
    client = Connection(brokers=["a"], tls=tls, sasl="SCRAM-SHA-512", username="u", password="p").client()
    assert client["security.protocol"] == protocol
    assert client["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (client["sasl.username"], client["sasl.password"]) == ("u", "p")


def test_own_settings_go_over_the_defaults_and_what_code_asks_over_both() -> None:
    connection = Connection(brokers=["a"], settings={"linger.ms": 7, "reconnect.backoff.ms": 1})
    assert connection.client()["reconnect.backoff.ms"] == 1
    assert connection.client({"linger.ms": 9})["linger.ms"] == 9


@pytest.mark.parametrize("name", sorted(OWN_SETTINGS))
def test_settings_that_are_not_to_be_changed(name: str) -> None:
    with pytest.raises(ValueError, match=rf"settings\.'{name}' is not to be changed"):
        Connection(brokers=["a"], settings={name: "x"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"brokers": []}, "brokers names no broker"),
        ({"brokers": ["a", ""]}, "brokers names no broker"),
        ({"ca": "x"}, "ca is for TLS"),
        ({"key_password_file": "x"}, "key_password_file is for TLS"),
        ({"tls": True, "certificate": "x"}, "certificate and key belong together"),
        ({"username": "x"}, "username and password are for SASL"),
        ({"password_file": "x"}, "username and password are for SASL"),
        ({"sasl": "PLAIN", "username": "x"}, "sasl = 'PLAIN' needs username and password"),
        (
            {"sasl": "PLAIN", "username": "x", "password": "y", "password_file": "z"},
            "two ways to say the same",
        ),
    ],
)
def test_contradictions(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Connection(**({"brokers": ["a"]} | given))


def test_secrets_are_read_from_files_when_needed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    connection = Connection(brokers=["a"], sasl="PLAIN", username="u", password_file=str(file))
    with pytest.raises(OSError, match="No such file"):
        connection.client()
    file.write_text("hunter2\n")
    assert connection.client()["sasl.password"] == "hunter2"
    assert connection.secrets() == ("hunter2",)
    resolved = connection.resolved()
    assert (resolved.password, resolved.password_file) == ("hunter2", None)
    assert resolved.resolved() is resolved
    file.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        connection.secrets()


def test_secrets_show_in_no_text() -> None:
    connection = Connection(
        brokers=["a"],
        tls=True,
        certificate="c",
        key="k",
        key_password="one",
        sasl="PLAIN",
        username="u",
        password="two",
        settings={"ssl.keystore.password": "three", "sasl.oauthbearer.client.secret": "four", "linger.ms": 5},
    )
    assert set(connection.secrets()) == {"one", "two", "three", "four"}
    shown = f"{connection!r} {connection} {list(connection.__rich_repr__())} {[connection]}"
    assert not any(secret in shown for secret in connection.secrets())


def test_read_from_plain_values() -> None:
    assert msgspec.convert({"brokers": ["a"], "settings": {"x": 1}}, Connection) == Connection(
        brokers=["a"], settings={"x": 1}
    )
    with pytest.raises(msgspec.ValidationError, match="ca is for TLS"):
        msgspec.convert({"brokers": ["a"], "ca": "x"}, Connection)
