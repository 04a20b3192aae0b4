"""The commands' way to a cluster, and what they do there; on librdkafka's own broker, so that this runs anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from threathunting.intel.formats import Refusal
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.kafka.connection import Connection
from threathunting.kafka.intel_producer import IntelProducer
from threathunting.kafka.mock import EmbeddedBroker
from threathunting.service.intel_push import Request, Told, push
from threathunting.service.intel_remove import remove
from threathunting.service.intel_topic import Cluster, cluster, listing, plans

NOBODY = "127.0.0.1:9"
CONFIG = """
[service]
state = "state"
[kafka]
brokers = ["kafka-1:9092"]
settings = { "socket.timeout.ms" = 1000, "linger.ms" = 5 }
[intel]
topic = "iocs"
rejected = "refused"
[consume]
topics = ["zeek"]
flags_topic = "flags"
[output.kafka]
sensors = false
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "threathunting.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def here() -> Iterator[Cluster]:
    with EmbeddedBroker({"intelligence": 2}) as address:
        yield Cluster(Connection(brokers=[address]), "intelligence", None)


def test_a_cluster_by_its_brokers() -> None:
    found = cluster("a:1, b:2,", None, ["security.protocol=SSL", "sasl.password=${P}"], environ={"P": "x=y"})
    assert found.connection.brokers == ["a:1", "b:2"]
    assert found.connection.settings == {"security.protocol": "SSL", "sasl.password": "x=y"}
    assert (found.topic, found.config) == ("intelligence", None)
    assert "x=y" in found.connection.secrets()


def test_a_cluster_by_the_configuration(config: Path) -> None:
    found = cluster(None, config, ["linger.ms=9"])
    assert found.connection.brokers == ["kafka-1:9092"]
    assert found.connection.settings == {"socket.timeout.ms": 1000, "linger.ms": "9"}
    assert found.topic == "iocs"
    assert cluster("other:1", config, topic="mine")[:2] == (
        Connection(brokers=["other:1"], settings={"socket.timeout.ms": 1000, "linger.ms": 5}),
        "mine",
    )


