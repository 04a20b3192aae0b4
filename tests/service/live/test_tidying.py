"""Steps that make the store faster: in rounds, far apart, and none at once after one that failed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from threathunting.service.live.tidying import APART, PAUSE, ROUND, Tidying


class Store:
    """Tells how it was asked, and takes so long of its own clock for each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: int, takes: float = 0.0) -> None:
        self.steps, self.takes, self.clock = steps, takes, 0.0
        self.asked: list[bool] = []
        self.fails = False
        monkeypatch.setattr("threathunting.service.live.tidying.time.monotonic", lambda: self.clock)

    def tidy(self, *, again: bool) -> bool:
        self.asked.append(again)
        self.clock += self.takes
        if self.fails:
            raise OSError("the disk is full")
        self.steps -= 1
        return self.steps > 0


def run(work: Tidying, seconds: float, every: float = 0.001) -> list[float]:
    """The times at which it did something, asked so often."""
    found = []
    for tick in range(round(seconds / every)):
        store = work._store
        assert isinstance(store, Store)
        before, at = len(store.asked), tick * every
        work.step(at)
        if len(store.asked) > before:
            found.append(at)
    return found


def test_a_store_that_is_tidy_is_asked_once_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, 0)
    work = Tidying(store)
    assert run(work, 3.5) == pytest.approx([0, ROUND, 2 * ROUND, 3 * ROUND])
    assert store.asked == [False] * 4
    assert not work.more


def test_steps_of_a_round_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, 4)
    times = run(Tidying(store), 0.9)
    assert times == pytest.approx([0, PAUSE, 2 * PAUSE, 3 * PAUSE], abs=0.005)
    assert store.asked == [False, True, True, True]


def test_each_round_begins_anew_however_much_there_is_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, 10**6)
    times = run(Tidying(store), 2.5)
    first = [at for at, again in zip(times, store.asked, strict=True) if not again]
    assert first == pytest.approx([0, ROUND, 2 * ROUND], abs=PAUSE)
    assert store.asked.count(True) == pytest.approx(2.5 / PAUSE, abs=4)


def test_long_steps_are_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, 10**6, takes=0.02)
    times = run(Tidying(store), 2.0)
    apart = [later - earlier for earlier, later in pairwise(times)]
    assert min(apart) == pytest.approx(APART * 0.02, abs=0.002)
    assert max(apart) == pytest.approx(APART * 0.02, abs=0.002)


def test_a_step_that_fails_is_tried_again_in_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, 10**6)
    work = Tidying(store)
    work.step(0.0)
    store.fails = True
    with pytest.raises(OSError, match="full"):
        work.step(PAUSE)
    assert not work.more
    work.step(PAUSE + ROUND / 2)
    store.fails = False
    work.step(PAUSE + ROUND)
    assert work.more
    assert store.asked == [False, True, False]
