"""Hunting in records as they come: flags, the look-behind window, and the capture of whole conversations."""

from threathunting.hunt.live.capture import Bounds, Capture, Found, Line
from threathunting.hunt.live.flags import FlagTable, Kind, Raised
from threathunting.hunt.live.hunter import Hunter, Policy

__all__ = ["Bounds", "Capture", "FlagTable", "Found", "Hunter", "Kind", "Line", "Policy", "Raised"]
