"""MISP's warning lists as an allow-list: what is often in feeds and never bad."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import msgspec

from threathunting.intel.allowlist import AllowList
from threathunting.intel.types import IndicatorType

INSTALL = "the warning lists are not installed: pip install 'threathunting[warninglists]'"


class _List(msgspec.Struct):
    name: str
    type: str
    values: list[str] = msgspec.field(name="list")


def available(folder: Path | None = None) -> list[str]:
    """The names of the lists there are, e.g. ``rfc5735``. ``folder`` holds them; by default the extra's.

    Raises ValueError with the way to install them where the extra is missing.
    """
    return sorted(path.parent.name for path in _folder(folder).glob("*/list.json"))


def add_warninglists(allow: AllowList, names: Sequence[str], folder: Path | None = None) -> None:
    """Add MISP's lists of those names (of their folders, or as MISP shows them) to an allow-list.

    As in MISP, a list of host names allows subdomains and a list of strings doesn't. There is no default
    choice: some lists hold what is only popular, or rented to everybody, and would allow real indicators.
    ValueError says which name is no list, which list can't be used (substrings, regular expressions), or that
    the extra is missing.
    """
    root = _folder(folder)
    for name in names:
        found = _read(root, name)
        if found.type not in ("cidr", "hostname", "string"):
            raise ValueError(f"warning list '{name}' is of type {found.type}, which can't be an allow-list")
        for value in found.values:
            try:
                if found.type == "cidr":
                    allow.add(value, IndicatorType.SUBNET)
                elif found.type == "hostname" or value.startswith((".", "*.")):
                    allow.add(value, IndicatorType.DOMAIN)
                else:
                    allow.add_exact(value)
            except ValueError:
                continue  # what has no canonical form can't be armed either


def _folder(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    # Read from its files: importing the package would load all lists at once, half a gigabyte of memory.
    spec = importlib.util.find_spec("pymispwarninglists")
    if spec is None or spec.origin is None:
        raise ValueError(INSTALL)
    return Path(spec.origin).parent / "data" / "misp-warninglists" / "lists"


def _read(root: Path, name: str) -> _List:
    path = root / name / "list.json"
    if "/" not in name and path.is_file():
        return _decoded(path)
    for other in sorted(root.glob("*/list.json")):
        if (found := _decoded(other)).name == name:
            return found
    raise ValueError(f"no warning list '{name}' (there are: {', '.join(available(root))})")


def _decoded(path: Path) -> _List:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_List)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a warning list: {error}") from None
