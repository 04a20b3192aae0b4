"""What nodes tell of is passed on when it is new, and bounded."""

from __future__ import annotations

from threathunting.service.live.node_problems import NodeProblems, Problem
from threathunting.zeek.protocol import About, State


def state(node: str = "worker-1", boot: str = "a", problems: list[str] | None = None, **counts: int) -> State:
    return State(node, boot, About(problems=problems or [], **counts))  # type: ignore[arg-type]


def test_counters_are_told_when_they_grow() -> None:
    told = NodeProblems()
    assert list(told.problems(state())) == []
    [first] = told.problems(state(unverified=1200))
    assert first == Problem("captured without an answer, as none came in time", "1,200 so far")
    assert list(told.problems(state(unverified=1200))) == []
    both = list(told.problems(state(unverified=1201, sampled=7)))
    assert [problem.detail for problem in both] == ["1,201 so far", "7 passed over"]


def test_a_node_that_began_anew_counts_from_nothing() -> None:
    told = NodeProblems()
    assert len(list(told.problems(state(sampled=9)))) == 1
    assert len(list(told.problems(state(boot="b", sampled=3)))) == 1
    assert list(told.problems(state(boot="b", sampled=3))) == []


def test_what_is_wrong_is_told_each_time() -> None:
    told = NodeProblems()
    for _ in range(2):
        assert list(told.problems(state(problems=["x", "y"]))) == [Problem("x"), Problem("y")]


def test_the_node_that_was_silent_longest_is_forgotten() -> None:
    told = NodeProblems(nodes=2)
    for node in ("one", "two", "one", "three"):
        list(told.problems(state(node, sampled=5)))
    assert list(told.problems(state("one", sampled=5))) == []
    assert len(list(told.problems(state("two", sampled=5)))) == 1
