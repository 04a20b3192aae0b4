"""Faults need the broker's fixtures, and a machine that isn't doing another fault at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import *  # noqa: F403

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("faults"))
