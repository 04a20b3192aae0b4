"""Changes on their way: taken in order, again where someone missed them, and kept no longer than needed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.zeek.compact_journal import FORGET_ALL, Entry, Journal, adding, entry_of, forgetting
from threathunting.zeek.protocol import MAX_ITEMS
from threathunting.zeek.sync import Change


def entries(*numbers: int) -> list[Entry]:
    return [Entry("addr", f"192.0.2.{number}", added=True) for number in numbers]


def taken(journal: Journal) -> list[tuple[str, bool, int]]:
    found = []
    while (change := journal.take()) is not None:
        found.append((change.values, change.add, change.start))
    return found


def test_a_change_becomes_an_entry_but_for_subnets() -> None:
    evil = Indicator(IndicatorType.DOMAIN, "evil.example")
    assert entry_of(Change(evil, "a", Item("a", subdomains=True))) == Entry(
        "domain", "evil.example", True, True
    )
    assert entry_of(Change(evil, "a", None)) == Entry("domain", "evil.example", False, False)
    loud = Indicator(IndicatorType.USER_NAME, "B\u00d6SE")
    assert entry_of(Change(loud, "a", None)) == Entry("user_name", "b\u00d6se", False)
    assert entry_of(Change(Indicator(IndicatorType.SUBNET, "192.0.2.0/24"), "a", Item("a"))) is None


def test_what_is_added_and_what_is_forgotten_by_kind() -> None:
    several = [
        Entry("domain", "a.example", True, True),
        Entry("url", "b.example/", True),
        Entry("url", "c.example/", False),
        Entry("url", "b.example/", True),
    ]
    assert adding(several) == {"domain": ["a.example"], "subdomains": ["a.example"], "url": ["b.example/"]}
    assert forgetting(several) == {"url": ["c.example/"]}
    everything = forgetting([*several, Entry(FORGET_ALL, "", False)])
    assert set(map(tuple, everything.values())) == {("*",)}
    assert len(everything) == len(IndicatorType)


def test_an_entry_counts_as_sent_only_when_all_of_it_has_been_taken() -> None:
    journal = Journal()
    journal.add([*entries(1), Entry("addr", "192.0.2.2", added=False)])
    assert (journal.unsent, journal.sent) == (2, 0)
    first = journal.take()
    assert first is not None
    assert (first.values, first.add, journal.unsent) == ("192.0.2.1", True, 2)
    last = journal.take()
    assert last is not None
    assert (last.values, last.add) == ("192.0.2.2", False)
    assert (journal.unsent, journal.sent, journal.take()) == (0, 2, None)


def test_they_are_taken_again_from_where_somebody_missed_them() -> None:
    journal = Journal()
    journal.add(entries(1, 2))
    taken(journal)
    journal.add(entries(3))
    taken(journal)
    journal.rewind(1)
    assert taken(journal) == [("192.0.2.2\n192.0.2.3", True, 1)]
    journal.trim(2)
    journal.rewind(0)
    assert [start for _, _, start in taken(journal)] == [2]
    journal.rewind(99)
    assert taken(journal) == []


def test_nothing_is_trimmed_before_it_is_sent() -> None:
    journal = Journal()
    journal.add(entries(1, 2))
    journal.trim(2)
    assert len(journal) == 2
    taken(journal)
    journal.trim(1)
    assert (len(journal), journal.first) == (1, 1)
    journal.clear()
    assert (len(journal), journal.first, journal.end, journal.unsent) == (0, 2, 2, 0)


def test_what_was_made_and_not_taken_is_made_again_with_what_was() -> None:
    journal = Journal()
    journal.add([*entries(1), Entry("url", "a.example/", added=True)])
    first = journal.take()
    assert first is not None
    journal.rewind(0)
    assert [values for values, _, _ in taken(journal)] == [first.values, "a.example/"]
    journal.add([*entries(2), Entry("url", "b.example/", added=True)])
    journal.take()
    journal.rewind(3)
    assert [values for values, _, _ in taken(journal)] == ["192.0.2.2", "b.example/"]


@given(st.lists(st.integers(0, 12_000), max_size=4))
@settings(deadline=None)
def test_messages_are_bounded_and_have_all(amounts: list[int]) -> None:
    journal, expected, found = Journal(), set(), set()
    for number, amount in enumerate(amounts):
        values = [f"{number}-{one}" for one in range(amount)]
        expected |= set(values)
        journal.add(Entry("url", value, added=True) for value in values)
    while (change := journal.take()) is not None:
        assert change.amount <= MAX_ITEMS
        if change.add:
            found |= set(change.values.split("\n"))
    assert found == expected
