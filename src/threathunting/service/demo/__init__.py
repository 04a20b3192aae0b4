"""The whole story on one machine, in less than a minute: ``threathunting demo``."""
