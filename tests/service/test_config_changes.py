"""What differs between two configurations."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from threathunting.kafka.connection import Connection
from threathunting.service.config_changes import Changes, differences
from threathunting.service.config_schema import Config, FilesOutput, Follow, KafkaOutput

CONFIG = Config(kafka=Connection(brokers=["k"]), follow=(Follow(path=("a",)), Follow(path=("b",))))


def test_the_same_has_no_differences() -> None:
    assert differences(CONFIG, replace(CONFIG)) == Changes()
    assert not differences(CONFIG, CONFIG)


@pytest.mark.parametrize(
    ("new", "live", "restart"),
    [
        (replace(CONFIG, hunt=replace(CONFIG.hunt, modules=("DNS",), look_behind=1.0)), ["hunt.modules"], ["hunt.look_behind"]),
        (replace(CONFIG, intel=replace(CONFIG.intel, levels={"x": "high"}, allow=("a",))), ["intel.allow", "intel.levels"], []),
        (replace(CONFIG, intel=replace(CONFIG.intel, topic=None, files=("a",))), ["intel.files"], ["intel.topic"]),
        (replace(CONFIG, output=replace(CONFIG.output, kafka=KafkaOutput())), ["output.kafka"], []),
        (replace(CONFIG, output=replace(CONFIG.output, files=FilesOutput(folder="x"), format="zeek")), ["output.format", "output.files"], []),
        (replace(CONFIG, log=replace(CONFIG.log, level="debug")), ["log.level"], []),
        (replace(CONFIG, follow=CONFIG.follow[:1]), [], ["follow"]),
        (replace(CONFIG, kafka=Connection(brokers=["k"], sasl="PLAIN", username="u", password="p")), [], ["kafka.sasl", "kafka.username", "kafka.password"]),
        (replace(CONFIG, kafka=None), [], ["kafka"]),
    ],
)  # fmt: skip
def test_keys_that_differ(new: Config, live: list[str], restart: list[str]) -> None:
    changes = differences(CONFIG, new)
    assert (list(changes.live), list(changes.restart)) == (live, restart)
    assert changes
    assert "p'" not in repr(changes)


def test_touches_a_key_or_anything_below_it() -> None:
    changes = Changes(live=("output.kafka.sightings",), restart=("hunt.scope",))
    assert changes.touches("output.kafka")
    assert changes.touches("hunt.scope")
    assert not changes.touches("output.files")
    assert not changes.touches("output.kafka.sight")
