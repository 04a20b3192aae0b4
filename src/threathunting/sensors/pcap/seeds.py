"""Seeds for a Zeek that reads a capture: its uids are the same in every run, and no other capture's."""

from __future__ import annotations

import hashlib
from pathlib import Path

_SEEDS = 21
"""Numbers in a file of seeds of Zeek's."""

_SEEDED_BY = 1 << 20
"""Bytes at each end of a capture that its seeds are made of."""


def seeds(capture: Path) -> str:
    """Seeds by which the same capture has the same uids in every run, and no two captures have the same.

    With -D the first connections of all captures would be one conversation.
    """
    size = capture.stat().st_size
    with capture.open("rb") as file:
        hashed = hashlib.blake2b(size.to_bytes(8, "big") + file.read(_SEEDED_BY))
        file.seek(max(size - _SEEDED_BY, 0))
        hashed.update(file.read(_SEEDED_BY))
    numbers = []
    for number in range(_SEEDS):
        digest = hashlib.blake2b(hashed.digest() + bytes([number]), digest_size=4).digest()
        numbers.append(int.from_bytes(digest, "big"))
    return "".join(f"{number}\n" for number in numbers)
