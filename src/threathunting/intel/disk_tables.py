"""Sorted tables in an SQLite file that is thrown away at the end: fast to fill in any order, in bounded memory.

A B-tree that is much larger than its cache is slow to fill in random order: each row reads and writes a page of its
own. So a table has two trees. Rows go to a small one, which the cache holds; range by range they are moved to the
large one, where then each page that is touched takes several rows.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threathunting.intel.canonical import lower

_CACHE_KIB = 64_000
"""Memory for pages of the file."""

_SMALL = 500_000
"""Rows of the small tree, from which on they are moved."""

_MOVED = 1_000
"""Rows that are moved in one step."""

_LEFT = 20_000
"""Rows of the small tree that aren't moved even where there is time for it."""

_AT_ONCE = 100
"""Rows of one statement. Each statement lets other threads run, and may have to wait for them after it."""

_READ = 5_000
"""Rows that are read in one statement."""

_BETWEEN = b"\xff"
"""Between keys that are joined: no byte of UTF-8, and none that a key begins with."""

_LEFTOVERS = ("", "-journal", "-wal", "-shm")

Row = tuple[Any, ...]


class Database:
    """An SQLite file made anew, for this process alone. Any thread may use it.

    It isn't synced: what is in it comes from elsewhere at every start. Every problem is an OSError in one sentence.
    """

    def __init__(self, path: Path) -> None:
        """Make it, in place of what an earlier process left. The folder must be there."""
        self.path = path
        self.lock = threading.RLock()
        """Held during each statement and transaction."""
        try:
            self._unlink()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            # The journal is what a failed transaction is undone with; in memory, as nothing outlives the process.
            for pragma in (
                "page_size = 4096",
                f"cache_size = -{_CACHE_KIB}",
                "locking_mode = exclusive",
                "journal_mode = memory",
                "synchronous = off",
                "temp_store = memory",
                "mmap_size = 0",
            ):
                self._connection.execute(f"pragma {pragma}")
        except (sqlite3.Error, OSError) as error:
            raise self.problem(error) from None

    def problem(self, error: Exception) -> OSError:
        """An error as one sentence."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return OSError(f"the intel store {self.path} can't be used: {reason.lower()}")

    def one(self, sql: str, values: Sequence[object]) -> Row | None:
        """The first row of a query."""
        try:
            with self.lock:
                found: Row | None = self._connection.execute(sql, values).fetchone()
                return found
        except sqlite3.Error as error:
            raise self.problem(error) from None

    def all(self, sql: str, values: Sequence[object]) -> list[Row]:
        """All rows of a query."""
        try:
            with self.lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self.problem(error) from None

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Do what a statement says; how many rows it changed."""
        try:
            with self.lock:
                return self._connection.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self.problem(error) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is done, or, where it raises, nothing."""
        with self.lock:
            self.run("begin")
            try:
                yield
                self.run("commit")
            except BaseException:
                # Where the disk was full, SQLite may have undone it by itself.
                if self._connection.in_transaction:
                    self.run("rollback")
                raise

    def close(self) -> None:
        """Close and delete it."""
        try:
            with self.lock:
                self._connection.close()
            self._unlink()
        except (sqlite3.Error, OSError) as error:
            raise self.problem(error) from None

    def _unlink(self) -> None:
        for end in _LEFTOVERS:
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


class Table:
    """Rows by key (bytes), read in the order of keys, a key's last row only."""

    def __init__(self, database: Database, name: str, columns: Sequence[str] = ()) -> None:
        """Make it. A row is its key and a value for each of ``columns``."""
        self._database = database
        names = ", ".join(("key", *columns))
        small, large = f"{name}_small", f"{name}_large"
        rest = "".join(f", {column}" for column in columns)
        database.run(f"create table {small} (key blob primary key, gone integer{rest}) without rowid")
        database.run(f"create table {large} (key blob primary key{rest}) without rowid")
        marks = f"({', '.join('?' * (len(columns) + 2))})"
        # The small tree overrules the large one, also where it says that a row is gone.
        live = (
            f"select {names} from {small} where key > ?1 and key < ?2 and not gone union all "
            f"select {names} from {large} large where key > ?1 and key < ?2 "
            f"and not exists (select 1 from {small} small where small.key = large.key) order by key limit {_READ}"
        )
        moved = f"from {small} where key > ?1 and key <= ?2"
        self._put = f"insert or replace into {small} (key, gone{rest}) values {marks}"
        self._put_many = self._put + f", {marks}" * (_AT_ONCE - 1)
        self._get = (
            f"select gone, {names} from {small} where key = ?1 union all "
            f"select 0, {names} from {large} where key = ?1"
        )
        self._rows = live
        # One row of all: stepping from row to row, SQLite would let other threads run at each.
        self._joined = (
            "select cast(group_concat(key, x'ff') as blob) from "
            f"(select key from {large} where key > ?1 and key < ?2 order by key limit {_READ})"
        )
        self._changed = f"select key, gone from {small} where key > ? and key < ? order by key limit {_READ}"
        self._next = f"select key from {small} where key > ? order by key limit 1 offset {_MOVED - 1}"
        self._move = f"insert or replace into {large} ({names}) select {names} {moved} and not gone"
        self._drop = f"delete from {large} where key in (select key {moved} and gone)"
        self._clear = f"delete {moved}"
        self._count = f"select count(*) from {small}"
        self._width = len(columns) + 2
        self._empty = (None,) * len(columns)
        self._small = 0
        """Rows of the small tree, or a few more."""
        self._position = b""

    def get(self, key: bytes) -> Row | None:
        """A row; None where there is none."""
        row = self._database.one(self._get, (key,))
        return None if row is None or row[0] else row[1:]

    def write(self, rows: Sequence[Row], gone: Sequence[bytes]) -> None:
        """Put rows in, each in place of the one with its key, and take out those with the keys ``gone``.

        To be called in a transaction; where that is undone, call ``undone``.
        """
        changes = [(row[0], 0, *row[1:]) for row in rows]
        changes += [(key, 1, *self._empty) for key in gone]
        changes.sort(key=_key)
        whole = len(changes) - len(changes) % _AT_ONCE
        for begin in range(0, whole, _AT_ONCE):
            part = changes[begin : begin + _AT_ONCE]
            self._database.run(self._put_many, [value for change in part for value in change])
        for change in changes[whole:]:
            self._database.run(self._put, change)
        self._small += len(changes)
        while self._small > _SMALL:
            self._settle()

    def settle(self) -> bool:
        """Go a step on with making reading faster, if it's worth one, and say so. In a transaction, as ``write``."""
        if self._small <= _LEFT:
            return False
        self._settle()
        return True

    def undone(self) -> None:
        """The transaction of the last ``write`` was undone."""
        self._small = self._counted()

    def rows(self, after: bytes, before: bytes) -> list[Row]:
        """The first rows, some thousands, with keys after and before the given ones, in order."""
        return self._database.all(self._rows, (after, before))

    def texts(self, after: bytes, before: bytes, skip: int, fold: bool) -> tuple[bytes, list[str]]:
        """The next keys only, as text, in no order, and the last of them: empty where none are left.

        Each is UTF-8 but for its first ``skip`` bytes, which are the same for all and left out. With ``fold``, A to Z
        are lower-cased. There may be a last one and no text, where the rows are gone that were read.
        """
        # Each tree by itself: to merge them, SQLite takes twice as long.
        with self._database.lock:
            joined = self._large(after, before)
            last = _last(joined)
            changed = self._database.all(self._changed, (after, last + b"\0" if last else before))
            if len(changed) == _READ:
                # There may be more changes than were read, so of the large tree no more than up to the last.
                last = bytes(changed[-1][0])
                joined = self._large(after, last + b"\0")
        # A change of one form says nothing of the others that have its lower case.
        late = fold and any(key != key.lower() for key, _ in changed)
        found = _texts(joined, skip, fold and not late) if joined else []
        if changed:
            last = last or bytes(changed[-1][0])
            overruled = {_text(key[skip:]) for key, _ in changed}
            if not overruled.isdisjoint(found):
                found = [text for text in found if text not in overruled]
            found += [_text(key[skip:]) for key, gone in changed if not gone]
        return last, [lower(text) for text in found] if late else found

    def _large(self, after: bytes, before: bytes) -> bytes:
        """The next keys of the large tree, with a byte between that no text has."""
        row = self._database.one(self._joined, (after, before))
        return b"" if row is None or row[0] is None else bytes(row[0])

    def _settle(self) -> None:
        """Move the next range of rows from the small tree to the large one."""
        row = self._database.one(self._next, (self._position,))
        end = b"\xff" if row is None else row[0]
        between = (self._position, end)
        self._database.run(self._drop, between)
        self._database.run(self._move, between)
        self._small -= self._database.run(self._clear, between)
        self._position = end
        if row is None:
            self._position = b""
            self._small = self._counted()

    def _counted(self) -> int:
        row = self._database.one(self._count, ())
        return 0 if row is None else int(row[0])


def _key(change: Row) -> bytes:
    key: bytes = change[0]
    return key


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _last(joined: bytes) -> bytes:
    return joined[joined.rfind(_BETWEEN) + 1 :]


def _texts(joined: bytes, skip: int, fold: bool) -> list[str]:
    """Keys that are joined, as text, without what all begin with."""
    rest = joined[skip:].replace(_BETWEEN + joined[:skip], _BETWEEN)
    if fold:
        rest = rest.lower()
    if b"\n" in rest:
        return [_text(key) for key in rest.split(_BETWEEN)]
    return _text(rest.replace(_BETWEEN, b"\n")).split("\n")
