"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A folder of the test data beside the checkout; skips where it isn't there, but fails in CI."""

    def folder(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no test data at {path}")
        return path

    return folder
