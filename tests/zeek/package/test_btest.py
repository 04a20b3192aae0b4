"""The package's own tests, as Zeek's package manager runs them before it installs it."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zeek.package.running import PACKAGE, environment, program

pytestmark = pytest.mark.zeek


def test_the_packages_own_tests(tmp_path: Path) -> None:
    root = PACKAGE.parents[1]
    path = os.pathsep.join(
        [str(Path(program()).parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    if shutil.which("btest", path=path) is None:
        pytest.skip("btest is not installed")
    shutil.copytree(root / "zeek", tmp_path / "zeek", ignore=shutil.ignore_patterns(".tmp"))
    meta = configparser.ConfigParser()
    meta.read(root / "zkg.meta")
    done = subprocess.run(
        ["sh", "-c", meta["package"]["test_command"]],
        cwd=tmp_path,
        env=environment({"PATH": path}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 5 tests successful" in done.stdout + done.stderr
