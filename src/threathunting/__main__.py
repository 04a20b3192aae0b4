"""``python -m threathunting``."""

from threathunting.cli import main

main()
