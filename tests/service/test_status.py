"""What fills the status: the last errors, and rates."""

from __future__ import annotations

import msgspec
import pytest

from threathunting.service.status import KEPT_ERRORS, Errors, Rate, Status


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_errors_are_counted_and_the_last_comes_first() -> None:
    clock = Clock()
    errors = Errors(clock)
    for text in ("a", "b", "a"):
        errors.tell(text)
        clock.now += 1
    assert [(error.what, error.count, error.first, error.last) for error in errors.last()] == [
        ("a", 2, 100.0, 102.0),
        ("b", 1, 101.0, 101.0),
    ]
    errors.last()[0].count = 9
    assert errors.last()[0].count == 2


def test_errors_are_bounded() -> None:
    errors = Errors(Clock())
    for number in range(KEPT_ERRORS + 5):
        errors.tell(str(number))
    assert [error.what for error in errors.last()] == [
        str(number) for number in range(KEPT_ERRORS + 4, 4, -1)
    ]


def test_a_rate_is_of_the_last_seconds() -> None:
    clock = Clock()
    rate = Rate(10.0, clock)
    assert rate.per_second() == 0.0
    for _ in range(2000):
        clock.now += 0.01
        rate.add(5)
    assert rate.per_second() == pytest.approx(500, rel=0.06)
    assert len(rate._slots) <= 22
    clock.now += 5
    assert rate.per_second() == pytest.approx(250, rel=0.06)
    clock.now += 6
    assert rate.per_second() == 0.0


def test_a_rate_of_a_young_input_is_over_its_own_time() -> None:
    clock = Clock()
    rate = Rate(10.0, clock)
    clock.now += 2
    rate.add(10)
    assert rate.per_second() == 5.0


def test_a_later_version_may_tell_more() -> None:
    status = Status(name="a", version="1", pid=1, started=0.0, now=1.0, ready=True)
    told = msgspec.json.decode(msgspec.json.encode(status)) | {"new": [1]}
    assert msgspec.convert(told, Status) == status


def test_what_differs_in_its_detail_is_one_error_with_the_last_of_them() -> None:
    errors = Errors()
    for number in range(30):
        errors.tell("intelligence/0: an intel message is refused", f"reason {number}")
    errors.tell("consume: another")
    assert [(error.what, error.count) for error in errors.last()] == [
        ("consume: another", 1),
        ("intelligence/0: an intel message is refused: reason 29", 30),
    ]
