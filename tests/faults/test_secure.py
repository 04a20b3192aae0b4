"""The service over SASL with SCRAM and over mutual TLS, and with a wrong password: never a secret anywhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ..broker import Broker
from ..certificates import Certificates
from ..integration.conftest import USERS
from ..live import Service, Topics, conversation, tagged

pytestmark = pytest.mark.kafka

[(USER, PASSWORD)] = USERS.items()


def service(folder: Path, topics: Topics, kafka: dict[str, Any]) -> Service:
    consume = {
        "topics": [topics["records"]],
        "group": topics["group"],
        "flags_topic": topics["conversations"],
    }
    return Service(folder, topics, consume=consume, kafka=kafka)


def connections(broker: Broker, certificates: Certificates) -> dict[str, dict[str, Any]]:
    ca, own, key = str(certificates.ca), str(certificates.client), str(certificates.client_key)
    return {
        "scram over TLS": {
            "brokers": [broker.bootstrap("SASL_SSL")],
            "tls": True,
            "ca": ca,
            "sasl": "SCRAM-SHA-512",
            "username": USER,
            "password": PASSWORD,
        },
        "plain": {
            "brokers": [broker.bootstrap("SASL_PLAINTEXT")],
            "sasl": "PLAIN",
            "username": USER,
            "password": PASSWORD,
        },
        "mutual TLS": {
            "brokers": [broker.bootstrap("MTLS")],
            "tls": True,
            "ca": ca,
            "certificate": own,
            "key": key,
        },
    }


@pytest.mark.parametrize("how", ["scram over TLS", "plain", "mutual TLS"])
def test_end_to_end(secure_kafka: Broker, certificates: Certificates, tmp_path: Path, how: str) -> None:
    topics = Topics(secure_kafka, records=1)
    topics.arm("domain evil.example")
    with service(tmp_path / "one", topics, connections(secure_kafka, certificates)[how]) as running:
        records = conversation(1, True, time.time())
        topics.send("records", [(None, tagged(*one)) for one in records])
        assert len(topics.read("investigations", until=4)) == 4
        running.wait(lambda: bool(topics.read("sensors")), "told its state")
        assert running.stop() == 0
        assert PASSWORD not in running.said(1_000_000)


def test_a_wrong_password_is_told_with_what_to_look_at_and_shown_nowhere(
    secure_kafka: Broker, certificates: Certificates, tmp_path: Path
) -> None:
    topics = Topics(secure_kafka, records=1)
    wrong = "n0t-the-Passw0rd-of-anybody"
    kafka = connections(secure_kafka, certificates)["scram over TLS"] | {"password": wrong}
    running = service(tmp_path / "one", topics, kafka).start(ready=False)
    try:
        running.wait(lambda: "username and password" in running.get("/readyz")[1], "told")
        assert running.get("/readyz")[0] == 503
        running.wait(
            lambda: any("username and password" in error["what"] for error in running.status()["errors"]),
            "told among the errors",
        )
        pages = [running.get(page)[1] for page in ("/status", "/metrics", "/readyz", "/healthz")]
        assert running.stop() == 0
        for text in (*pages, running.said(1_000_000)):
            assert wrong not in text
    finally:
        running.kill()


def test_a_key_that_is_none_is_said_before_anything_starts(
    secure_kafka: Broker, certificates: Certificates, tmp_path: Path
) -> None:
    topics = Topics(secure_kafka, records=1)
    kafka = connections(secure_kafka, certificates)["mutual TLS"] | {"key": str(certificates.ca)}
    running = service(tmp_path / "one", topics, kafka).start(ready=False)
    assert running.process is not None
    assert running.process.wait(30) == 2
    assert "Traceback" not in running.said()
    assert "the settings in [kafka] can't be used" in running.said()
