"""Another instance's flag is heard late, as its transaction stays open: what it is about is still held."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from threathunting.hunt.conversations import Reason
from threathunting.hunt.live.flags import Kind, Raised
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.service.live.consume import HOLD

from ..broker import Broker
from ..live import Service, Topics, conversation, identities, tagged
from .flow import INTEL, consuming

pytestmark = pytest.mark.kafka

LOOK_BEHIND = 1.0


def test_a_flag_whose_transaction_stays_open_costs_nothing(kafka: Broker, tmp_path: Path) -> None:
    topics = Topics(kafka, records=1)
    topics.arm(INTEL)
    producer = Producer(kafka.client(linger_ms=0))
    other = Producer(kafka.client(transactional_id=topics["other"], transaction_timeout_ms=60_000))
    other.init_transactions(20)

    def write(number: int) -> None:
        for one in conversation(number, False, time.time()):
            producer.produce(topics["records"], tagged(*one), partition=0)
        producer.flush(10)

    with Service(
        tmp_path, topics, consume=consuming(topics), hunt={"look_behind": f"{LOOK_BEHIND}s"}
    ) as running:
        other.begin_transaction()
        other.produce(topics["conversations"], flag("C00000001").encode(), "C00000001")
        other.flush(10)
        write(1)
        until = time.monotonic() + HOLD + LOOK_BEHIND + 4
        number = 2
        while time.monotonic() < until:
            write(number)
            number += 1
            time.sleep(0.1)
        other.commit_transaction(20)
        found = topics.read("investigations", until=4)
        assert identities(found) == {("C00000001", part): 1 for part in range(4)}
        assert running.stop() == 0


def flag(uid: str) -> Raised:
    indicator = Indicator(IndicatorType.DOMAIN, "evil.example")
    reason = Reason(indicator, "HTTP::IN_HOST_HEADER", "evil.example", (Item(source="elsewhere"),))
    return Raised(Kind.CONVERSATION, uid, "elsewhere/0", time.time(), (reason,))
