from __future__ import annotations

import pytest

from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, OTHER, Log, Plugin, Registry, Seen, strings


def test_modules_are_switched_by_name_in_any_case() -> None:
    registry = Registry(BUILTIN, ["http", " DNS "])
    assert registry.enabled("http")
    assert registry.enabled("dns")
    assert not registry.enabled("conn")
    assert not registry.enabled("weird")
    assert Registry(BUILTIN).enabled("weird")
    assert Registry(BUILTIN, [OTHER]).enabled("weird")


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ValueError, match="unknown module FOO"):
        Registry(BUILTIN, ["foo", "http"])


def test_a_later_plugin_takes_a_log_over() -> None:
    own = Plugin("OWN", (Log("http"),))
    registry = Registry([*BUILTIN, own], ["OWN"])
    assert registry.log("http") is own.logs[0]
    assert registry.enabled("http")


def test_an_unknown_log_is_captured_and_never_matched() -> None:
    log = Registry(BUILTIN).log("weird")
    assert log.seen == ()
    assert log.uids == ("uid",)


def test_one_field_without_values() -> None:
    with pytest.raises(ValueError, match="names one field, not 2"):
        Seen("A::IN_B", IndicatorType.ADDR, ("a", "b"))


def test_strings() -> None:
    assert strings("a") == ("a",)
    assert strings(["a", None, 1, "b", ["c"]]) == ("a", "b")
    assert strings(None) == strings(5) == strings({"a": "b"}) == ()
