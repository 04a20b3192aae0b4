"""From lines to messages and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from threathunting.hunt.live import Line
from threathunting.service.config_schema import FilesOutput, KafkaOutput, Output
from threathunting.service.live.outputs import DEFAULT_LIMIT, ROOM, Outputs, fitted

SIGHTING = Line("intel", "C1", "high", "HTTP", b'{"seen.indicator":"x"}')
CAPTURED = Line("http-investigation", "C1", "high", "HTTP", b'{"uid":"C1","threathunting":true}')


def test_sightings_and_investigations_go_to_their_topics_keyed_by_conversation() -> None:
    outputs = Outputs(Output(kafka=KafkaOutput(sightings="s", investigations="i")))
    first, second = outputs.messages([SIGHTING, CAPTURED])
    assert (first.topic, first.key, first.value) == ("s", "C1", SIGHTING.data)
    assert (second.topic, second.headers) == ("i", {"log": "http-investigation", "level": "high"})


def test_a_topic_that_is_off_gets_nothing() -> None:
    outputs = Outputs(Output(kafka=KafkaOutput(sightings=None, investigations="i")))
    assert [out.topic for out in outputs.messages([SIGHTING, CAPTURED])] == ["i"]
    assert outputs.topics == ["i"]
    assert list(Outputs(Output()).messages([SIGHTING])) == []


def test_in_zeeks_form_a_record_tells_its_log_unless_it_does_already() -> None:
    outputs = Outputs(Output(format="zeek", kafka=KafkaOutput()))
    (out,) = outputs.messages([CAPTURED])
    assert json.loads(out.value) == {"uid": "C1", "threathunting": True, "_path": "http-investigation"}
    (out,) = outputs.messages([CAPTURED._replace(data=b'{"_path":"http"}')])
    assert out.value == b'{"_path":"http"}'


def test_lines_go_to_files_named_as_their_logs(tmp_path: Path) -> None:
    outputs = Outputs(Output(files=FilesOutput(folder=str(tmp_path))))
    outputs.append([SIGHTING, CAPTURED, SIGHTING])
    outputs.close()
    assert (tmp_path / "intel.log").read_bytes() == (SIGHTING.data + b"\n") * 2
    assert (tmp_path / "http-investigation.log").read_bytes() == CAPTURED.data + b"\n"


def test_a_record_larger_than_its_topic_takes_loses_its_longest_fields_and_says_so() -> None:
    big = json.dumps(
        {"uid": "C1", "body": "x" * 2_000_000, "uri": "/", "intel": [{"indicator": "a"}]}
    ).encode()
    outputs = Outputs(Output(kafka=KafkaOutput()))
    (out,) = outputs.messages([CAPTURED._replace(data=big)])
    assert json.loads(out.value) == {
        "uid": "C1",
        "uri": "/",
        "intel": [{"indicator": "a"}],
        "threathunting_truncated": ["body"],
    }
    assert outputs.cut == 1
    outputs.know_limits({"investigations": 5_000_000})
    (out,) = outputs.messages([CAPTURED._replace(data=big)])
    assert out.value == big


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=400), max_size=12))
def test_what_is_cut_fits_and_keeps_what_it_can(record: dict[str, Any]) -> None:
    data = json.dumps(record).encode()
    cut = fitted(data, 600)
    left = json.loads(cut)
    assert len(cut) <= 600 or set(left) == {"threathunting_truncated"}
    gone = set(left.pop("threathunting_truncated", []))
    assert left == {name: value for name, value in record.items() if name not in gone}


def test_the_usual_limit_leaves_room_for_what_is_around_a_value() -> None:
    assert DEFAULT_LIMIT - ROOM < 1_048_588


def test_intel_that_leaves_no_room_goes_before_what_was_seen() -> None:
    record = {"uid": "C1", "ts": 1.0, "uri": "/" * 300, "intel": [{"desc": "x" * 5000}]}
    assert json.loads(fitted(json.dumps(record).encode(), 1000)) == {
        "uid": "C1",
        "ts": 1.0,
        "uri": "/" * 300,
        "threathunting_truncated": ["intel"],
    }
