"""Suricata's EVE events (7 and 8) as records in Zeek's names, so that the same plugins hunt in them."""

from threathunting.sensors.eve.converter import EveConverter
from threathunting.sensors.eve.unit import EveReader, EveUnit, looks_like_eve

__all__ = ["EveConverter", "EveReader", "EveUnit", "looks_like_eve"]
