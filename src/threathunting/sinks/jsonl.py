"""Results as files of JSON lines in a folder, or sightings alone on a stream."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

SUMMARY = "summary.json"
SIGHTINGS = "intel.log"
REJECTED = "rejected.log"
_MARK = "threathunting"


class Folder:
    """``intel.log``, ``<log>-investigation.log`` and ``summary.json`` in a folder.

    Files hold whole lines at any time between two calls. Results of an earlier run of ours are replaced.
    """

    def __init__(self, path: Path) -> None:
        """Make the folder ready. Raises FileExistsError where it holds results that aren't known to be ours."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        theirs = sorted(path.glob("*-investigation.log")) + [
            file for file in (path / SIGHTINGS,) if file.exists()
        ]
        if theirs and not self._ours():
            raise FileExistsError(
                f"{path} holds {theirs[0].name}, which no hunt of ours wrote; choose another folder for --out"
            )
        self.summary({"complete": False})
        for file in (*theirs, path / REJECTED):
            file.unlink(missing_ok=True)

    def sightings(self, lines: Path) -> None:
        """Append a file of lines to ``intel.log``."""
        self._append(SIGHTINGS, lines)

    def investigations(self, log: str, lines: Path) -> None:
        """Append a file of lines to ``<log>.log``; ``log`` ends in ``-investigation``."""
        # The log's name came with the input: it must not lead out of the folder.
        name = "".join(char if char.isalnum() or char in "_-" else "_" for char in log)
        self._append(f"{name[:100]}.log", lines)

    def rejected(self, lines: list[dict[str, Any]]) -> None:
        """Write what could not be used to ``rejected.log``, if there is any."""
        if lines:
            (self.path / REJECTED).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``, in one step."""
        waiting = self.path / f".{SUMMARY}"
        waiting.write_text(json.dumps({_MARK: 1, **summary}, indent=2) + "\n")
        waiting.replace(self.path / SUMMARY)

    def _ours(self) -> bool:
        try:
            return _MARK in json.loads((self.path / SUMMARY).read_bytes())
        except (OSError, ValueError):
            return False

    def _append(self, name: str, lines: Path) -> None:
        path = self.path / name
        with lines.open("rb") as source, path.open("ab", buffering=0) as target:
            at = target.tell()
            try:
                while block := source.read(1 << 20):
                    left = memoryview(block)
                    while left:
                        left = left[target.write(left) or 0 :]
            except OSError:
                # The disk is full: what stands is what came before, whole lines all of it.
                with suppress(OSError):
                    os.truncate(path, at)
                raise


class Stream:
    """Sightings as JSON lines on a binary stream; no investigations."""

    def __init__(self, stream: BinaryIO) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def sightings(self, lines: Path) -> None:
        """Write a file of lines."""
        with lines.open("rb") as source:
            shutil.copyfileobj(source, self._stream, 1 << 20)
        self._stream.flush()

    def investigations(self, log: str, lines: Path) -> None:
        """Not on a stream."""


class Nothing:
    """Keeps no lines: for a hunt that only counts."""

    def sightings(self, lines: Path) -> None:
        """Drop them."""

    def investigations(self, log: str, lines: Path) -> None:
        """Drop them."""
