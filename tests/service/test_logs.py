"""Logs: their forms, no secrets, no floods."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from threathunting.service.logs import KINDS, PASSING, Limiter, Logs
from threathunting.service.redact import Redactor


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logs(stream: io.StringIO) -> Iterator[Logs]:
    logs = Logs(Redactor(["hunter2"]), stream)
    yield logs
    logs.close()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_have_time_level_and_values(logs: Logs, stream: io.StringIO) -> None:
    logs.set_up("json")
    log = structlog.get_logger(component="kafka")
    log.info("connected", brokers=["k:9092"], seconds=0.5)
    log.debug("not shown")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "connected",
        "level": "info",
        "component": "kafka",
        "brokers": ["k:9092"],
        "seconds": 0.5,
    }


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_secret_is_shown(format: Any, logs: Logs, stream: io.StringIO) -> None:
    logs.set_up(format)
    log = structlog.get_logger()

    def fail(password: str) -> None:
        raise ValueError(f"bad password {password}")

    try:
        fail("hunter2")
    except ValueError as error:
        log.exception("login failed with hunter2", error=error, nested={"a": [("hunter2",)], "hunter2": 1})
    logging.getLogger("some.library").warning("library says %s", "hunter2")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "bad password ***" in text
    assert "Traceback" in text
    assert "library says ***" in text


def test_console_lines_cannot_steer_a_terminal(logs: Logs, stream: io.StringIO) -> None:
    logs.set_up()
    structlog.get_logger().warning("bad \x1b[2Jrecord", raw="\x1b]0;x\x07", list=["\x9b"], n=3)
    text = stream.getvalue()
    assert "warning" in text
    assert "n=3" in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text)


def test_level_and_form_change_while_running(logs: Logs, stream: io.StringIO) -> None:
    logs.set_up("json")
    log = structlog.get_logger()
    log.debug("one")
    logs.set_up("json", "debug")
    log.debug("two")
    logs.set_up("json", "error")
    log.warning("three")
    logging.getLogger("lib").warning("four")
    assert [line["event"] for line in lines(stream)] == ["two"]


def test_a_broken_stream_stops_nothing(stream: io.StringIO) -> None:
    logs = Logs(stream=stream)
    logs.set_up("json")
    stream.close()
    structlog.get_logger().info("x")
    logs.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(limiter: Limiter, times: int) -> list[Any]:
    found = []
    for _ in range(times):
        try:
            found.append(limiter(None, "warning", {"event": "e"}).get("repeated"))
        except structlog.DropEvent:
            found.append("held")
    return found


def test_the_first_five_a_minute_pass_then_one_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    assert told(limiter, 8) == [None] * PASSING + ["held"] * 3
    clock.now = 59.9
    assert told(limiter, 1) == ["held"]
    clock.now = 60
    assert told(limiter, 3) == [4, "held", "held"]
    clock.now = 120
    assert told(limiter, 1) == [2]
    clock.now = 180
    assert told(limiter, 6) == [None] * PASSING + ["held"]


def test_names_and_keys_are_counted_apart() -> None:
    limiter = Limiter(Clock())
    told(limiter, 9)
    assert limiter(None, "info", {"event": "e", "key": "/a"})
    assert limiter(None, "info", {"event": "f"})
    with pytest.raises(structlog.DropEvent):
        limiter(None, "info", {"event": "e", "value": 3})


def test_what_is_remembered_is_bounded() -> None:
    limiter = Limiter(Clock())
    told(limiter, 9)
    for number in range(KINDS):
        limiter(None, "info", {"event": "e", "key": number})
    assert told(limiter, 1) == [None]


def test_what_was_held_back_is_said_when_due(
    logs: Logs, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(logs._limiter, "_clock", clock)
    logs.set_up("json")
    for number in range(9):
        structlog.get_logger().warning("late hunter2", number=number)
    logs.flush()
    assert len(lines(stream)) == PASSING
    clock.now = 61
    logs.flush()
    logs.flush()
    assert len(lines(stream)) == PASSING + 1
    last = lines(stream)[-1]
    assert (last["event"], last["repeated"], last["number"], last["level"]) == ("late ***", 4, 8, "warning")


def test_the_end_says_what_was_held_back(logs: Logs, stream: io.StringIO) -> None:
    logs.set_up("json")
    for _ in range(7):
        structlog.get_logger().error("x")
    logs.close()
    assert lines(stream)[-1]["repeated"] == 2
