"""Empty answers: after each answer a few, ever rarer, and none where there is something else to send."""

from __future__ import annotations

import pytest

from threathunting.service.live.nudges import AFTER, Nudges
from threathunting.zeek.compact_protocol import verdict
from threathunting.zeek.protocol import node_topic


def test_a_node_that_was_answered_is_sent_a_few_and_then_none() -> None:
    nudges = Nudges("us")
    assert (nudges.due(9.0), nudges.wait(9.0, 0.05)) == ([], 0.05)
    nudges.answered("worker-1", 10.0)
    assert nudges.due(10.0) == []
    at = 10.0
    for after in AFTER:
        assert nudges.wait(at, 1.0) == pytest.approx(10.0 + after - at)
        at = 10.0 + after + 1e-9
        [event] = nudges.due(at)
        assert event == verdict("us", "worker-1", b"[]")
        assert event.topic == node_topic("worker-1")
        assert nudges.due(at) == []
    assert nudges.due(100.0) == []
    assert nudges.wait(100.0, 0.05) == 0.05


def test_answers_take_their_place() -> None:
    nudges = Nudges("us")
    for at in range(1_000):
        nudges.answered("worker-1", at / 1000)
        assert nudges.due(at / 1000 + AFTER[0] / 2) == []
    assert len(nudges.due(1_000 + AFTER[0])) == 1


def test_who_comes_late_sends_one_in_place_of_several() -> None:
    nudges = Nudges("us")
    nudges.answered("worker-1", 1.0)
    nudges.answered("worker-2", 1.0)
    assert len(nudges.due(1.0 + AFTER[2])) == 2
    assert len(nudges.due(2.0)) == 2
    assert nudges.due(3.0) == []


def test_nobody_is_there_any_more() -> None:
    nudges = Nudges("us")
    nudges.answered("worker-1", 1.0)
    nudges.forget()
    assert nudges.due(2.0) == []
