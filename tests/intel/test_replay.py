"""What a topic's messages make of the store: the same, however they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel import message
from threathunting.intel.allowlist import AllowList
from threathunting.intel.replay import Outcome, Refused, Replay, TopicMessage, items_of_key
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item

from .values import indicators, words

NOW = 1_700_000_000.0
EVIL = Indicator(IndicatorType.DOMAIN, "evil.example")


class Topic:
    """Messages told one after the other, a second apart unless said otherwise."""

    def __init__(self, began: float = NOW - 100) -> None:
        self.at = began
        self.offset = 0

    def told(
        self, value: bytes | None, key: bytes | None = None, partition: int = 0, at: float | None = None
    ) -> TopicMessage:
        self.at = self.at + 1 if at is None else at
        self.offset += 1
        return TopicMessage(self.at, partition, self.offset, "intelligence", self.at, key, value)

    def add(
        self, key: bytes | None = None, partition: int = 0, at: float | None = None, **meta: Any
    ) -> TopicMessage:
        return self.told(body(**meta), key, partition, at)


def body(ioc: str = EVIL.value, action: str = "add", **meta: Any) -> bytes:
    return json.dumps(
        {"ioc": ioc, "type": "domain", "action": action, "meta": {"source": "S"} | meta}
    ).encode()


def armed(store: Store) -> set[tuple[str, str, str]]:
    return {(indicator.value, item.source, item.desc) for indicator, item in store.items()}


def replayed(messages: Iterable[TopicMessage], now: float = NOW, **settings: Any) -> tuple[Replay, Store]:
    store = Store()
    replay = Replay(store, **settings)
    for told in messages:
        replay.apply(told, now)
    return replay, store


def test_adds_and_removals() -> None:
    store, topic = Store(), Topic()
    replay = Replay(store)
    assert replay.apply(topic.add(), NOW) is Outcome.ARMED
    assert replay.apply(topic.add(), NOW) is Outcome.UNCHANGED
    assert replay.apply(topic.add(desc="new"), NOW) is Outcome.ARMED
    assert replay.apply(topic.add(source="T"), NOW) is Outcome.ARMED
    assert armed(store) == {("evil.example", "S", "new"), ("evil.example", "T", "")}
    assert replay.apply(topic.told(body(action="remove")), NOW) is Outcome.REMOVED
    assert replay.apply(topic.told(body(action="remove")), NOW) is Outcome.UNCHANGED
    assert armed(store) == {("evil.example", "T", "")}
    assert replay.counts == {"armed": 3, "unchanged": 2, "removed": 1}


def test_a_null_value_removes_what_has_our_key_however_it_was_told() -> None:
    topic = Topic()
    key = message.key(EVIL, "S")
    for told_under in (key, None, b"another"):
        _, store = replayed([topic.add(told_under), topic.add(source="T"), topic.told(None, key)])
        assert armed(store) == {("evil.example", "T", "")}


def test_a_null_value_removes_what_was_last_told_under_anybodys_key() -> None:
    topic = Topic()
    replay, store = replayed(
        [
            topic.add(b"soar-17", source="first"),
            topic.add(b"soar-17", ioc="worse.example"),
            topic.add(b"soar-18", ioc="other.example"),
        ]
    )
    assert dict(replay.keys_of_others()) == {
        b"soar-17": (Indicator(IndicatorType.DOMAIN, "worse.example"), "S"),
        b"soar-18": (Indicator(IndicatorType.DOMAIN, "other.example"), "S"),
    }
    assert replay.apply(topic.told(None, b"soar-17"), NOW) is Outcome.REMOVED
    assert armed(store) == {("evil.example", "first", ""), ("other.example", "S", "")}
    assert replay.apply(topic.told(None, b"soar-17"), NOW) is Outcome.UNCHANGED
    assert replay.apply(topic.told(None, b"soar-99"), NOW) is Outcome.UNCHANGED


def test_keys_in_our_form_are_not_remembered() -> None:
    topic = Topic()
    replay, _ = replayed(topic.add(message.key(EVIL, "S")) for _ in range(3))
    assert replay.keys_of_others() == {}


def test_keys_of_others_are_bounded_and_the_loss_is_counted() -> None:
    topic = Topic()
    replay, _ = replayed((topic.add(b"k%d" % number) for number in range(10)), keys_limit=4)
    assert list(replay.keys_of_others()) == [b"k6", b"k7", b"k8", b"k9"]
    assert replay.counts["forgotten_keys"] == 6


def test_a_null_value_without_a_key_is_refused() -> None:
    replay, _ = replayed([])
    assert isinstance(replay.apply(Topic().told(None), NOW), Refused)
    assert replay.counts["refused"] == 1


@pytest.mark.parametrize(
    "key", [b"", b"\xff\xfe", b"domain", b"domain|", b"domain||", b"x|y|z", b"domain|" + b"|" * 99]
)
def test_keys_that_are_none_of_ours(key: bytes) -> None:
    assert items_of_key(key) in ([], [(Indicator(IndicatorType.DOMAIN, ""), "|")])


@given(indicators, words.filter(bool))
def test_a_key_of_ours_is_read_back(indicator: Indicator, source: str) -> None:
    found = items_of_key(message.key(indicator, source))
    if "|" in indicator.value or "|" in source:
        assert (indicator, source) in found
    else:
        assert found == [(indicator, source)]


def test_a_value_with_a_bar_is_removed_and_its_neighbour_is_not() -> None:
    """``url|/a|b|S`` is the key of /a from 'b|S' and of /a|b from S: it removes either, as compaction would."""
    topic = Topic()
    one, other = Indicator(IndicatorType.URL, "/a|b"), Indicator(IndicatorType.URL, "/a")
    key = message.key(one, "S")
    _, store = replayed(
        [
            topic.told(message.encode(other, Item("S")), message.key(other, "S")),
            topic.told(message.encode(one, Item("S")), key),
            topic.told(None, key),
        ]
    )
    assert [indicator for indicator, _ in store.items()] == [other]


def test_expiry_counts_from_the_message() -> None:
    topic = Topic()
    store = Store()
    replay = Replay(store)
    assert replay.apply(topic.add(at=NOW - 300, expire=301), NOW) is Outcome.ARMED
    assert [item.expires for _, item in store.items()] == [NOW + 1]
    assert replay.apply(topic.add(at=NOW - 300, expire=300, source="T"), NOW) is Outcome.EXPIRED
    assert replay.apply(topic.add(valid_until="2001-01-01", source="U"), NOW) is Outcome.EXPIRED
    assert armed(store) == {("evil.example", "S", "")}


def test_what_has_expired_still_ends_an_earlier_item_of_its_source() -> None:
    topic = Topic()
    _, store = replayed([topic.add(at=NOW - 900), topic.add(at=NOW - 800, expire=60)])
    assert armed(store) == set()


def test_default_expiry() -> None:
    topic = Topic()
    _, store = replayed(
        [
            topic.add(at=NOW - 50, default=1),
            topic.add(at=NOW - 50, source="T", expire=500),
            topic.add(at=NOW - 150, source="U"),
        ],
        default_expire=100.0,
    )
    assert {item.source: item.expires for _, item in store.items()} == {"S": NOW + 50, "T": NOW + 450}


def test_default_source() -> None:
    _, store = replayed([Topic().told(b'{"ioc":"evil.example","type":"domain"}')], default_source="SOAR")
    assert armed(store) == {("evil.example", "SOAR", "")}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"{}", "not an intel message"),
        (b'{"ioc":"0.0.0.0/0","type":"subnet"}', "too wide"),
        (b'{"ioc":"www.good.example","type":"domain"}', "domain "),
    ],
)
def test_refusals_tell_why_and_change_nothing(value: bytes, reason: str) -> None:
    allow = AllowList()
    allow.add("good.example")
    replay, store = replayed([Topic().add()], allow=allow)
    outcome = replay.apply(Topic().told(value), NOW)
    assert isinstance(outcome, Refused)
    assert reason in outcome.reason
    assert (len(store), replay.counts["refused"]) == (1, 1)


def test_a_full_store_refuses() -> None:
    store, topic = Store(limit=1), Topic()
    replay = Replay(store)
    replay.apply(topic.add(), NOW)
    outcome = replay.apply(topic.add(ioc="worse.example"), NOW)
    assert isinstance(outcome, Refused)
    assert "full" in outcome.reason


def test_an_older_message_of_another_partition_undoes_nothing() -> None:
    topic = Topic()
    old_add, removal = topic.add(partition=1), topic.told(None, message.key(EVIL, "S"), 0)
    replay, store = replayed([removal])
    assert replay.apply(old_add, NOW) is Outcome.OUTDATED
    assert armed(store) == set()
    old_removal, add = topic.told(body(action="remove"), partition=1), topic.add()
    replay, store = replayed([add])
    assert replay.apply(old_removal, NOW) is Outcome.OUTDATED
    assert len(armed(store)) == 1


def test_changes_are_forgotten_after_a_while() -> None:
    topic = Topic(NOW - 10)
    old_add, removal = topic.add(partition=1), topic.told(None, message.key(EVIL, "S"))
    replay, _ = replayed([removal])
    for later in (601.0, 1202.0):
        replay.apply(topic.add(ioc="other.example", at=NOW + later), NOW + later)
    assert replay.apply(old_add, NOW + 1203) is Outcome.ARMED


def test_what_a_bound_forgets_of_changes_is_counted() -> None:
    topic = Topic()
    replay, _ = replayed((topic.add(ioc=f"n{number}.example") for number in range(100)), recent_limit=10)
    assert 85 <= replay.counts["forgotten_changes"] <= 95


# What any source may say of two indicators, by three partitions.

SOURCES = ["S", "T"]
NAMES = ["evil.example", "worse.example"]


@st.composite
def histories(draw: st.DrawFn) -> list[list[TopicMessage]]:
    """Partitions of messages told within some minutes; clocks don't always go forward."""
    partitions: list[list[TopicMessage]] = []
    for partition in range(3):
        lane: list[TopicMessage] = []
        order = 0.0
        for offset in range(draw(st.integers(0, 6))):
            at = NOW - 60 + draw(st.integers(0, 8)) + draw(st.sampled_from([0.0, 0.25]))
            order = max(order, at)
            name, source = draw(st.sampled_from(NAMES)), draw(st.sampled_from(SOURCES))
            ours = message.key(Indicator(IndicatorType.DOMAIN, name), source)
            # Others keep their keys to one partition, as every partitioner does.
            key = draw(st.sampled_from([None, ours, b"other-%d" % partition]))
            value = draw(
                st.sampled_from(
                    [
                        body(name, source=source, desc=f"{partition}/{offset}"),
                        body(name, source=source, expire=20, desc="short"),
                        body(name, source=source, expire=300, desc=f"{partition}/{offset}"),
                        body(name, "remove", source=source),
                        b"poison",
                        None,
                    ]
                )
            )
            lane.append(TopicMessage(order, partition, offset, "intelligence", at, key, value))
        partitions.append(lane)
    return partitions


