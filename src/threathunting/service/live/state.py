"""What outlives the process: how far each followed file is done, and the flags of its conversations."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from threathunting.hunt.live import Kind, Raised

_SCHEMA = """
create table if not exists files (source text, key text, state blob, primary key (source, key)) without rowid;
create table if not exists flags (source text, kind text, key text, at real, data blob,
                                  primary key (source, kind, key)) without rowid;
create table if not exists marks (name text primary key, value integer) without rowid;
"""


class State:
    """A folder with a database of checkpoints, locked by the one instance that uses it.

    What is saved together is true together, also after SIGKILL or a power cut.
    """

    def __init__(self, folder: Path) -> None:
        """Open it, or make it. Raises BlockingIOError where another instance has it, OSError, ValueError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise BlockingIOError(
                f"another instance runs with the state folder {folder}; stop it, or give this one its own service.state"
            ) from None
        path = folder / "state.db"
        self._one = threading.Lock()
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            os.close(self._lock)
            raise ValueError(
                f"{path} is not readable ({error}); move it away to begin anew: records since the last "
                "checkpoints are then read again, with the same ids"
            ) from None

    def files(self, source: str) -> list[bytes]:
        """The saved states of a source's files."""
        with self._one:
            return [
                row[0]
                for row in self._database.execute("select state from files where source = ?", (source,))
            ]

    def flags(self, source: str) -> list[Raised]:
        """The saved flags of a source, those that were needed least recently first."""
        with self._one:
            rows = self._database.execute(
                "select data from flags where source = ? order by at", (source,)
            ).fetchall()
        return [Raised.decode(row[0]) for row in rows]

    def save(
        self,
        source: str,
        files: Iterable[tuple[str, bytes]],
        gone: Iterable[str],
        flags: Iterable[Raised],
        forgotten: Iterable[tuple[Kind, str]],
    ) -> None:
        """Save what changed of a source: states of files, keys of files that are done with, flags. Raises OSError."""
        database = self._database
        with self._one, _as_oserror(self.folder):
            database.execute("begin immediate")
            try:
                database.executemany(
                    "delete from files where source = ? and key = ?", [(source, key) for key in gone]
                )
                database.executemany(
                    "insert or replace into files values (?, ?, ?)",
                    [(source, key, state) for key, state in files],
                )
                database.executemany(
                    "delete from flags where source = ? and kind = ? and key = ?",
                    [(source, kind.value, key) for kind, key in forgotten],
                )
                database.executemany(
                    "insert or replace into flags values (?, ?, ?, ?, ?)",
                    [(source, flag.kind.value, flag.key, flag.at, flag.encode()) for flag in flags],
                )
                database.execute("commit")
            except BaseException:
                database.execute("rollback")
                raise

    def mark(self, name: str) -> int:
        """A saved number; -1 where there is none."""
        with self._one:
            row = self._database.execute("select value from marks where name = ?", (name,)).fetchone()
        return -1 if row is None else int(row[0])

    def set_marks(self, marks: Iterable[tuple[str, int]]) -> None:
        """Save numbers. Raises OSError."""
        with self._one, _as_oserror(self.folder):
            self._database.executemany("insert or replace into marks values (?, ?)", list(marks))

    def close(self) -> None:
        """Close it, and let others in."""
        self._database.close()
        os.close(self._lock)


@contextmanager
def _as_oserror(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"the checkpoint can't be saved in {folder}: {error}") from None
