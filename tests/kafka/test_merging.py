"""Merging partitions by time: in order, bounded, and never stuck."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.replay import TopicMessage
from threathunting.kafka.merging import Merge


def told(order: float, partition: int = 0, offset: int = 0, size: int = 1) -> TopicMessage:
    return TopicMessage(order, partition, offset, "t", order, None, b"x" * size)


def orders(messages: list[TopicMessage]) -> list[float]:
    return [message.order for message in messages]


@st.composite
def lanes(draw: st.DrawFn) -> list[list[TopicMessage]]:
    found = []
    for partition in range(draw(st.integers(1, 4))):
        times = sorted(draw(st.lists(st.integers(0, 20), max_size=30)))
        found.append([told(float(at), partition, offset) for offset, at in enumerate(times)])
    return found


@given(st.data(), lanes())
def test_everything_comes_once_and_in_order(
    data: st.DataObject, given_lanes: list[list[TopicMessage]]
) -> None:
    merge = Merge(range(len(given_lanes)), 0.0)
    left = {partition: list(lane) for partition, lane in enumerate(given_lanes)}
    found: list[TopicMessage] = []
    while left:
        partition = data.draw(st.sampled_from(sorted(left)))
        size = data.draw(st.integers(1, 10))
        part, left[partition] = left[partition][:size], left[partition][size:]
        if part:
            merge.put(partition, part, 0.0)
        if not left[partition]:
            merge.finish(partition, 0.0)
            del left[partition]
        found += merge.take(0.0)
    assert merge.finished
    assert found == sorted(message for lane in given_lanes for message in lane)


@given(st.data(), lanes(), st.integers(1, 12))
def test_partitions_that_are_full_wait_and_none_waits_for_ever(
    data: st.DataObject, given_lanes: list[list[TopicMessage]], room: int
) -> None:
    """As the reader does it: nothing is put to a full partition until it is low again."""
    merge = Merge(range(len(given_lanes)), 0.0, max_messages=room)
    left = {partition: list(lane) for partition, lane in enumerate(given_lanes)}
    paused: set[int] = set()
    found: list[TopicMessage] = []
    waited = 0
    while left:
        paused = (paused | merge.full()) - merge.low()
        free = sorted(left.keys() - paused)
        assert free, "all wait for each other"
        partition = data.draw(st.sampled_from(free))
        part, left[partition] = left[partition][:2], left[partition][2:]
        if part:
            merge.put(partition, part, 0.0)
        if not left[partition]:
            merge.finish(partition, 0.0)
            del left[partition]
        found += merge.take(0.0)
        waited = max(waited, sum(map(len, given_lanes)) - sum(map(len, left.values())) - len(found))
    found += merge.take(0.0)
    assert merge.finished
    assert orders(found) == sorted(orders(found))
    assert sorted(found) == sorted(message for lane in given_lanes for message in lane)
    # Each partition may go over its share by the one message that completes what was fetched.
    assert waited <= room + 2 * len(given_lanes)


def test_nothing_comes_before_the_slowest() -> None:
    merge = Merge([0, 1], 0.0)
    merge.put(0, [told(1), told(5), told(9)], 0.0)
    assert merge.take(0.0) == []
    merge.put(1, [told(5, 1)], 0.0)
    assert orders(merge.take(0.0)) == [1]
    merge.finish(1, 0.0)
    assert orders(merge.take(0.0)) == [5, 5]
    merge.finish(0, 0.0)
    assert orders(merge.take(0.0)) == [9]


def test_a_silent_partition_is_not_waited_for() -> None:
    merge = Merge([0, 1], 0.0, patience=30.0)
    merge.put(0, [told(1), told(2)], 0.0)
    merge.finish(0, 1.0)
    assert merge.take(29.0) == []
    assert merge.silent(29.0) == []
    assert orders(merge.take(30.0)) == [1, 2]
    assert merge.silent(30.0) == [1]
    assert not merge.finished
    merge.put(1, [told(1, 1)], 31.0)
    assert merge.silent(31.0) == []
    merge.finish(1, 32.0)
    assert orders(merge.take(32.0)) == [1]
    assert merge.finished


def test_a_partition_that_falls_silent_on_its_way_is_not_waited_for() -> None:
    merge = Merge([0, 1], 0.0, patience=30.0)
    merge.put(0, [told(1), told(9)], 0.0)
    merge.finish(0, 0.0)
    merge.put(1, [told(5, 1)], 1.0)
    assert orders(merge.take(30.0)) == [1]
    assert orders(merge.take(31.0)) == [5, 9]
    assert merge.silent(31.0) == [1]


def test_a_partition_that_had_to_wait_is_not_taken_for_silent() -> None:
    merge = Merge([0, 1], 0.0, patience=30.0, max_messages=8)
    merge.put(0, [told(100), told(110), told(120), told(200)], 0.0)
    assert merge.full() == {0}
    for now in (20.0, 40.0, 58.0):
        merge.put(1, [told(now, 1)], now)
        merge.take(now)
    merge.put(1, [told(150, 1)], 59.0)
    assert orders(merge.take(59.0)) == [58, 100, 110, 120]
    merge.finish(1, 59.0)
    assert merge.low() == {0, 1}
    # It is read again from here on, and has as long to say something as any other.
    assert orders(merge.take(88.0)) == [150]
    assert orders(merge.take(89.0)) == [200]


def test_bytes_are_bounded_too() -> None:
    merge = Merge([0, 1], 0.0, max_bytes=20_000)
    merge.put(0, [told(1, size=9_000)], 0.0)
    assert merge.full() == set()
    merge.put(0, [told(2, size=9_000)], 0.0)
    assert merge.full() == {0}
    assert merge.low() == {1}
    merge.finish(1, 0.0)
    assert orders(merge.take(0.0)) == [1, 2]
    assert merge.low() == {0, 1}


def test_a_partition_that_is_added_is_waited_for() -> None:
    merge = Merge([0], 0.0)
    merge.add(1, 0.0)
    merge.put(0, [told(3)], 0.0)
    merge.finish(0, 0.0)
    assert merge.take(0.0) == []
    merge.finish(1, 0.0)
    assert orders(merge.take(0.0)) == [3]
