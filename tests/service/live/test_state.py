"""Checkpoints: saved together, kept over a kill, used by one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from threathunting.hunt.conversations import Reason
from threathunting.hunt.live import Kind, Raised
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.service.live.state import State


def flag(key: str, at: float = 1.0) -> Raised:
    reason = Reason(
        Indicator(IndicatorType.DOMAIN, "a.example"), "DNS::IN_REQUEST", "a.example", (Item("x"),)
    )
    return Raised(Kind.CONVERSATION, key, "logs", at, (reason,))


def test_files_flags_and_marks_come_back(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.save("a", [("k1", b"1"), ("k2", b"2")], [], [flag("C2", 2.0), flag("C1", 1.0)], [])
    state.save("b", [("k1", b"other")], [], [], [])
    state.set_marks([("x", 7)])
    state.close()
    state = State(tmp_path / "state")
    assert state.files("a") == [b"1", b"2"]
    assert state.flags("a") == [flag("C1", 1.0), flag("C2", 2.0)]
    assert (state.mark("x"), state.mark("y")) == (7, -1)
    state.save("a", [("k2", b"3")], ["k1"], [flag("C3", 3.0)], [(Kind.CONVERSATION, "C1")])
    assert state.files("a") == [b"3"]
    assert [one.key for one in state.flags("a")] == ["C2", "C3"]
    assert state.files("b") == [b"other"]
    state.close()


def test_a_second_instance_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    state = State(tmp_path)
    with pytest.raises(BlockingIOError, match="another instance runs with the state folder"):
        State(tmp_path)
    state.close()
    State(tmp_path).close()


def test_what_was_saved_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from threathunting.service.live.state import State\n"
        "state = State(Path(sys.argv[1]))\n"
        "for n in range(50): state.save('a', [('k', b'%d' % n)], [], [], [])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    state = State(tmp_path)
    assert state.files("a") == [b"49"]
    state.close()


def test_a_database_that_is_none_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(ValueError, match="move it away to begin anew"):
        State(tmp_path)
    assert (tmp_path / "state.db").read_bytes().startswith(b"this is no")


def test_a_folder_that_takes_no_writes_is_an_oserror(tmp_path: Path) -> None:
    state = State(tmp_path)
    state._database.execute("pragma query_only = on")
    with pytest.raises(OSError, match="the checkpoint can't be saved"):
        state.save("a", [("k", b"1")], [], [], [])
    state._database.execute("pragma query_only = off")
    state.save("a", [("k", b"1")], [], [], [])
    state.close()
