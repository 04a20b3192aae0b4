"""A log that is written, rotated, truncated and compressed, and a service that follows it and is restarted."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from threathunting.sensors.follow import Chunk, FileState, Follower

KNOWN = frozenset({"conn", "dns", "http"})
WANTED = {"conn": ("uid",), "dns": ("uid", "query"), "*": ("uid",)}
START = 1_795_000_000.0


class Time:
    """A clock that tests set, which is also the time of files."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def stamp(self, path: Path) -> None:
        # No two writes at the same moment: the kernel's own stamps are as coarse as 4 ms.
        self.now += 0.001
        if path.exists():
            os.utime(path, (self.now, self.now))


def numbers(chunk: Chunk) -> list[int]:
    """The field ``n`` of a chunk's records."""
    return [int(batch.record(row)["n"]) for batch in chunk.batches for row in range(len(batch))]


class Service:
    """Reads all there is, keeps the last ``held`` chunks of each file, and saves the states after each poll."""

    def __init__(
        self, folder: Path, rotated: Path | None, time: Time, held: int = 2, budget: int = 1 << 20
    ) -> None:
        self._paths = [str(folder)]
        self._rotated = [] if rotated is None else [str(rotated)]
        self._time = time
        self._held = held
        self._budget = budget
        self.saved: list[FileState] = []
        self.window: dict[str, list[tuple[int, list[int]]]] = {}
        self.expected_again: set[int] = set()
        self.new: list[int] = []
        """Records that came for the first time, in order."""
        self.again: list[int] = []
        """Records that came again after the last restart."""
        self.by_key: dict[str, list[int]] = {}
        self.bad = 0
        self.problems: list[str] = []
        self.follower: Follower | None = None
        self.start()

    def __del__(self) -> None:
        self.stop()

    def start(self, begin: str = "beginning") -> None:
        self.again = []
        self.window = {}
        self.follower = Follower(
            self._paths,
            self._rotated,
            KNOWN,
            "end" if begin == "end" else "beginning",
            self.saved,
            clock=self._time,
            now=self._time,
        )

    def stop(self) -> None:
        if self.follower is not None:
            self.expected_again = {n for held in self.window.values() for _, found in held for n in found}
            self.follower.close()
            self.follower = None

    def low(self, key: str) -> int | None:
        held = self.window.get(key)
        return held[0][0] if held else None

    def poll(self) -> list[Chunk]:
        if self.follower is None:
            return []
        self._time.now += 0.001
        chunks = self.follower.poll(self._budget, WANTED)
        for chunk in chunks:
            found = numbers(chunk)
            held = self.window.setdefault(chunk.key, [])
            held.append((chunk.start, found))
            del held[: -self._held or None]
            if chunk.again:
                self.again += found
            else:
                self.new += found
                self.by_key.setdefault(chunk.key, []).extend(found)
            self.bad += chunk.report.bad_records
        self.saved = self.follower.states(self.low)
        assert len({state.key for state in self.saved}) == len(self.saved)
        self.problems += self.follower.news()
        return chunks

    def settle(self, seconds: int = 45) -> None:
        """Let so much time pass that all that can be found is found."""
        for _ in range(seconds):
            self._time.now += 1.0
            while self.poll():
                pass


class Log:
    """``conn.log`` and what becomes of it."""

    def __init__(self, folder: Path, rotated: Path, time: Time, tsv: bool = False) -> None:
        self.path = folder / "conn.log"
        self._rotated = rotated
        self._time = time
        self._tsv = tsv
        self._reordered = False
        self._number = 0
        self._rotations = 0
        self._part = b""
        self.whole: list[int] = []
        """The numbers of the lines that were written whole."""

    def _line(self) -> bytes:
        self._number += 1
        n = self._number
        if self._tsv:
            values = (f"{n}.5", f"C{n}", str(n)) if not self._reordered else (str(n), f"C{n}", f"{n}.5")
            return "\t".join(values).encode() + b"\n"
        pad = "x" * (n * 7 % 40)
        return json.dumps({"ts": n + 0.5, "uid": f"C{n}", "n": n, "pad": pad}).encode() + b"\n"

    def _header(self) -> bytes:
        names = ("ts", "uid", "n") if not self._reordered else ("n", "uid", "ts")
        types = ("time", "string", "count") if not self._reordered else ("count", "string", "time")
        fields, kinds = "\t".join(names), "\t".join(types)
        return (
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
            f"#open\t2026-11-24-10-00-00\n#fields\t{fields}\n#types\t{kinds}\n"
        ).encode()

    def _write(self, data: bytes, path: Path | None = None) -> None:
        path = path or self.path
        with path.open("ab") as file:
            if self._tsv and path == self.path and not file.tell():
                file.write(self._header())
            file.write(data)
        self._time.stamp(path)

    def append(self, lines: int) -> None:
        data, self._part = self._part, b""
        if data:
            self.whole.append(self._number)
        for _ in range(lines):
            data += self._line()
            self.whole.append(self._number)
        self._write(data)

    def append_part(self, cut: int) -> None:
        """Write a line up to a place within it; the rest comes with the next lines."""
        self.append(0)
        line = self._line()
        cut = 1 + cut % (len(line) - 1)
        self._write(line[:cut])
        self._part = line[cut:]

    def end_without_line_end(self) -> None:
        self.append(1)
        os.truncate(self.path, self.path.stat().st_size - 1)
        self._time.stamp(self.path)

    def repeat_header(self) -> None:
        self.append(0)
        if self._tsv:
            self._reordered = not self._reordered
            self._write(self._header())

    def rotate(self, folder: Path | None = None) -> Path | None:
        """Rename it, as Zeek does; the next line goes to a new file."""
        if not self.path.exists():
            return None
        self.append(0)
        self._rotations += 1
        to = (folder or self.path.parent) / f"conn.2026-11-24-{self._rotations:02}-00-00.log"
        self.path.rename(to)
        return to

    def rotate_late(self, lines: int) -> None:
        """Rename it, and write some more to it before the new one is opened, as Suricata does."""
        to = self.rotate()
        if to is not None:
            data = b""
            for _ in range(lines):
                data += self._line()
                self.whole.append(self._number)
            self._write(data, to)

    def move(self) -> None:
        """Rename it into the place of rotated ones."""
        self.rotate(self._rotated)

    def replace(self, lines: int) -> None:
        """Put a longer file in its place, as rsync does."""
        if not self.path.exists():
            return
        self.append(0)
        new = self.path.with_name(".conn.log.new")
        shutil.copyfile(self.path, new)
        data = b""
        for _ in range(lines):
            data += self._line()
            self.whole.append(self._number)
        self._write(data, new)
        new.replace(self.path)

    def compress(self, path: Path | None, here: bool = False) -> None:
        """Compress a rotated file into the place of rotated ones, as zeekctl does, or where it is."""
        if path is not None and path.exists():
            packed = (path.parent if here else self._rotated) / (path.name + ".gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            self._time.stamp(packed)
            path.unlink()

    def copy_and_truncate(self) -> None:
        """As logrotate does with ``copytruncate``."""
        if not self.path.exists():
            return
        self.append(0)
        self._rotations += 1
        to = self.path.parent / f"conn.log.{self._rotations}"
        shutil.copyfile(self.path, to)
        self._time.stamp(to)
        os.truncate(self.path, 0)
        self._time.stamp(self.path)

    def delete(self) -> None:
        self.append(0)
        self.path.unlink(missing_ok=True)


def lost(written: Collection[int], read: Collection[int]) -> set[int]:
    return set(written) - set(read)
