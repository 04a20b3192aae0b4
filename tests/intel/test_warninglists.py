"""MISP's warning lists as an allow-list."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from threathunting.intel.allowlist import AllowList
from threathunting.intel.types import Indicator, IndicatorType
from threathunting.intel.warninglists import add_warninglists, available

LISTS = {
    "rfc5735": ("cidr", "Special addresses", ["10.0.0.0/8", "127.0.0.1", "FE80::/10", "nonsense"]),
    "good-hosts": ("hostname", "Good hosts", ["example.com", ".example.net", "a..b"]),
    "strings": ("string", "Strings", ["example.org", ".example.co", "*.example.info", "d" * 32]),
    "patterns": ("regex", "Patterns", ["/x/"]),
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for folder, (type, name, values) in LISTS.items():
        (tmp_path / folder).mkdir()
        content = {"name": name, "type": type, "list": values, "description": "", "version": 1}
        (tmp_path / folder / "list.json").write_text(json.dumps(content))
    return tmp_path


def refuses(allow: AllowList, type: str, value: str) -> bool:
    return allow.refuses(Indicator(IndicatorType(type), value)) is not None


def test_available(lists: Path) -> None:
    assert available(lists) == ["good-hosts", "patterns", "rfc5735", "strings"]


def test_each_kind_of_list(lists: Path) -> None:
    allow = AllowList()
    add_warninglists(allow, ["rfc5735", "Good hosts", "strings"], lists)
    for type, value in [
        ("addr", "10.1.2.3"), ("addr", "127.0.0.1"), ("addr", "fe80::1"), ("subnet", "10.0.0.0/8"),
        ("domain", "example.com"), ("domain", "www.example.com"), ("domain", "www.example.net"),
        ("domain", "example.org"), ("domain", "www.example.co"), ("domain", "www.example.info"), ("file_hash", "d" * 32),
    ]:  # fmt: skip
        assert refuses(allow, type, value), value
    for type, value in [("domain", "www.example.org"), ("addr", "127.0.0.2"), ("domain", "com")]:
        assert not refuses(allow, type, value), value


def test_only_what_was_asked_for(lists: Path) -> None:
    allow = AllowList()
    add_warninglists(allow, ["strings"], lists)
    assert not refuses(allow, "addr", "10.1.2.3")


def test_lists_that_cannot_be_used(lists: Path) -> None:
    with pytest.raises(ValueError, match="'patterns' is of type regex"):
        add_warninglists(AllowList(), ["patterns"], lists)
    with pytest.raises(ValueError, match=r"no warning list '\.\./x' \(there are: good-hosts"):
        add_warninglists(AllowList(), ["../x"], lists)
    (lists / "patterns" / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="not a warning list"):
        add_warninglists(AllowList(), ["patterns"], lists)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'threathunting\[warninglists\]'"):
        available()


def test_the_lists_of_the_extra() -> None:
    pytest.importorskip("pymispwarninglists", reason="the extra [warninglists] is not installed")
    assert "rfc5735" in available()
    allow = AllowList()
    add_warninglists(allow, ["rfc5735", "empty-hashes"])
    assert refuses(allow, "addr", "10.1.2.3")
    assert refuses(allow, "file_hash", "d41d8cd98f00b204e9800998ecf8427e")
