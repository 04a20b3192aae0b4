"""The command ``threathunting``."""

from threathunting.cli.app import main

__all__ = ["main"]
