"""Growing result files: half lines, rotation, and names that come from outside."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from threathunting.sinks.append import Appender


def test_lines_are_appended_over_several_lives(tmp_path: Path) -> None:
    first = Appender(tmp_path / "out")
    first.write("intel", [b"1", b"2"])
    first.close()
    second = Appender(tmp_path / "out")
    second.write("intel", [b"3"])
    second.write("http-investigation", [b"x"])
    second.close()
    assert (tmp_path / "out/intel.log").read_bytes() == b"1\n2\n3\n"
    assert (tmp_path / "out/http-investigation.log").read_bytes() == b"x\n"


def test_a_line_that_a_killed_process_left_unfinished_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "intel.log").write_bytes(b"whole\n" + b"h" * 200_000)
    (tmp_path / "conn-investigation.log").write_bytes(b"half")
    appender = Appender(tmp_path)
    appender.write("intel", [b"next"])
    appender.write("conn-investigation", [b"first"])
    appender.close()
    assert (tmp_path / "intel.log").read_bytes() == b"whole\nnext\n"
    assert (tmp_path / "conn-investigation.log").read_bytes() == b"first\n"


def test_a_file_that_was_rotated_or_removed_is_made_anew(tmp_path: Path) -> None:
    appender = Appender(tmp_path)
    appender.write("intel", [b"1"])
    appender.sync()
    (tmp_path / "intel.log").rename(tmp_path / "intel.log.1")
    appender.write("intel", [b"2"])
    appender.sync()
    (tmp_path / "intel.log").unlink()
    appender.sync()
    appender.write("intel", [b"3"])
    appender.close()
    assert (tmp_path / "intel.log.1").read_bytes() == b"1\n"
    assert (tmp_path / "intel.log").read_bytes() == b"3\n"


def test_copytruncate_goes_on_at_the_begin(tmp_path: Path) -> None:
    appender = Appender(tmp_path)
    appender.write("intel", [b"1"])
    appender.sync()
    os.truncate(tmp_path / "intel.log", 0)
    appender.write("intel", [b"2"])
    appender.close()
    assert (tmp_path / "intel.log").read_bytes() == b"2\n"


def test_names_lead_nowhere_else_and_many_files_stay_within_bounds(tmp_path: Path) -> None:
    appender = Appender(tmp_path / "out")
    appender.write("../../etc/x", [b"1"])
    for number in range(300):
        appender.write(f"log{number}", [b"1"])
    appender.close()
    assert len(list((tmp_path / "out").iterdir())) == 301
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_several_threads_share_a_folder(tmp_path: Path) -> None:
    appender = Appender(tmp_path)

    def work(number: int) -> None:
        for turn in range(100):
            appender.write(f"log{number}-{turn % 40}", [b"x"])
            appender.write("shared", [b"y" * 50])
            appender.sync()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()
    appender.close()
    assert (tmp_path / "shared.log").read_bytes() == (b"y" * 50 + b"\n") * 400
    assert sum(len(path.read_bytes()) for path in tmp_path.glob("log*.log")) == 400 * 2
