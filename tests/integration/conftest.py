"""A real Apache Kafka for the tests: one for all of a session's processes, and own ones for faults."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import kafka_jars
from tests.broker import Broker
from tests.certificates import Certificates

USERS = {"hunter": "S3cret-of-the-hunter"}


@pytest.fixture(scope="session")
def kafka_here() -> None:
    """Skips where no broker can be started; fails in CI."""
    if (problem := kafka_jars.problem()) is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that its processes (pytest-xdist) share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def common_broker(folder: Path, make: Callable[[], Broker]) -> Iterator[Broker]:
    """The broker in ``folder``, started by the first process that asks, ended with the last."""
    folder.mkdir(exist_ok=True)
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            broker = Broker.at(folder)
            # A broker without users is about to end: only one that is held and runs will go on.
            broker.hold()
        except FileNotFoundError:
            broker = make()
        if broker.pid is None:
            broker = make().start()
    yield broker
    broker.release()


@pytest.fixture(scope="session")
def kafka(kafka_here: None, common_folder: Path) -> Iterator[Broker]:
    """A broker that all tests share: topics have names of their own, and nobody stops it."""
    folder = common_folder / "kafka"
    yield from common_broker(folder, lambda: Broker(folder, properties={"message.max.bytes": 16 << 20}))


@pytest.fixture(scope="session")
def certificates(common_folder: Path) -> Certificates:
    """PEM files of a broker, a client and who signed both."""
    folder = common_folder / "certificates"
    folder.mkdir(exist_ok=True)
    with (folder / "make.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Certificates(folder).made()


@pytest.fixture(scope="session")
def secure_kafka(kafka_here: None, common_folder: Path, certificates: Certificates) -> Iterator[Broker]:
    """A broker with every listener that Broker knows; the one user is in USERS."""
    folder = common_folder / "secure-kafka"
    yield from common_broker(
        folder,
        lambda: Broker(
            folder,
            listeners=["SSL", "MTLS", "SASL_PLAINTEXT", "SASL_SSL"],
            certificate=certificates.broker,
            ca=certificates.ca,
            users=USERS,
        ),
    )


@pytest.fixture
def make_broker(kafka_here: None, tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Makes brokers of this test's own (arguments as Broker's, without the folder), to be started by it."""
    made: list[Broker] = []

    def make(**settings: Any) -> Broker:
        made.append(Broker(tmp_path / f"broker-{len(made)}", **settings))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def new_topic(kafka: Broker) -> Iterator[Callable[..., str]]:
    """Makes topics on ``kafka`` (arguments as Broker.create_topic's, without the name); deleted at the end."""
    made: list[str] = []

    def make(partitions: int = 1, **config: Any) -> str:
        made.append(kafka.create_topic(f"t-{uuid.uuid4().hex[:12]}", partitions, **config))
        return made[-1]

    yield make
    if made:
        kafka.delete_topics(made)
