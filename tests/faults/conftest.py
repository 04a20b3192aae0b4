"""Faults need the broker's fixtures."""

from tests.integration.conftest import *  # noqa: F403
