"""The shipped example: every key is in it, with its default, and it loads, with all keys behind '#' too."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from threathunting.service.config import load
from threathunting.service.config_schema import Config
from threathunting.service.config_text import Place, places

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "threathunting.toml"
ENVIRON = {"THREATHUNTING_KEY_PASSWORD": "k", "THREATHUNTING_KAFKA_PASSWORD": "p"}
FILES = (
    "tls/ca.pem",
    "tls/client.pem",
    "tls/client.key",
    "secrets/key-password",
    "secrets/kafka-password",
    "intel/feed.txt",
    "allowlist.txt",
)


def uncommented(text: str, without: str = "(?!)") -> str:
    lines = [re.sub(r"^#(?=\S)", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if not re.match(without, line)) + "\n"


def struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or holds."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if get_origin(hint) in (Annotated, Union, types.UnionType, tuple):
        return next((found for one in get_args(hint) if (found := struct_in(one)) is not None), None)
    return None


def keys(kind: type[msgspec.Struct], place: Place = ()) -> Iterator[tuple[Place, msgspec.structs.FieldInfo]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        here = (*place, field.encode_name)
        yield here, field
        if (inner := struct_in(hints[field.name])) is not None:
            yield from keys(inner, here)


def without_numbers(place: Place) -> Place:
    return tuple(name for name in place if isinstance(name, str))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x\n")
    return tmp_path


def test_the_example_loads_as_it_is(folder: Path) -> None:
    path = folder / "threathunting.toml"
    path.write_text(EXAMPLE.read_text())
    config = load(path, {})
    assert config.kafka is not None
    assert config.follow


def test_every_key_is_in_the_example() -> None:
    there = {without_numbers(place) for place in places(uncommented(EXAMPLE.read_text()))}
    assert [place for place, _ in keys(Config) if place not in there] == []
    assert len(list(keys(Config))) > 50


@pytest.mark.parametrize("alternative", [r"(key_)?password =", r"(key_)?password_file ="])
def test_the_example_loads_with_every_key(alternative: str, folder: Path) -> None:
    text = (
        uncommented(EXAMPLE.read_text(), alternative)
        .replace("#tls", "tls")
        .replace("tls = false", "tls = true")
    )
    path = folder / "threathunting.toml"
    path.write_text(text)
    config = load(path, ENVIRON)
    assert config.consume is not None
    assert config.output.files is not None
    assert config.secrets() == (("x", "x") if "_file" not in alternative else ("p", "k"))


def test_what_the_example_calls_defaults_are_the_defaults(folder: Path) -> None:
    """A key behind '#' shows its default, but where the comment above it says 'Default:'."""
    text = EXAMPLE.read_text()
    shown = tomllib.loads(uncommented(text))
    said = {}
    comment, block = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# "):
            comment = comment + line if block else line
        block = line.startswith("# ")
        said[number] = comment
    lines = {without_numbers(place): line for place, line in places(uncommented(text)).items()}
    path = folder / "threathunting.toml"
    path.write_text(
        uncommented(text, r"(key_)?password(_file)? =|sasl|username|password|certificate|key |ca ")
    )
    loaded = load(path, ENVIRON)
    compared = []
    for place, field in keys(Config):
        value: Any = shown
        result: Any = loaded
        for name in place:
            value = value[0] if isinstance(value, list) else value
            result = result[0] if isinstance(result, tuple) else result
            value, result = value[name], getattr(result, str(name))
        if isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict)):
            continue
        if "Default:" in said[lines[place]] or field.required:
            continue
        assert result == field.default, place
        compared.append(place)
    assert len(compared) > 25


def test_every_key_is_explained() -> None:
    """Above every key stands a comment of its own, or above the key before it, for both."""
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?[a-z_]+ = ", line):
            assert re.match(r"# |#?[a-z_]+ = ", lines[number - 1]), line


def test_the_configurations_in_the_docs_load(folder: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "configuration.md").read_text()
    blocks = [
        re.sub(r"^ {4}", "", block, flags=re.M)
        for block in re.findall(r"\n\n((?: {4}\[.*\n)(?:(?: {4}.*)?\n)*)", page)
    ]
    assert len(blocks) == 2
    for block in blocks:
        (folder / "c.toml").write_text(block)
        assert load(folder / "c.toml", {}).follow
