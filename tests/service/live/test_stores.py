"""The files of a service's stores."""

from __future__ import annotations

import stat
from pathlib import Path

from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.service.live.stores import DiskStores


def test_stores_are_files_of_their_own_and_those_of_a_killed_process_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "intel"
    folder.mkdir()
    (folder / "7.db").write_text("left")
    (folder / "7.db-journal").write_text("left")
    make = DiskStores(tmp_path)
    assert list(folder.iterdir()) == []
    one, other = make(10), make(10)
    one.add(Indicator(IndicatorType.DOMAIN, "evil.example"), Item("feed"))
    assert (len(one), len(other)) == (1, 0)
    assert len(list(folder.iterdir())) == 2
    one.close()
    other.close()
    assert list(folder.iterdir()) == []


def test_the_folder_is_private(tmp_path: Path) -> None:
    DiskStores(tmp_path)
    assert stat.S_IMODE((tmp_path / "intel").stat().st_mode) == 0o700
