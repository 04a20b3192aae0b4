"""Intel-triggered hunting in network traffic."""

__version__ = "0.1.0.dev0"
