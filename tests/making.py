"""What tests of a hunt are made of: intel, logs, and running it in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from threathunting.hunt.engine import Hunt, Outcome, Settings
from threathunting.intel.canonical import indicator
from threathunting.intel.store import Store
from threathunting.intel.types import IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.sensors.discover import discover
from threathunting.sinks.jsonl import Folder

from .quiet import Quiet

ENDS = {"id.orig_h": "10.0.0.1", "id.orig_p": 50000, "id.resp_h": "192.0.2.1", "id.resp_p": 80}


def armed(*items: tuple[str, str] | tuple[str, str, Item]) -> Store:
    store = Store()
    for type, value, *item in items:
        store.add(indicator(IndicatorType(type), value), item[0] if item else Item("test", level="high"))
    return store


def write_log(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def hunt(
    logs: Path,
    store: Store,
    out: Path,
    modules: list[str] | None = None,
    unit_bytes: int = 1 << 25,
    **settings: Any,
) -> Outcome:
    registry = Registry(BUILTIN, modules)
    inputs = discover([str(logs)], registry.logs.keys(), unit_bytes)
    assert inputs.errors == []
    return Hunt(store, registry, Settings(**settings), Folder(out), Quiet(), out).run(inputs.units)
