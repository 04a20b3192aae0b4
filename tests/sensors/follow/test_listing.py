"""Which files are there, without looking at years of old ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from threathunting.sensors.follow.listing import Places
from threathunting.sensors.log_names import looks_rotated


def names(places: Places, *args: Any) -> list[str]:
    return sorted(Path(seen.path).name for seen in places.look(*args).files.values())


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_files_of_folders_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("conn.log", "a/dns.log", ".hidden", ".git/x.log"):
        touch(tmp_path / name)
    (tmp_path / "linked.log").symlink_to(tmp_path / ".hidden")
    (tmp_path / "nowhere.log").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.log")
    listing = Places([str(tmp_path)]).look()
    assert sorted(Path(path).name for path in listing.paths) == ["conn.log", "dns.log", "linked.log"]
    assert (listing.problems, listing.whole) == ({}, True)


def test_a_file_in_both_places_is_a_followed_one(tmp_path: Path) -> None:
    touch(tmp_path / "old" / "conn.1.log")
    touch(tmp_path / "conn.log")
    seen = Places([str(tmp_path / "conn.log")], [str(tmp_path)]).look().files.values()
    assert {(Path(one.path).name, one.rotated) for one in seen} == {("conn.log", False), ("conn.1.log", True)}


def test_old_folders_of_rotated_logs_are_passed_over(tmp_path: Path) -> None:
    for day in range(5):
        path = touch(tmp_path / "2026" / f"day{day}" / f"conn.{day}.log")
        os.utime(path.parent, (1000 + day, 1000 + day))
    os.utime(tmp_path / "2026", (900, 900))
    os.utime(tmp_path, (900, 900))
    places = Places([], [str(tmp_path)])
    assert names(places, 0) == [f"conn.{day}.log" for day in range(5)]
    assert names(places, 1003 * 10**9) == ["conn.3.log", "conn.4.log"]
    assert names(places, 1003 * 10**9, {str(tmp_path / "2026" / "day1")}) == [
        "conn.1.log",
        "conn.3.log",
        "conn.4.log",
    ]
    with patch("os.scandir", wraps=os.scandir) as scandir:
        names(places, 1003 * 10**9)
        assert scandir.call_count == 2
    touch(tmp_path / "2026" / "day5" / "conn.5.log")
    touch(tmp_path / "2026" / "day0" / "conn.6.log")
    assert names(places, 1003 * 10**9) == [
        "conn.0.log",
        "conn.3.log",
        "conn.4.log",
        "conn.5.log",
        "conn.6.log",
    ]


@pytest.mark.parametrize(
    ("followed", "rotated", "fits"),
    [
        (None, "anything.log", True),
        ("conn.log", "conn.10:00:00-11:00:00.log.gz", True),
        ("conn.log", "conn-20261124.log", True),
        ("conn.log", "conn.log.1", True),
        ("conn.log", "dns.10:00:00-11:00:00.log.gz", False),
        ("conn.log", "conn-investigation.10:00:00-11:00:00.log.gz", False),
        ("*.log", "dns.2026-11-24-10-00-00.log", True),
        ("*.log", "dns.10:00:00-11:00:00.log.gz", True),
        ("c*.log", "dns.10:00:00-11:00:00.log.gz", False),
        ("eve.json", "eve.json.1.gz", True),
        ("eve.json", "eve.json-20261124", True),
        ("eve.json", "stats.json", False),
    ],
)
def test_which_rotated_files_are_of_followed_logs(
    tmp_path: Path, followed: str | None, rotated: str, fits: bool
) -> None:
    spec = tmp_path if followed is None else tmp_path / followed
    assert Places([str(spec)]).fits(f"/somewhere/{rotated}") is fits


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("conn.log", False),
        ("conn_red.log", False),
        ("json_streaming_conn.log", False),
        ("smb_files.log", False),
        ("eve.json", False),
        ("conn.2026-11-24-10-00-00.log", True),
        ("conn.10:00:00-11:00:00.log.gz", True),
        ("conn-20261124.log", True),
        ("json_streaming_conn.1.log", True),
        ("conn.log.1", True),
        ("eve.json-20261124", True),
        ("eve.json.gz", True),
    ],
)
def test_names_of_rotated_files(name: str, rotated: bool) -> None:
    assert looks_rotated(f"/logs/2026-11-24/{name}") is rotated


def test_what_cannot_be_listed_is_said(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "conn.log")

    def refuse(path: Any, scandir: Callable[..., Any] = os.scandir) -> Any:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with patch("os.scandir", refuse):
        listing = Places([str(tmp_path)]).look()
    assert listing.problems == {str(tmp_path / "a"): f"{tmp_path / 'a'} can't be read: permission denied"}
    assert not listing.whole
