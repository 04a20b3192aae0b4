"""A user's plugin comes by entry point, as docs/plugins.md tells."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, ENTRY_POINTS, Registry, ecs, installed

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own-plugin"

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a package known as pip does: a dist-info folder that names its entry points."""

    def make(name: str, value: str) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{name} = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.syspath_prepend(str(EXAMPLE))

    monkeypatch.delitem(sys.modules, "threathunting_mqtt", raising=False)
    return make


def test_the_example_is_found_and_hunts(install: Install, shared: Callable[[str], Path]) -> None:
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"][ENTRY_POINTS]
    for name, value in points.items():
        install(name, value)
    (plugin,) = installed()
    registry = Registry([*BUILTIN, plugin], ["mqtt"])
    assert registry.enabled("mqtt_publish")
    assert not registry.enabled("http")

    log = registry.log("mqtt_publish")
    record = {"topic": "bots", "payload": '{"get": "http://evil.example:8080/x.bin"}'}
    assert {(type_, value) for type_, value, _ in log.observables(record)} == {
        (IndicatorType.URL, "evil.example:8080/x.bin"),
        (IndicatorType.DOMAIN, "evil.example"),
    }
    assert ecs.normalize(log, record)["zeek.mqtt_publish.topic"] == "bots"

    for line in (shared("fidelity") / "logs" / "mqtt_connect.log").read_bytes().splitlines():
        real = json.loads(line)
        found = {value for type_, value, _ in registry.log("mqtt_connect").observables(real)}
        assert found == ({real["client_id"].lower()} if "client_id" in real else set())


def test_a_broken_plugin_is_named(install: Install) -> None:
    install("broken", "no_such_module:PLUGIN")
    with pytest.raises(ValueError, match=r"plugin 'broken' \(no_such_module:PLUGIN\) can't be loaded"):
        installed()


def test_what_is_no_plugin_is_named(install: Install) -> None:
    install("odd", "threathunting_mqtt:urls")
    with pytest.raises(
        ValueError, match=r"plugin 'odd' \(threathunting_mqtt:urls\) is a function, not a Plugin"
    ):
        installed()
