"""The package's form: as zeekscript formats it, and its description."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zeek.package.running import PACKAGE

ROOT = PACKAGE.parents[1]


def test_scripts_are_formatted(tmp_path: Path) -> None:
    program = shutil.which("zeek-format") or shutil.which(
        "zeek-format", path=str(Path(sys.executable).parent)
    )
    if program is None:
        pytest.skip("zeekscript is not installed")
    copy = tmp_path / "zeek"
    shutil.copytree(ROOT / "zeek", copy, ignore=shutil.ignore_patterns(".tmp"))
    scripts = sorted(copy.rglob("*.zeek"))
    assert len(scripts) > 70
    subprocess.run([program, "--inplace", *map(str, scripts)], check=True, capture_output=True)
    changed = [
        str(path.relative_to(copy))
        for path in scripts
        if path.read_text() != (ROOT / "zeek" / path.relative_to(copy)).read_text()
    ]
    assert changed == []


def test_the_package_manager_finds_the_scripts() -> None:
    meta = configparser.ConfigParser()
    meta.read(ROOT / "zkg.meta")
    about = meta["package"]
    assert (ROOT / about["script_dir"] / "__load__.zeek").is_file()
    assert f'const version = "{about["version"]}"' in (PACKAGE / "config.zeek").read_text()


def test_no_script_is_left_out() -> None:
    for folder in (PACKAGE, PACKAGE / "plugins", PACKAGE / "compact"):
        loaded = (folder / "__load__.zeek").read_text()
        for path in folder.iterdir():
            if path.stem in ("__load__", "listen", "normalized") or path.name.startswith("."):
                continue
            assert f"@load ./{path.stem}\n" in loaded, path
