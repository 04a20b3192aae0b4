"""Results in a folder: whose they are, what they are called, and that they stay whole."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from threathunting.sinks.jsonl import Folder, Stream


def lines(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_lines_are_appended(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    folder.sightings(lines(tmp_path / "s", "1\n"))
    folder.sightings(lines(tmp_path / "s", "2\n"))
    folder.investigations("http-investigation", lines(tmp_path / "i", "3\n"))
    assert (folder.path / "intel.log").read_text() == "1\n2\n"
    assert (folder.path / "http-investigation.log").read_text() == "3\n"


@pytest.mark.parametrize("name", ["../../outside", "a/b", "\x00", "x" * 500])
def test_a_logs_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "out")
    folder.investigations(f"{name}-investigation", lines(tmp_path / "i", "1\n"))
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("i", "summary.json")
    ]
    assert [path.parent for path in written] == [folder.path]


def test_results_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = lines(tmp_path / "http-investigation.log", "theirs\n")
    with pytest.raises(FileExistsError, match="no hunt of ours wrote"):
        Folder(tmp_path)
    assert theirs.read_text() == "theirs\n"
    lines(tmp_path / "summary.json", '{"another": "tool"}')
    with pytest.raises(FileExistsError):
        Folder(tmp_path)


def test_our_own_are_replaced_and_other_files_kept(tmp_path: Path) -> None:
    Folder(tmp_path).sightings(lines(tmp_path / "notes.txt", "1\n"))
    Folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "summary.json"]


def test_the_summary_is_marked_incomplete_until_the_end(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["complete"] is False
    folder.summary({"complete": True, "sightings": 3})
    assert json.loads((tmp_path / "summary.json").read_text())["sightings"] == 3


def test_a_disk_that_takes_no_more_leaves_what_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path / "out")
    folder.sightings(lines(tmp_path / "s", "whole\n"))
    opened = Path.open

    class Full(io.FileIO):
        def write(self, data: object) -> int:
            super().write(b"half a li")
            raise OSError(28, "No space left on device")

    def limited(path: Path, mode: str = "r", **options: object) -> object:
        return Full(str(path), mode.replace("b", "")) if mode == "ab" else opened(path, mode, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", limited)
    with pytest.raises(OSError, match="No space left"):
        folder.sightings(lines(tmp_path / "s2", "another\n"))
    monkeypatch.undo()
    assert (tmp_path / "out" / "intel.log").read_text() == "whole\n"


def test_a_stream_gets_sightings_alone(tmp_path: Path) -> None:
    out = io.BytesIO()
    stream = Stream(out)
    stream.sightings(lines(tmp_path / "s", "1\n"))
    stream.investigations("http-investigation", tmp_path / "s")
    assert out.getvalue() == b"1\n"
