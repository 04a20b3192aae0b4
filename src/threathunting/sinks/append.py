"""Results as growing files of JSON lines, for a service: appended to, made fast, rotated by whoever likes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_OPEN = 128


class Appender:
    """``intel.log`` and ``<log>-investigation.log`` in a folder.

    Any thread may write and sync: a service's parts share the folder. A file that is renamed, removed or truncated
    (logrotate, with or without copytruncate) is gone on with at the next ``sync``. Raises OSError where the disk
    doesn't take it.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder where it isn't there."""
        self.folder = folder
        self._open: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._dirty: dict[str, None] = {}
        # What one thread writes while another makes fast must be fast for whoever syncs next.
        self._one = threading.RLock()

    def write(self, log: str, lines: Iterable[bytes]) -> None:
        """Append lines (without line ends) to ``<log>.log``."""
        name = "".join(char if char.isalnum() or char in "_-" else "_" for char in log)[:100]
        left = memoryview(b"".join(line + b"\n" for line in lines))
        with self._one:
            file = self._file(name)
            while left:
                left = left[os.write(file, left) :]
            self._dirty[name] = None

    def sync(self) -> None:
        """Return once all that was written is on the disk."""
        with self._one:
            for name in self._dirty:
                os.fsync(self._open[name])
                if self._moved(name):
                    os.close(self._open.pop(name))
            self._dirty.clear()

    def close(self) -> None:
        """Make fast, and close."""
        with self._one:
            self.sync()
            for file in self._open.values():
                os.close(file)
            self._open.clear()

    def __del__(self) -> None:
        # Where results go elsewhere from now on, whoever wrote here last has made it fast.
        for file in self._open.values():
            os.close(file)

    def _file(self, name: str) -> int:
        file = self._open.get(name)
        if file is not None and name not in self._dirty and self._moved(name):
            os.close(self._open.pop(name))
            file = None
        if file is None:
            if len(self._open) >= _OPEN:
                self.sync()
                os.close(self._open.pop(next(iter(self._open))))
            path = self.folder / f"{name}.log"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            _drop_half_line(file)
            self._open[name] = file
        return file

    def _moved(self, name: str) -> bool:
        with suppress(FileNotFoundError):
            there, ours = (self.folder / f"{name}.log").stat(), os.fstat(self._open[name])
            return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
        return True


def _drop_half_line(file: int) -> None:
    """Cut off a last line that a killed process left unfinished: it comes again, whole."""
    end = os.fstat(file).st_size
    at = end
    while at > 0:
        begin = max(at - 65536, 0)
        block = os.pread(file, at - begin, begin)
        cut = block.rfind(b"\n")
        if cut >= 0 or begin == 0:
            keep = begin + cut + 1
            if keep < end:
                os.ftruncate(file, keep)
            return
        at = begin
