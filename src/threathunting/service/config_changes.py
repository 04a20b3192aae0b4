"""What differs between two configurations, and what of it takes a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from threathunting.service.config_schema import Config

LIVE = (
    "hunt.modules",
    "hunt.min_level",
    "intel.levels",
    "intel.allow",
    "intel.warninglists",
    "intel.files",
    "output",
    "log",
)
"""Keys, and sections with all their keys, that can be applied while the service runs."""


@dataclass(frozen=True)
class Changes:
    """Dotted keys of what changed, in the order of the file. Never values: they may be secret."""

    live: tuple[str, ...] = ()
    """Can be applied at once."""
    restart: tuple[str, ...] = ()
    """Is in force only after a restart."""

    def __bool__(self) -> bool:
        return bool(self.live or self.restart)

    def touches(self, key: str) -> bool:
        """Whether this key, or for a section any key in it, changed."""
        return any(name == key or name.startswith(f"{key}.") for name in self.live + self.restart)


def differences(old: Config, new: Config) -> Changes:
    """What is not the same in ``new``. A list or a table of values that differs anywhere counts as one key."""
    names = _differing(old, new, "")
    live = tuple(name for name in names if any(name == key or name.startswith(f"{key}.") for key in LIVE))
    return Changes(live, tuple(name for name in names if name not in live))


def _differing(old: Any, new: Any, name: str) -> list[str]:
    if old == new:
        return []
    if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
        before = f"{name}." if name else ""
        return [
            key
            for field in old.__struct_fields__
            for key in _differing(getattr(old, field), getattr(new, field), before + field)
        ]
    return [name]
