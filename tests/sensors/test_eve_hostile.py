"""Whatever stands in an event's fields: never an error, and what is right comes out all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sensors import eve_events as eve
from threathunting.plugins import BUILTIN, Registry
from threathunting.sensors.eve import EveConverter

REGISTRY = Registry(BUILTIN)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "%", "%ff", "::1", "1.2.3.4", "=", "<", "9" * 5000, "2026-99-99T00:00:00", "0" * 30]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all fields and elements in an event."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def put(event: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    """A copy of an event with another value in one place."""
    copy: dict[str, Any] = json.loads(json.dumps(event))
    parent: Any = copy
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return copy


def checked(events: list[dict[str, Any]]) -> None:
    """Convert and hunt in what comes out."""
    converter = EveConverter()
    records = [record for event in events for record in converter.convert(event)] + converter.flush()
    for log, record in records:
        assert isinstance(log, str)
        assert all(isinstance(name, str) for name in record)
        assert None not in record.values()
        json.dumps(record)
        list(REGISTRY.log(log).observables(record))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_in_any_place(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(eve.ALL))
    places_of = [path for path in places(event) if path != ("event_type",)]
    changed = put(event, data.draw(st.sampled_from(places_of)), data.draw(values))
    checked([changed, event, changed])


@pytest.mark.parametrize(
    "hostile",
    [None, True, -1, 2**70, 1.5, float("nan"), "", "\x00", "9" * 5000, ["9" * 5000], [], {}, [{}], [[]]],
)
@pytest.mark.parametrize("event", eve.ALL, ids=lambda event: event["event_type"])
def test_every_place_once(event: dict[str, Any], hostile: object) -> None:
    for path in places(event):
        checked([put(event, path, hostile)])


@given(st.dictionaries(st.sampled_from(sorted(eve.BASE)), values), st.sampled_from(eve.ALL))
def test_fields_that_are_missing_or_wrong_at_once(fields: dict[str, Any], event: dict[str, Any]) -> None:
    kind = event["event_type"]
    checked([fields | {"event_type": kind}, fields | {"event_type": kind, kind: fields}])


@pytest.mark.parametrize("event", eve.ALL, ids=lambda event: event["event_type"])
def test_an_event_without_anything_else(event: dict[str, Any]) -> None:
    checked([{"event_type": event["event_type"]}])
