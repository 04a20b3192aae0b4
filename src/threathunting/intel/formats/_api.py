"""What every reader of an intel format gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from threathunting.intel.message import Change


class Refusal(NamedTuple):
    """Something that a reader could not take: where and why. ``line`` counts from 1; 0 is the whole file.

    ``reason`` is one printable line; ``text`` is the beginning of what was refused, as it stood.
    """

    path: str
    line: int
    reason: str
    text: str


class Told(NamedTuple):
    """A change that stands in an intel file, with its line (0 where a format has no lines)."""

    line: int
    change: Change


@dataclass(frozen=True)
class Context:
    """What a reader knows of the file: its name, when it was told, and the source where none is given."""

    path: str
    told_at: float
    source: str
    all_attributes: bool = False
    """MISP only: take attributes whose ``to_ids`` is false, too."""


@dataclass(frozen=True)
class Format:
    """One intel format: how to know it and how to read it.

    ``looks_like`` gets the file's name and its first 64 KiB. ``read`` yields Told and Refusal in the file's
    order, never raises for what stands in it, and holds no more than a line where the format has lines.
    """

    name: str
    looks_like: Callable[[str, bytes], bool]
    read: Callable[[BinaryIO, Context], Iterator[Told | Refusal]]