def interleaved(draw: st.DrawFn, lanes: Sequence[Sequence[TopicMessage]]) -> list[TopicMessage]:
    left = [list(lane) for lane in lanes]
    found = []
    while any(left):
        lane = draw(st.sampled_from([lane for lane in left if lane]))
        found.append(lane.pop(0))
    return found


@given(st.data(), histories())
def test_any_interleaving_comes_to_the_same(data: st.DataObject, lanes: list[list[TopicMessage]]) -> None:
    _, expected = replayed(sorted(told for lane in lanes for told in lane))
    _, store = replayed(interleaved(data.draw, lanes))  # type: ignore[arg-type]
    assert armed(store) == armed(expected)


@given(st.data(), histories())
def test_reading_again_changes_nothing(data: st.DataObject, lanes: list[list[TopicMessage]]) -> None:
    """A topic that is read a second time on the same store, as after its re-creation by a copy."""
    in_order = sorted(told for lane in lanes for told in lane)
    _, expected = replayed(in_order)
    _, store = replayed(in_order + interleaved(data.draw, lanes))  # type: ignore[arg-type]
    assert armed(store) == armed(expected)


@given(histories())
def test_nothing_expired_is_armed_and_the_last_word_counts(lanes: list[list[TopicMessage]]) -> None:
    in_order = sorted(told for lane in lanes for told in lane)
    _, store = replayed(in_order)
    assert all(item.alive(NOW) for _, item in store.items())
    # Told the plain way: per item, the last message that says something of it.
    model: dict[tuple[str, str], str] = {}
    keys: dict[bytes, tuple[str, str]] = {}
    for told in in_order:
        if told.value is None:
            targets = (
                [] if told.key is None else [(one.value, source) for one, source in items_of_key(told.key)]
            )
            targets += [keys.pop(told.key)] if told.key in keys else []
            for target in targets:
                model.pop(target, None)
        elif told.value != b"poison":
            fields = json.loads(told.value)
            target = fields["ioc"], fields["meta"]["source"]
            if fields["action"] == "remove" or fields["meta"].get("expire", 10**6) + told.at <= NOW:
                model.pop(target, None)
            else:
                model[target] = fields["meta"].get("desc", "")
            if fields["action"] == "add" and told.key is not None and not told.key.startswith(b"domain"):
                keys[told.key] = target
    assert {(value, source): desc for value, source, desc in armed(store)} == model
