"""Lines of TOML keys, against texts that are built line by line with what is known of each."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.service.config_text import Place, places


def test_tables_dotted_keys_and_arrays() -> None:
    text = """# comment = 1
title = "a = 1 # no comment"

[a.b]
c.d = [1, 2,
  {e = 1, "f g".h = 'x'},  # ] is not the end
]
s = \"\"\"
[not.a.table]
k = 1 \\\"""\"\"\" # after
literal = '''
x = 'y'
''''
when = 1979-05-27 07:32:00
[[f]]
p = 1
[[f]]
[f.sub]
q = {}
[[f.arr]]
z = []
[[f.arr]]
z.y = 1
"""
    assert places(text) == {
        ("title",): 2,
        ("a",): 4,
        ("a", "b"): 4,
        ("a", "b", "c"): 5,
        ("a", "b", "c", "d"): 5,
        ("a", "b", "c", "d", 0): 5,
        ("a", "b", "c", "d", 1): 5,
        ("a", "b", "c", "d", 2): 6,
        ("a", "b", "c", "d", 2, "e"): 6,
        ("a", "b", "c", "d", 2, "f g"): 6,
        ("a", "b", "c", "d", 2, "f g", "h"): 6,
        ("a", "b", "s"): 8,
        ("a", "b", "literal"): 11,
        ("a", "b", "when"): 14,
        ("f",): 15,
        ("f", 0): 15,
        ("f", 0, "p"): 16,
        ("f", 1): 17,
        ("f", 1, "sub"): 18,
        ("f", 1, "sub", "q"): 19,
        ("f", 1, "arr"): 20,
        ("f", 1, "arr", 0): 20,
        ("f", 1, "arr", 0, "z"): 21,
        ("f", 1, "arr", 1): 22,
        ("f", 1, "arr", 1, "z"): 23,
        ("f", 1, "arr", 1, "z", "y"): 23,
    }


def test_windows_lines_and_no_end_of_line() -> None:
    assert places('a = 1\r\n[b]\r\n"c d" = """x\r\ny"""\r\ne = 2') == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c d"): 3,
        ("b", "e"): 5,
    }


def test_a_table_named_first_by_its_child_has_the_childs_line() -> None:
    assert places("[a.b]\nx = 1\n[a]\ny = 1\n")[("a",)] == 1


@pytest.mark.parametrize("text", ["a =", "[a\n", "a = 1\na = 2\n"])
def test_what_is_no_toml(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|end of document"):
        places(text)


STRINGS = st.sampled_from(
    ['""', '"# ] } ,"', "'\\'", '"\\""', "''''''", '"""a "" b"""""', "'''\n[x]\n'''", '"""\n\\"""\n"""']
)
SCALARS = STRINGS | st.sampled_from(
    ["1", "-1_000", "0x1f", "1e3", "nan", "true", "2026-01-01T00:00:00Z", "07:32:00"]
)
KEYS = st.sampled_from(["a", "b-c", "1", '"d e"', "'f.g'", '"h\\"#"', "é".join("''")])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 3)) if depth else 0
    after = draw(st.booleans())
    if kind == 2:
        gap = draw(st.sampled_from(["", " ", "\n", " # ], \n\n"]))
        elements = draw(st.lists(values(depth - 1), max_size=3))
        return f"[{gap}{f'{gap},{gap}'.join(elements)}{',' if elements and after else ''}{gap}]"
    if kind == 3:
        names = draw(st.lists(KEYS, max_size=3, unique=True))
        return "{" + " , ".join(f"{name} = {draw(values(depth - 1))}" for name in names) + "}"
    return draw(SCALARS)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Place, int]]:
    """A text, and the lines of the keys that were laid on lines of their own."""
    text, lines = "", {}

    def name(key: str) -> str:
        return str(next(iter(tomllib.loads(f"{key} = 1"))))

    place: Place = ()
    for table in range(draw(st.integers(0, 4))):
        for key in draw(st.lists(KEYS, max_size=4, unique=True)):
            text += draw(st.sampled_from(["", "\n", "# [x] = '\n", "  "]))
            lines[(*place, name(key))] = text.count("\n") + 1
            text += f"{key}{draw(st.sampled_from(['=', ' = ']))}{draw(values())}{draw(st.sampled_from(['', ' # c']))}\n"
        key = draw(KEYS)
        many = draw(st.booleans())
        place = (f"t{table}", name(key), 0) if many else (f"t{table}", name(key))
        lines[place] = text.count("\n") + 1
        text += f"[[ t{table} . {key} ]]\n" if many else f"[t{table}.{key}] # ]\n"
    return text, lines


def all_places(value: Any, place: Place = ()) -> set[Place]:
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return {place} - {()} | {one for name, child in children for one in all_places(child, (*place, name))}


@given(documents())
def test_every_key_is_found_on_its_line(document: tuple[str, dict[Place, int]]) -> None:
    text, lines = document
    found = places(text)
    assert found.keys() == all_places(tomllib.loads(text))
    assert {place: found[place] for place in lines} == lines