@pytest.mark.parametrize(
    ("brokers", "settings", "sentence"),
    [
        (None, [], "give --brokers HOST:PORT or --config FILE"),
        (" , ", [], "give --brokers HOST:PORT or --config FILE"),
        ("a:1", ["linger.ms"], "-X linger.ms: a setting is written as name=value"),
        ("a:1", ["=3"], "written as name=value"),
        ("a:1", ["sasl.password=${NO_SUCH}"], "the environment has no NO_SUCH"),
        ("a:1", ["enable.idempotence=false"], "not to be changed"),
    ],
)
def test_no_cluster(brokers: str | None, settings: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cluster(brokers, None, settings, environ={})


def test_topics_have_the_names_of_the_configuration(config: Path) -> None:
    made = {plan.name: plan for plan in plans(cluster(None, config), 4, unkeyed=False)}
    assert {name: plan.partitions for name, plan in made.items()} == {
        "iocs": 1,
        "refused": 1,
        "sightings": 4,
        "investigations": 4,
        "flags": 1,
    }
    assert made["iocs"].settings["cleanup.policy"] == "compact"
    assert [name for name, plan in made.items() if plan.exactly] == ["flags"]


def test_an_unkeyed_topic_throws_nothing_away() -> None:
    [plan] = [plan for plan in plans(cluster("a:1", None), 4, unkeyed=True) if plan.name == "intelligence"]
    assert plan.settings == {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


def test_push_list_and_remove(here: Cluster) -> None:
    told = Told(source="SOC", level="high", expire=3600.0)
    refused: list[Refusal] = []
    pushed = push(
        here,
        Request(values=["evil[.]example", "198.51.100.7", "no indicator"], told=told),
        on_refusal=refused.append,
    )
    assert (pushed.delivery, pushed.refused, pushed.expired) == ((2, 2, None), 1, 0)
    assert refused == pushed.refusals
    found = dict(listing(here).store.items())
    assert found.keys() == {
        Indicator(IndicatorType.DOMAIN, "evil.example"),
        Indicator(IndicatorType.ADDR, "198.51.100.7"),
    }
    for item in found.values():
        assert (item.source, item.level) == ("SOC", "high")
        assert item.expires == pytest.approx(time.time() + 3600, abs=60)
    removed = remove(here, Request(values=["evil.example", "good.example"]), all_sources=True)
    assert (removed.items, removed.delivery) == (1, (1, 1, None))
    assert removed.not_armed == [Indicator(IndicatorType.DOMAIN, "good.example")]
    assert [indicator.value for indicator, _ in listing(here).store.items()] == ["198.51.100.7"]


@pytest.mark.parametrize(
    ("value", "type", "subdomains", "armed"),
    [
        ("*.evil.example", None, False, (IndicatorType.DOMAIN, "evil.example", True)),
        ("evil.example", None, True, (IndicatorType.DOMAIN, "evil.example", True)),
        ("evil.example", "domain", True, (IndicatorType.DOMAIN, "evil.example", True)),
        ("bad.exe", None, False, (IndicatorType.FILE_NAME, "bad.exe", False)),
        ("bad.exe", "software", False, (IndicatorType.SOFTWARE, "bad.exe", False)),
        ("ja3:" + "0" * 32, None, False, (IndicatorType.JA3, "0" * 32, False)),
    ],
)
def test_types_of_values(
    here: Cluster, value: str, type: str | None, subdomains: bool, armed: tuple[IndicatorType, str, bool]
) -> None:
    assert push(here, Request(values=[value], type=type, subdomains=subdomains)).delivery == (1, 1, None)
    [(indicator, item)] = listing(here).store.items()
    assert (*indicator, item.subdomains) == armed


@pytest.mark.parametrize(
    ("value", "type", "reason"),
    [
        ("198.51.100.7", None, "only a domain has subdomains"),
        ("com", None, "no shape that tells its type"),
        ("co.uk", "domain", "public suffix"),
    ],
)
def test_subdomains_of_what_has_none_are_refused(
    here: Cluster, value: str, type: str | None, reason: str
) -> None:
    pushed = push(here, Request(values=[value], type=type, subdomains=True))
    assert (pushed.delivery, pushed.refused) == ((0, 0, None), 1)
    assert reason in pushed.refusals[0].reason


def test_removal_of_what_is_no_indicator(here: Cluster) -> None:
    removed = remove(here, Request(values=["no indicator"]), all_sources=True)
    assert (removed.items, len(removed.refusals), removed.delivery) == (0, 1, (0, 0, None))


def test_nobody_there() -> None:
    notes: list[str] = []
    nowhere = Cluster(Connection(brokers=[NOBODY]), "intelligence", None)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="Kafka: no broker can be reached"):
        IntelProducer(nowhere.connection, nowhere.topic, notes.append)
    assert notes == ["Kafka: no broker can be reached (_ALL_BROKERS_DOWN)"]
    with pytest.raises(ConnectionError, match="Kafka: no broker can be reached"):
        listing(nowhere, give_up=3.0)
    assert time.monotonic() - began < 20


def test_no_such_topic(here: Cluster) -> None:
    missing = here._replace(topic="missing")
    for use in (lambda: push(missing, Request(values=["evil.example"])), lambda: listing(missing)):
        with pytest.raises(ConnectionError, match="topic missing: the topic does not exist"):
            use()


def test_what_a_file_fills_in(here: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(
        "indicator,type,description,confidence\na.example,domain,its own,10\nb.example,domain,,\n"
    )
    told = Told(desc="ours", confidence=90, tags=("x",))
    assert push(here, Request(files=[str(path)], told=told)).delivery == (2, 2, None)
    assert {indicator.value: item for indicator, item in listing(here).store.items()} == {
        "a.example": Item("feed", desc="its own", confidence=10, tags=("x",)),
        "b.example": Item("feed", desc="ours", confidence=90, tags=("x",)),
    }
