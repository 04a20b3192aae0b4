"""Whatever is done to a log, and however often the service restarts: every whole line comes once."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sensors.follow.writing import Log, Service, Time, lost
from threathunting.sensors.follow import blocks

OPS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("append"), st.integers(1, 200)),
    st.tuples(st.just("part"), st.integers(0, 100)),
    st.tuples(st.sampled_from(["rotate", "gzip", "gzip_later", "gzip_here", "move"]), st.just(0)),
    st.tuples(st.sampled_from(["copytruncate", "header", "unended", "replace"]), st.just(0)),
    st.tuples(st.just("late"), st.integers(0, 3)),
    st.tuples(st.just("poll"), st.sampled_from([0, 1, 1, 6])),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("down"), st.just(0)),
    st.tuples(st.just("delete"), st.just(0)),
)


def run(folder: Path, ops: list[tuple[str, int]], tsv: bool, held: int, budget: int) -> tuple[Service, Log]:
    time = Time()
    current, rotated = folder / "current", folder / "rotated"
    current.mkdir()
    rotated.mkdir()
    log = Log(current, rotated, time, tsv)
    service = Service(current, rotated, time, held, budget)
    # Until it has saved something, what is rotated is history to it.
    service.poll()
    waiting: list[Path | None] = []
    polls = 0
    for op, argument in ops:
        if op == "poll":
            time.now += argument
            service.poll()
            polls += argument > 0
            check(service, log)
            continue
        match op:
            case "append":
                log.append(argument)
            case "part":
                log.append_part(argument)
            case "unended":
                log.end_without_line_end()
                log.rotate()
            case "header":
                log.repeat_header()
            case "rotate":
                log.rotate()
            case "late":
                log.rotate_late(argument)
            case "gzip":
                log.compress(log.rotate())
            case "gzip_here":
                log.compress(log.rotate(), here=True)
            case "move":
                log.move()
            case "replace":
                log.replace(2)
            case "gzip_later":
                for path in waiting:
                    log.compress(path)
                waiting = [log.rotate()]
            case "copytruncate":
                log.copy_and_truncate()
            case "delete" if polls >= 2 and service.follower is not None and service.follower.lag == 0:
                log.delete()
            case "restart":
                service.stop()
                service.start()
            case "down":
                service.stop()
        polls = 0
    if service.follower is None:
        service.start()
    log.append(1)
    service.settle()
    return service, log


def check(service: Service, log: Log) -> None:
    assert len(service.new) == len(set(service.new)), "a line came twice"
    assert set(service.new) <= set(log.whole), "a line came that isn't whole"
    assert service.bad == 0
    for found in service.by_key.values():
        assert found == sorted(found)


@given(
    st.lists(OPS, max_size=25),
    st.booleans(),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([300, 1 << 20]),
    st.sampled_from([40, 300, 1 << 18]),
)
@example(
    [("part", 0), ("poll", 1), ("replace", 0), ("restart", 0), ("poll", 0), ("gzip", 0)], False, 0, 300, 40
)
@example([("append", 7), ("poll", 1), ("replace", 0), ("poll", 1), ("gzip", 0)], False, 0, 300, 40)
@example([("append", 1), ("poll", 0), ("replace", 0), ("gzip", 0)], False, 0, 300, 40)
@example([("append", 1), ("restart", 0), ("poll", 0), ("restart", 0), ("poll", 0)], True, 1, 300, 40)
@example(
    [("copytruncate", 0), ("append", 1), ("poll", 0), ("append", 1), ("gzip", 0), ("poll", 6)],
    False,
    0,
    300,
    40,
)
@settings(max_examples=200, deadline=None)
def test_every_line_comes_once(
    tmp_path_factory: pytest.TempPathFactory,
    ops: list[tuple[str, int]],
    tsv: bool,
    held: int,
    budget: int,
    chunk: int,
) -> None:
    folder = tmp_path_factory.mktemp("log")
    with patch.object(blocks, "CHUNK", chunk):
        service, log = run(folder, ops, tsv, held, budget)
    check(service, log)
    assert lost(log.whole, service.new) == set()
    assert set(service.again) <= set(service.new)
    if not any(op == "delete" for op, _ in ops):
        assert lost(service.expected_again, service.again) == set()
        assert not [text for text in service.problems if "lost" in text or "not read" in text]
