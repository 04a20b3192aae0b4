"""Sorted tables on disk against a dictionary, also where transactions fail."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threathunting.intel import disk_tables
from threathunting.intel.disk_tables import Database, Table

keys = st.tuples(
    st.integers(1, 3), st.sampled_from([b"", b"\n", *(b"%c" % letter for letter in b"abcdefghijklmn")])
).map(lambda parts: bytes([parts[0]]) + parts[1])
batches = st.lists(
    st.tuples(
        st.dictionaries(keys, st.none() | st.integers(0, 9), max_size=12),
        st.booleans(),
    ),
    max_size=12,
)


class UndoneError(Exception):
    pass


@settings(max_examples=100, deadline=None)
@given(batches)
def test_rows_are_the_last_that_were_written(written: list[tuple[dict[bytes, int | None], bool]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(disk_tables, "_SMALL", 8),
        patch.object(disk_tables, "_MOVED", 3),
        patch.object(disk_tables, "_READ", 4),
        patch.object(disk_tables, "_AT_ONCE", 3),
    ):
        database = Database(Path(folder, "t.db"))
        table = Table(database, "t", ("number", "other"))
        expected: dict[bytes, int] = {}
        for batch, fails in written:
            rows = [(key, value, "x") for key, value in batch.items() if value is not None]
            gone = [key for key, value in batch.items() if value is None]
            try:
                with database.transaction():
                    table.write(rows, gone)
                    if fails:
                        raise UndoneError  # noqa: TRY301 (what undoes it comes from inside)
            except UndoneError:
                table.undone()
            else:
                for key in gone:
                    expected.pop(key, None)
                expected.update((key, value) for key, value, _ in rows)
            assert {key: table.get(key) for key in batch} == {
                key: (key, expected[key], "x") if key in expected else None for key in batch
            }
        found = []
        after = b""
        while rows := table.rows(after, b"\xff"):
            assert len(rows) <= 4
            found += rows
            after = rows[-1][0]
        assert found == [(key, value, "x") for key, value in sorted(expected.items())]
        assert sorted(texts_of(table)) == sorted(key[1:].decode("latin-1") for key in expected)
        small = database.one("select count(*) from t_small", ())
        assert small is not None
        assert small[0] <= 8
        database.close()


def texts_of(table: Table) -> list[str]:
    """All keys, a first byte after the other."""
    found = []
    for mark in range(1, 4):
        after, before = bytes([mark - 1]) + b"\xff", bytes([mark + 1])
        while True:
            after, texts = table.texts(after, before, 1, fold=False)
            if not after:
                break
            assert len(texts) <= 8
            found += texts
    return found


def test_keys_come_as_text_in_lower_case_where_it_is_asked_for(tmp_path: Path) -> None:
    database = Database(tmp_path / "t.db")
    table = Table(database, "t")
    with database.transaction():
        table.write([(b"\x01B",), (b"\x01a\n",), ("\x01\u00c4".encode(),), (b"\x02z",)], [])
    last, texts = table.texts(b"\x01", b"\x02", 1, fold=True)
    assert (last, sorted(texts)) == ("\x01\u00c4".encode(), ["a\n", "b", "\u00c4"])
    assert table.texts(last, b"\x02", 1, fold=True) == (b"", [])
    assert table.texts(b"\x02", b"\x03", 1, fold=False) == (b"\x02z", ["z"])
    database.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    database = Database(path)
    table = Table(database, "t", ("text",))
    with database.transaction():
        table.write([(b"%06d" % number, "x" * 1_000) for number in range(2_000)], [])
    database.run("pragma shrink_memory")
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(OSError, match=r"t\.db can't be used: "):
        for number in range(2_000):
            table.get(b"%06d" % number)
    database.close()


@pytest.mark.parametrize("mark", [b"\x01", b"\n"])
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("odd", [None, "two\nlines", "\xc4\xff", "\ud800"])
def test_texts_of_both_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: bytes, fold: bool, odd: str | None
) -> None:
    monkeypatch.setattr(disk_tables, "_LEFT", 0)
    monkeypatch.setattr(disk_tables, "_READ", 4)
    database = Database(tmp_path / "t.db")
    table = Table(database, "t")
    there = {"a", "B", "c", "d", "e", "F", "g", "h", "i", "j"} | ({odd} if odd else set())
    with database.transaction():
        table.write([(mark + text.encode("utf-8", "surrogatepass"),) for text in there], [])
        table.write([(bytes([mark[0] + 1]) + b"other",)], [])
        while table.settle():
            pass
        # Of one form, which says nothing of the other.
        table.write([(mark + b"A",), (mark + b"k",)], [mark + b"C", mark + b"d", mark + b"F"])
    there = (there - {"d", "F"}) | {"A", "k"}
    found: list[str] = []
    after, before = mark, bytes([mark[0] + 1])
    while True:
        after, texts = table.texts(after, before, 1, fold)
        if not after:
            break
        found += texts
    wanted = [
        text.encode("utf-8", "surrogatepass").lower() if fold else text.encode("utf-8", "surrogatepass")
        for text in there
    ]
    assert sorted(text.encode("utf-8", "surrogatepass") for text in found) == sorted(wanted)
    database.close()
