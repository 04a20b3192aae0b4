"""What a follower makes of the ways in which logs grow, end, and are made wrong."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from tests.sensors.follow.writing import KNOWN, START, WANTED, Service, Time, numbers
from threathunting.sensors.follow import (
    Chunk,
    FileState,
    Follower,
    blocks,
    fingerprint,
    forgetting,
    new_files,
    open_files,
)
from threathunting.sensors.follow.state import MARK

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#open\t2026-11-24-10-00-00\n#fields\tts\tuid\tn\n#types\ttime\tstring\tcount\n"
)


def line(n: int, **more: object) -> str:
    return json.dumps({"ts": n + 0.5, "uid": f"C{n}", "n": n, **more}) + "\n"


def lines(*n: int) -> str:
    return "".join(map(line, n))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def put(time: Time) -> Callable[..., Path]:
    """Write text to a file, at the end of what it has; the file's time is the clock's."""

    def put(path: Path, text: str | bytes, mode: str = "ab") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            file.write(text.encode() if isinstance(text, str) else text)
        time.stamp(path)
        return path

    return put


Put = Callable[..., Path]


def passed(service: Service, time: Time, seconds: float = 1.0) -> list[Chunk]:
    time.now += seconds
    return service.poll()


def restart(service: Service) -> None:
    service.stop()
    service.start()


def state_of(service: Service, name: str) -> FileState:
    return next(state for state in service.saved if state.path.endswith(name))


# Lines


def test_a_part_of_a_line_waits_for_the_rest(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1) + line(2)[:9])
    [chunk] = service.poll()
    assert (numbers(chunk), chunk.start, chunk.end) == ([1], 0, len(line(1)))
    assert passed(service, time) == []
    assert service.follower is not None
    assert service.follower.lag == 9
    put(path, line(2)[9:])
    [chunk] = passed(service, time)
    assert (numbers(chunk), chunk.start) == ([2], len(line(1)))
    assert service.follower.lag == 0


def test_a_last_line_without_an_end_is_read_once_the_file_is_rotated_and_quiet(
    tmp_path: Path, time: Time, put: Put
) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1) + line(2)[:-1])
    service.settle(10)
    assert service.new == [1]
    path.rename(tmp_path / "conn.2026-11-24-10-00-00.log")
    service.settle(4)
    assert service.new == [1]
    service.settle(3)
    assert service.new == [1, 2]
    assert state_of(service, "00.log").finished


def test_half_a_last_line_of_a_rotated_file_is_counted(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    put(tmp_path / "conn.2026-11-24-10-00-00.log", lines(1) + line(2)[:9])
    chunks = service.poll()
    for _ in range(10):
        chunks += passed(service, time)
    assert service.new == [1]
    assert sum(chunk.report.unfinished for chunk in chunks) == 1


def test_bad_lines_are_counted_with_their_offsets(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    put(path, "nonsense\n" + line(2))
    [chunk] = passed(service, time)
    assert numbers(chunk) == [2]
    [rejected] = chunk.report.rejected
    assert (rejected.path, rejected.offset, rejected.raw) == (str(path), len(line(1)), b"nonsense")
    assert chunk.report.bytes == chunk.end - chunk.start


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    with patch.object(blocks, "MAX_LINE", 4096), patch.object(blocks, "CHUNK", 256):
        path = put(tmp_path / "conn.log", lines(1) + line(2, pad="x" * 5000))
        while passed(service, time):
            pass
        put(path, line(3, pad="y" * 3000) + line(4))
        service.settle(3)
    assert service.new == [1, 3, 4]
    assert service.bad == 1


def test_chunks_are_whole_lines_of_about_the_size_that_is_read_at_once(
    tmp_path: Path, time: Time, put: Put
) -> None:
    put(tmp_path / "conn.log", lines(*range(20_000)))
    service = Service(tmp_path, None, time, budget=600_000)
    first = service.poll()
    assert [chunk.end - chunk.start <= blocks.CHUNK for chunk in first] == [True] * 3
    service.settle(3)
    assert service.new == list(range(20_000))


# Forms and kinds


def test_kinds_are_told_by_names(tmp_path: Path, time: Time, put: Put) -> None:
    for name in (
        "conn.log",
        "http-investigation.log",
        "dns-investigation.2026-11-24-10-00-00.log",
        "intel.log",
    ):
        put(tmp_path / name, lines(1))
    put(tmp_path / "stderr.log", "fatal error\n")
    service = Service(tmp_path, None, time)
    found = {Path(chunk.path).name: (chunk.kind, chunk.batches[0].log) for chunk in service.poll()}
    assert found == {
        "conn.log": ("records", "conn"),
        "http-investigation.log": ("investigation", "http"),
        "dns-investigation.2026-11-24-10-00-00.log": ("investigation", "dns"),
        "intel.log": ("intel", "intel"),
    }


def test_several_logs_in_one_stream(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "json_streaming_all.log", line(1, _path="conn") + line(2, _path="dns"))
    service = Service(tmp_path, None, time)
    [chunk] = service.poll()
    assert [(batch.log, batch.record(0)["n"]) for batch in chunk.batches] == [("conn", 1), ("dns", 2)]
    path.rename(tmp_path / "json_streaming_all.1.log")
    put(path, line(3, _path="dns"))
    [chunk] = passed(service, time)
    assert [(batch.log, batch.record(0)["n"]) for batch in chunk.batches] == [("dns", 3)]


def test_after_a_restart_the_header_in_force_is_read_anew(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", HEADER + "1.5\tC1\t1\n")
    service = Service(tmp_path, None, time)
    service.poll()
    put(
        path, HEADER.replace("ts\tuid\tn", "n\tuid\tts").replace("time\tstring\tcount", "count\tstring\ttime")
    )
    passed(service, time)
    put(path, "2\tC2\t2.5\n")
    passed(service, time)
    for n in (3, 4):
        restart(service)
        put(path, f"{n}\tC{n}\t{n}.5\n")
        passed(service, time)
        passed(service, time)
    assert service.new == [1, 2, 3, 4]
    assert state_of(service, "conn.log").header == len(HEADER) + len("1.5\tC1\t1\n")


def test_a_header_that_comes_first_after_a_restart(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", HEADER + "1.5\tC1\t1\n")
    service = Service(tmp_path, None, time, held=0)
    service.poll()
    restart(service)
    put(
        path, HEADER.replace("ts\tuid\tn", "n\tuid\tts").replace("time\tstring\tcount", "count\tstring\ttime")
    )
    put(path, "2\tC2\t2.5\n")
    passed(service, time)
    restart(service)
    put(path, "3\tC3\t3.5\n")
    passed(service, time)
    assert service.new == [1, 2, 3]


def test_a_header_that_is_written_in_parts(tmp_path: Path, time: Time, put: Put) -> None:
    path = tmp_path / "conn.log"
    service = Service(tmp_path, None, time)
    changed = HEADER.replace("\\x09", "\\x7c").replace("\t", "|")
    for text in (HEADER, "1.5\tC1\t1\n", changed[:60], changed[60:], "2.5|C2|2\n"):
        put(path, text)
        passed(service, time)
    restart(service)
    put(path, "3.5|C3|3\n")
    passed(service, time)
    assert service.new == [1, 2, 3]
    assert service.bad == 0


# Rotation


def test_the_old_file_is_read_before_the_new_one(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    put(path, lines(2))
    path.rename(tmp_path / "conn.2026-11-24-10-00-00.log")
    put(path, lines(4))
    put(tmp_path / "conn.2026-11-24-10-00-00.log", lines(3))
    passed(service, time)
    assert service.new == [1, 2, 3, 4]
    put(tmp_path / "conn.2026-11-24-10-00-00.log", lines(5))
    passed(service, time)
    assert service.new[-1] == 5


def test_old_logs_are_read_the_oldest_first(tmp_path: Path, time: Time, put: Put) -> None:
    for n, name in ((1, "conn.log.3"), (2, "conn.log.2.gz"), (3, "conn.log.1"), (4, "conn.log")):
        put(tmp_path / name, gzip.compress(lines(n).encode()) if name.endswith("gz") else lines(n))
    time.now += 60
    service = Service(tmp_path, None, time)
    service.settle(3)
    assert service.new == [1, 2, 3, 4]


def test_a_deleted_file_is_read_to_its_end(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    put(path, lines(2))
    path.unlink()
    service.settle(10)
    assert service.new == [1, 2]
    assert state_of(service, "conn.log").finished
    assert service.problems == []


def test_a_rotated_file_is_not_read_again_when_it_comes_back_compressed(
    tmp_path: Path, time: Time, put: Put
) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1, 2))
    service.poll()
    rotated = path.rename(tmp_path / "conn.log.1")
    put(path, lines(3))
    service.settle(10)
    put(tmp_path / "conn.log.1.gz", gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    service.settle(10)
    restart(service)
    service.settle(10)
    assert service.new == [1, 2, 3]
    assert state_of(service, "conn.log.1.gz").finished


@pytest.mark.parametrize("held", [0, 1])
def test_a_file_that_was_compressed_while_we_were_down_is_read_on(
    tmp_path: Path, time: Time, put: Put, held: int
) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    current.mkdir()
    path = put(current / "conn.log", lines(*range(100)))
    service = Service(current, rotated, time, held)
    service.poll()
    service.stop()
    put(path, lines(*range(100, 110)))
    put(rotated / "2026-11-24" / "conn.10:00:00-11:00:00.log.gz", gzip.compress(path.read_bytes()))
    path.unlink()
    put(path, lines(*range(110, 120)))
    service.start()
    service.settle(10)
    assert service.new == [*range(100), *range(110, 120), *range(100, 110)] or service.new == list(range(120))
    assert service.again == (list(range(100)) if held else [])
    assert service.problems == []


def test_rotated_files_of_the_past_are_left_alone(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    put(rotated / "conn.2026-11-24-08-00-00.log.gz", gzip.compress(lines(1).encode()))
    time.now += 60
    put(current / "conn.log", lines(2))
    service = Service(current, rotated, time)
    service.settle(10)
    # One that was written and rotated while we were down is another matter.
    service.stop()
    put(rotated / "conn.2026-11-24-10-00-00.log.gz", gzip.compress(lines(3).encode()))
    service.start()
    service.settle(10)
    assert service.new == [2, 3]


def test_an_idle_file_that_was_compressed_with_its_old_time_is_known(
    tmp_path: Path, time: Time, put: Put
) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    path = put(current / "conn.log", lines(1))
    written = time.now
    service = Service(current, rotated, time)
    service.poll()
    passed(service, time, 3600.0)
    service.stop()
    packed = put(rotated / "conn.2026-11-24-10-00-00.log.gz", gzip.compress(path.read_bytes()))
    other = put(rotated / "conn.2026-11-24-09-00-00.log.gz", gzip.compress(lines(2).encode()))
    for one in (packed, other):
        os.utime(one, (written, written))
    path.unlink()
    service.start()
    service.settle(40)
    assert service.new == [1]
    assert service.problems == []
    assert state_of(service, "log.gz").finished


def test_an_archive_that_takes_long_is_waited_for(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    rotated.mkdir()
    path = put(current / "conn.log", lines(1, 2))
    service = Service(current, rotated, time)
    service.poll()
    service.stop()
    whole = gzip.compress((path.read_text() + line(3)).encode())
    path.unlink()
    service.start()
    for at in range(len(whole)):
        put(rotated / "conn.2026-11-24-10-00-00.log.gz", whole[at : at + 1])
        passed(service, time)
    assert len(whole) > 35
    service.settle(40)
    assert service.new == [1, 2, 3]
    assert service.problems == []


@pytest.mark.parametrize("told", [True, False])
def test_an_archive_may_hold_more_than_was_read(tmp_path: Path, time: Time, put: Put, told: bool) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    path.unlink()
    data = lines(1, 2).encode()
    put(tmp_path / "conn.log.1.gz", gzip.compress(data) if told else bz2.compress(data))
    service.settle(20)
    assert service.new == [1, 2]
    restart(service)
    service.settle(20)
    assert service.new == [1, 2]


def test_after_a_restart_the_oldest_is_first_still(tmp_path: Path, time: Time, put: Put) -> None:
    for n in range(3):
        put(tmp_path / f"conn.2026-11-24-0{n}-00-00.log", lines(*range(n * 1000, n * 1000 + 1000)))
    service = Service(tmp_path, None, time, budget=1)
    with patch.object(blocks, "CHUNK", 1000):
        service.poll()
        service.saved.reverse()
        restart(service)
        service.settle(3)
    assert service.new == list(range(3000))


def test_of_rotated_files_only_those_of_followed_logs_are_read(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    put(current / "conn.log", lines(1))
    service = Service(current / "conn.log", rotated, time)
    service.poll()
    for n, name in (
        (2, "dns.10:00:00-11:00:00.log"),
        (3, "conn.10:00:00-11:00:00.log"),
        (4, "conn-investigation.1.log"),
    ):
        put(rotated / name, lines(n))
    service.settle(10)
    assert service.new == [1, 3]


def test_a_file_that_is_replaced_by_a_longer_one_is_read_on(tmp_path: Path, time: Time, put: Put) -> None:
    """As rsync does, that makes a new file each time."""
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1, 2))
    service.poll()
    for n in (3, 4):
        data = path.read_bytes().removesuffix(b"{")
        put(tmp_path / ".conn.log.part", data + line(n).encode() + b"{", "wb").replace(path)
        service.settle(10)
        if n == 3:
            restart(service)
    assert service.new == [1, 2, 3, 4]
    assert service.bad == 0
    assert service.problems == []


def test_a_copy_is_not_read(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(*range(200)))
    service.poll()
    part = path.read_bytes()[:300]
    put(tmp_path / "conn.log.copy", part)
    passed(service, time)
    put(tmp_path / "conn.log.copy", path.read_bytes()[300:])
    put(path, lines(200))
    service.settle(10)
    restart(service)
    service.settle(10)
    assert service.new == list(range(201))


def test_a_copy_that_becomes_another_file_is_read(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    copy = put(tmp_path / "conn.log.copy", path.read_bytes())
    service.settle(2)
    put(copy, lines(2, 3), "wb")
    service.settle(2)
    assert service.new == [1, 2, 3]


def test_a_deleted_file_that_is_still_written_to_is_read(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    with path.open("a") as still_open:
        put(tmp_path / "conn.log.1", path.read_bytes())
        path.unlink()
        service.settle(2)
        still_open.write(line(2))
    service.settle(2)
    assert service.new == [1, 2]


# Truncation


def test_a_truncated_file_is_read_anew_and_that_is_said(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1, 2, 3))
    [first] = service.poll()
    put(path, lines(4), "wb")
    [second] = passed(service, time)
    assert (numbers(second), second.start) == ([4], 0)
    assert second.key != first.key
    assert service.problems == [f"{path} was truncated: it is read again from its beginning"]


def test_a_file_that_was_truncated_and_has_grown_since_is_found_out(
    tmp_path: Path, time: Time, put: Put
) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1, 2))
    service.poll()
    put(path, lines(3, 4, 5, 6), "wb")
    passed(service, time)
    # The same head, but not what comes after it.
    put(path, path.read_text().replace('"n": 6', '"n": 7') + line(8), "wb")
    with patch.object(fingerprint, "HEAD", 60):
        passed(service, time)
    assert service.new[:6] == [1, 2, 3, 4, 5, 6]
    assert {7, 8} <= set(service.new)
    assert len(service.problems) == 2


def test_the_copy_of_a_truncated_file_has_what_was_not_read(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(1))
    service.poll()
    put(path, lines(2, 3))
    shutil.copyfile(path, put(tmp_path / "conn.log.1", ""))
    put(path, lines(4), "wb")
    service.settle(40)
    assert sorted(service.new) == [1, 2, 3, 4]
    assert not [text for text in service.problems if "not read" in text]


def test_bytes_that_were_lost_are_counted(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(*range(20_000)))
    service = Service(tmp_path, None, time, budget=1)
    [chunk] = service.poll()
    size = path.stat().st_size
    put(path, "", "wb")
    service.settle(40)
    lost = f"{size - chunk.end:,} bytes of {path} were not read before it was truncated"
    assert service.problems == [f"{path} was truncated: it is read again from its beginning", lost]
    assert [state.finished for state in service.saved if state.high] == [True]


def test_a_file_that_vanished_while_we_were_down_is_told(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1, 2))
    inode = path.stat().st_ino
    service = Service(tmp_path, None, time)
    service.poll()
    service.stop()
    path.unlink()
    put(tmp_path / "dns.log", lines(3))
    service.start()
    service.settle(29)
    assert service.problems == []
    service.settle(5)
    [problem] = service.problems
    assert problem.startswith(
        f"{path} (inode {inode}) vanished while nobody read it: what was written to it after byte"
    )
    # It turns up.
    put(tmp_path / "conn.log.1", lines(1, 2, 4))
    service.settle(10)
    assert service.new == [1, 2, 3, 4]


# Identity


def test_an_inode_that_was_used_before_is_no_identity(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1, 2))
    service = Service(tmp_path, None, time)
    service.poll()
    service.stop()
    path.unlink()
    path = put(tmp_path / "conn.log", lines(3, 4, 5))
    found = path.stat()
    service.saved = [
        msgspec.structs.replace(state, device=found.st_dev, inode=found.st_ino)
        if state.key != MARK
        else state
        for state in service.saved
    ]
    service.start()
    service.settle(3)
    assert service.new == [1, 2, 3, 4, 5]


def test_files_that_begin_alike_are_told_apart(tmp_path: Path, time: Time, put: Put) -> None:
    for folder in ("a", "b", "c"):
        put(tmp_path / folder / "conn.log", HEADER if folder != "c" else "")
    service = Service(tmp_path, None, time)
    service.settle(3)
    for n, folder in enumerate(("a", "b", "c")):
        put(tmp_path / folder / "conn.log", (HEADER if folder == "c" else "") + f"{n}.5\tC{n}\t{n + 1}\n")
    service.settle(3)
    restart(service)
    for n, folder in enumerate(("a", "b", "c")):
        put(tmp_path / folder / "conn.log", f"{n}.5\tD{n}\t{n + 4}\n")
    service.settle(3)
    assert sorted(service.new) == [1, 2, 3, 4, 5, 6]


def test_files_that_begin_alike_for_long_are_told_apart(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    put(tmp_path / "a" / "conn.log", lines(*range(200)))
    service.poll()
    put(tmp_path / "b" / "conn.log", lines(*range(150), *range(1000, 1100)))
    service.settle(3)
    restart(service)
    service.settle(3)
    assert service.new == [*range(200), *range(150), *range(1000, 1100)]


def test_headers_alone_are_no_identity(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    rotated.mkdir()
    path = put(current / "conn.log", HEADER)
    service = Service(current, rotated, time)
    service.poll()
    assert state_of(service, "conn.log").high == 0
    service.stop()
    put(rotated / "conn.1.log", HEADER + "1.5\tC1\t1\n")
    path.unlink()
    put(path, HEADER + "2.5\tC2\t2\n")
    service.start()
    service.settle(40)
    assert sorted(service.new) == [1, 2]
    assert service.problems == []


def test_a_file_that_was_rewritten_while_we_were_down_is_read_anew(
    tmp_path: Path, time: Time, put: Put
) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "conn.log", lines(*range(200)))
    service.poll()
    service.stop()
    put(path, lines(*range(150), *range(1000, 1100)), "wb")
    service.start()
    service.settle(3)
    assert service.new == [*range(200), *range(150), *range(1000, 1100)]


def test_states_can_be_kept_as_json(tmp_path: Path, time: Time, put: Put) -> None:
    put(tmp_path / "conn.log", lines(1))
    service = Service(tmp_path, None, time)
    service.poll()
    service.saved = [
        msgspec.json.decode(msgspec.json.encode(state), type=FileState) for state in service.saved
    ]
    restart(service)
    service.settle(3)
    assert service.new == [1]


def test_changes_are_the_states_that_differ(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1))
    put(tmp_path / "dns.log", lines(2))
    service = Service(tmp_path, None, time)
    service.poll()
    follower = service.follower
    assert follower is not None
    changed, gone = follower.changes(service.low)
    assert ({state.path[-8:] for state in changed}, gone) == ({"conn.log", "/dns.log", ""}, [])
    put(path, lines(3))
    passed(service, time)
    changed, gone = follower.changes(service.low)
    assert ({state.path[-8:] for state in changed}, gone) == ({"conn.log", ""}, [])


# Restart


def test_what_is_held_is_read_again_before_anything_new(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time, held=1)
    paths = [put(tmp_path / name, lines(n)) for n, name in ((1, "conn.log"), (2, "dns.log"))]
    service.poll()
    for n, path in enumerate(paths):
        put(path, lines(3 + n))
    put(tmp_path / "http.log", lines(5))
    restart(service)
    assert service.follower is not None
    order = [(chunk.again, n) for _ in range(4) for chunk in passed(service, time) for n in numbers(chunk)]
    assert sorted(order[:2]) == [(True, 1), (True, 2)]
    assert sorted(order[2:]) == [(False, 3), (False, 4), (False, 5)]
    assert not service.follower.rebuilding


def test_no_chunk_lies_on_both_sides_of_what_was_saved(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1))
    service = Service(tmp_path, None, time, held=5)
    service.poll()
    put(path, lines(2))
    passed(service, time)
    high = state_of(service, "conn.log").high
    restart(service)
    put(path, lines(3))
    chunks = passed(service, time)
    assert [(chunk.again, chunk.start) for chunk in chunks] == [(True, 0), (False, high)]
    assert chunks[0].end == high


def test_states_taken_while_rebuilding_lose_nothing(tmp_path: Path, time: Time, put: Put) -> None:
    put(tmp_path / "conn.log", lines(*range(100)))
    with patch.object(blocks, "CHUNK", 300):
        service = Service(tmp_path, None, time, held=1000)
        service.settle(3)
        for _ in range(3):
            service._budget = 1
            restart(service)
            passed(service, time)
            assert state_of(service, "conn.log").high == len(lines(*range(100)))
            service.stop()
            service.start()
        service.settle(3)
    assert service.new == list(range(100))
    assert service.again == list(range(100))


# Where to begin


def test_begin_at_the_end(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1) + line(2)[:9])
    put(tmp_path / "dns.log", "")
    put(tmp_path / "http.log.1.gz", gzip.compress(lines(3).encode()))
    time.now += 60
    service = Service(tmp_path, None, time)
    service.start("end")
    service.settle(10)
    put(path, line(2)[9:])
    put(tmp_path / "dns.log", lines(4))
    put(tmp_path / "files.log", lines(5))
    service.settle(3)
    assert sorted(service.new) == [2, 4, 5]
    service.stop()
    put(path, lines(6))
    put(tmp_path / "ssl.log", lines(7))
    service.start("end")
    service.settle(10)
    assert sorted(service.new) == [2, 4, 5, 6, 7]


def test_places_that_are_not_there_yet(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path / "logs", None, time)
    service.settle(3)
    assert service.problems == [f"{tmp_path / 'logs'} does not exist yet: create it, or correct the path"]
    assert service.follower is not None
    assert service.follower.problems == service.problems
    put(tmp_path / "logs" / "conn.log", lines(1))
    service.settle(3)
    assert service.new == [1]
    assert service.follower.problems == []


def test_globs(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path / "*" / "conn*.log", None, time)
    for n, name in ((1, "a/conn.log"), (2, "a/dns.log"), (3, "b/conn_red.log"), (4, "c/.conn.log.swp")):
        put(tmp_path / name, lines(n))
    service.settle(3)
    assert sorted(service.new) == [1, 3]


# What is wrong


def test_a_file_that_cannot_be_read_is_told_and_tried_again(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1))
    put(tmp_path / "dns.log", lines(2))
    open_ = os.open

    def refusing(name: Any, *args: Any, **more: Any) -> int:
        if name == str(path):
            raise PermissionError(13, "Permission denied", name)
        return open_(name, *args, **more)

    service = Service(tmp_path, None, time)
    with patch("os.open", refusing):
        service.settle(3)
    assert service.new == [2]
    assert service.problems == [f"{path} can't be read: permission denied"]
    service.settle(3)
    assert service.new == [2, 1]
    assert service.follower is not None
    assert service.follower.problems == []


def test_an_error_while_reading_stops_nothing(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1))
    service = Service(tmp_path, None, time)
    service.poll()
    put(path, lines(2))
    put(tmp_path / "dns.log", lines(3))
    with patch("os.pread", side_effect=OSError(5, "Input/output error")):
        service.settle(3)
    assert any("input/output error" in problem for problem in service.problems)
    service.settle(3)
    assert sorted(service.new) == [1, 2, 3]


def test_a_folder_that_cannot_be_listed_ends_nothing(tmp_path: Path, time: Time, put: Put) -> None:
    path = put(tmp_path / "conn.log", lines(1))
    service = Service(tmp_path, None, time)
    service.poll()
    with patch("os.scandir", side_effect=PermissionError(13, "Permission denied")):
        service.settle(20)
        put(path, lines(2))
        service.settle(3)
    assert service.new == [1, 2]
    assert service.problems == [f"{tmp_path} can't be read: permission denied"]
    assert not state_of(service, "conn.log").finished


def test_a_damaged_archive_is_read_as_far_as_it_goes(tmp_path: Path, time: Time, put: Put) -> None:
    whole = gzip.compress(lines(*range(5000)).encode())
    path = put(tmp_path / "conn.log.1.gz", whole[: len(whole) // 2])
    time.now += 60
    service = Service(tmp_path, None, time)
    service.settle(10)
    assert service.new == list(range(len(service.new)))
    assert 1000 < len(service.new) < 5000
    assert [
        problem
        for problem in service.problems
        if problem.startswith(f"{path}: the gzip archive is cut short")
    ]
    assert state_of(service, "1.gz").finished


def test_an_archive_that_is_still_written_is_waited_for(tmp_path: Path, time: Time, put: Put) -> None:
    whole = gzip.compress(lines(*range(5000)).encode())
    service = Service(tmp_path, None, time)
    path = tmp_path / "conn.log.1.gz"
    for at in range(0, len(whole), len(whole) // 5):
        put(path, whole[at : at + len(whole) // 5])
        passed(service, time, 2.0)
        assert service.new == []
    service.settle(10)
    assert service.new == list(range(5000))
    assert service.problems == []


# Bounds


def test_many_old_logs_are_read_with_few_open_files(tmp_path: Path, time: Time, put: Put) -> None:
    for n in range(300):
        put(tmp_path / f"conn.2026-11-24-{n:04}.log", lines(n))
    live = put(tmp_path / "conn.log", lines(300))
    before, most = descriptors(), 0
    with (
        patch.object(open_files, "MAX_OPEN", 20),
        patch.object(open_files, "MANY", 50),
        patch.object(new_files, "MANY", 50),
    ):
        service = Service(tmp_path, None, time)
        for _ in range(100):
            passed(service, time)
            most = max(most, descriptors() - before)
        assert service.new == list(range(301))
        put(live, lines(301))
        put(tmp_path / "conn.2026-11-24-0007.log", lines(302))
        service.settle(3)
        assert set(service.new[301:]) == {301, 302}
        restart(service)
        service.settle(3)
    assert len(service.new) == 303
    assert 10 < most < 30


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_finished_file_is_forgotten_when_it_is_long_gone(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    rotated.mkdir()
    path = put(current / "conn.log", lines(1))
    service = Service(current, rotated, time, held=0)
    service.poll()
    path.rename(rotated / "conn.2026-11-24-10-00-00.log")
    put(path, lines(2))
    kept = put(current / "dns.2026-11-24-10-00-00.log", lines(3))
    service.settle(10)
    assert len(service.saved) == 4
    time.now += forgetting.KEEP
    service.settle(3)
    assert {state.path for state in service.saved} == {"", str(path), str(kept)}
    restart(service)
    service.settle(10)
    assert sorted(service.new) == [1, 2, 3]


def test_of_what_is_finished_and_gone_only_so_much_is_known(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time, held=0)
    with patch.object(forgetting, "MAX_KEPT", 3):
        for n in range(10):
            put(tmp_path / "conn.log", lines(n))
            passed(service, time)
            (tmp_path / "conn.log").unlink()
        service.settle(20)
    assert service.new == list(range(10))
    assert len(service.saved) == 4


def test_a_file_that_gave_way_to_others_is_not_read_again(tmp_path: Path, time: Time, put: Put) -> None:
    current, rotated = tmp_path / "current", tmp_path / "rotated"
    rotated.mkdir()
    service = Service(current, rotated, time, held=0)
    with patch.object(forgetting, "MAX_KEPT", 1):
        for n in range(5):
            path = put(current / "conn.log", lines(n))
            passed(service, time)
            path.rename(rotated / f"conn.{n}.log")
            service.settle(10)
    assert service.new == list(range(5))


def test_folders_are_listed_once_a_second(tmp_path: Path, time: Time, put: Put) -> None:
    put(tmp_path / "conn.log", lines(1))
    service = Service(tmp_path, None, time)
    listed = 0
    scandir = os.scandir

    def counted(path: Any) -> Any:
        nonlocal listed
        listed += 1
        return scandir(path)

    with patch("os.scandir", counted):
        for _ in range(100):
            passed(service, time, 0.05)
    assert 4 <= listed <= 7


def test_a_budget_is_shared_fairly(tmp_path: Path, time: Time, put: Put) -> None:
    for name in ("conn", "dns", "http"):
        put(tmp_path / f"{name}.log", lines(*range(100)))
    with patch.object(blocks, "CHUNK", 300):
        service = Service(tmp_path, None, time, budget=600)
        names = [Path(chunk.path).stem for chunk in service.poll()]
        assert sorted(names) == ["conn", "dns", "http"]
        service._budget = 1
        names = [Path(chunk.path).stem for _ in range(6) for chunk in passed(service, time, 0.05)]
    assert sorted(names) == ["conn", "conn", "dns", "dns", "http", "http"]


def test_what_is_no_log_is_not_opened_again_and_again(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    opened = []
    open_ = os.open

    def noted(name: Any, *args: Any, **more: Any) -> int:
        opened.append(str(name))
        return open_(name, *args, **more)

    put(tmp_path / "stderr.log", "no log\n")
    with patch("os.open", noted):
        service.settle(5)
        assert opened == [str(tmp_path / "stderr.log")]
        put(tmp_path / "stderr.log", "no log\n" * 10_000)
        service.settle(5)
        for _ in range(5):
            put(tmp_path / "stderr.log", "no log\n" * 10_000)
            service.settle(1)
        assert len(opened) == 2
    assert service.new == []


def test_what_becomes_a_log_is_read(tmp_path: Path, time: Time, put: Put) -> None:
    service = Service(tmp_path, None, time)
    path = put(tmp_path / "mixed.log", "starting\n")
    service.settle(2)
    put(path, line(1, _path="conn"))
    service.settle(2)
    assert service.new == [1]


def test_status_tells_lag_and_kind(tmp_path: Path, time: Time, put: Put) -> None:
    put(tmp_path / "conn.log", lines(1) + "{")
    follower = Follower([str(tmp_path)], known=KNOWN, clock=time, now=time)
    follower.poll(1 << 20, WANTED)
    [status] = follower.files
    assert (status.kind, status.position, status.lag, status.finished) == ("records", len(line(1)), 1, False)
    assert follower.lag == 1
    follower.close()
    assert time.now < START + 10
