"""The story, scene by scene: from an IoC that a SOAR pushes to the evidence that a SIEM gets, all through Kafka."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from threathunting.kafka.connection import Connection
from threathunting.kafka.mock import EmbeddedBroker
from threathunting.kafka.tail import Tail
from threathunting.service.demo.files import ALLOW, INTEL, example
from threathunting.service.demo.found import INVESTIGATIONS, SIGHTINGS, Found, between, clock, shown
from threathunting.service.demo.processes import Commands, Service, free_port
from threathunting.service.demo.screen import Screen
from threathunting.service.demo.traffic import Traffic, traffic
from threathunting.service.status import Status

TOPICS = {
    "intelligence": 1,
    "intelligence.rejected": 1,
    "sightings": 2,
    "investigations": 2,
    "sensors": 1,
}
CONFIG = "threathunting.toml"
FEED = "soar.jsonl"
SENSOR = "sensor"

SPEED = 4.0
"""How much faster than it happened the traffic is shown."""

EXPIRE = 300
"""Seconds for which an item holds at first, as its message says."""

SHORTENED = 3
"""Seconds for which it holds once its source has told it anew."""

EXPIRING, WITHDRAWN = "sync.telemetry-node.test", "updates-cdn.test"
"""Domains of the example, told by SOAR and by MISP."""

QUIET = 0.6
"""Seconds without results after which no more are waited for."""

_COLUMNS = ("time", "level", "indicator", "source", "seen in", "conversation")
_WIDTHS = (12, 8, 31, 10, 26, 42)


class Story:
    """Plays the story once. ``wrong`` says what did not go as it should; nothing where all is well."""

    def __init__(self, screen: Screen, sensor: str | None = None) -> None:
        """``sensor``: ``zeek``, ``suricata``, ``recorded``, or None for the first that there is."""
        self._screen = screen
        self._sensor = sensor
        self.wrong: list[str] = []

    def play(self) -> None:
        """All of it. Raises OSError or ValueError, with a sentence, where it can't go on."""
        with ExitStack() as stack:
            began = time.monotonic()
            self._folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="threathunting-demo-"))
            )
            self._traffic = self._read_capture()
            self._address = stack.enter_context(EmbeddedBroker(TOPICS))
            self._commands = Commands(self._folder)
            self._configure()
            self._service = Service(self._folder / CONFIG)
            stack.callback(self._service.close)
            self._start()
            self._push()
            tail = Tail(Connection(brokers=[self._address]), (SIGHTINGS, INVESTIGATIONS))
            stack.callback(tail.close)
            self._tail = tail
            self._screen.scene("Traffic: an intrusion among an office's daily work")
            first = self._hunt(1, self._show_sighting)
            self._evidence(first)
            self._withdraw()
            second = self._hunt(2)
            self._compare(first, second)
            self._end(first, second, began)
        self._screen.note("The broker and the demo's folder are gone.")

    # Scenes

    def _read_capture(self) -> Traffic:
        work = self._folder / "capture"
        work.mkdir()
        return traffic(self._sensor, work)

    def _configure(self) -> None:
        (self._folder / SENSOR).mkdir()
        shutil.copy(example(ALLOW), self._folder)
        lines = [
            "[kafka]",
            f'brokers = ["{self._address}"]',
            "[intel]",
            f'allow = ["{ALLOW}"]',
            "[[follow]]",
            f'path = "{SENSOR}"',
            "[service]",
            'name = "demo"',
            'state = "state"',
            "[http]",
            f'listen = "127.0.0.1:{free_port()}"',
        ]
        (self._folder / CONFIG).write_text("\n".join(lines) + "\n")

    def _start(self) -> None:
        screen = self._screen
        screen.scene("A Kafka broker, and the service")
        screen.note(
            f"librdkafka's mock of a broker runs in this process, at {self._address}. It keeps nothing."
        )
        screen.command(f"cat {CONFIG}")
        screen.said((self._folder / CONFIG).read_text().splitlines())
        screen.command(f"threathunting run -c {CONFIG} &")
        self._service.start()
        self._service.wait(lambda status: status.ready, "ready")
        screen.said(self._service.said())

    def _push(self) -> None:
        screen = self._screen
        screen.scene("SOAR and MISP push their IoCs to Kafka")
        lines = example(INTEL).read_bytes().splitlines()
        told = [_expiring(line) if EXPIRING.encode() in line else line for line in lines]
        (self._folder / FEED).write_bytes(b"\n".join(told) + b"\n")
        screen.command(f"grep {EXPIRING} {FEED}")
        screen.said([line.decode() for line in told if EXPIRING.encode() in line])
        self._type("intel", "push", FEED, "-c", CONFIG)
        armed = self._service.wait(lambda status: status.indicators == len(told) - 2, "armed")
        self._type("status", "-c", CONFIG, until="input")
        screen.said(self._service.said())
        self._pushed, self._armed = len(told), armed.indicators

    def _hunt(self, number: int, first: Callable[[str, dict[str, Any]], None] | None = None) -> Found:
        """Play the traffic, and take in what comes out of Kafka."""
        screen, played = self._screen, self._traffic
        if number == 1:
            screen.note(
                f"{played.told}. Its {len(played.entries)} lines of {played.seconds:.0f} seconds are written to "
                f"{SENSOR}/ now, {SPEED:.0f} times as fast. What this would show of topic sightings:"
            )
            screen.command(f"kcat -b {self._address} -t sightings -C")
            screen.row(_COLUMNS, _WIDTHS)
        found = Found(played.written) if first is None else Found(played.written, first)
        stop = threading.Event()
        writer = threading.Thread(target=played.play, args=(self._folder / SENSOR, SPEED, number, stop))
        writer.start()
        try:
            while writer.is_alive():
                found.add(self._tail.poll(0.1))
            self._service.wait(_nothing_left, "done with the traffic")
            while messages := self._tail.poll(QUIET):
                found.add(messages)
        finally:
            stop.set()
            writer.join()
        return found

    def _show_sighting(self, name: str, sighting: dict[str, Any]) -> None:
        level = sighting["level"]
        cells = [clock(sighting["ts"]), level, name, ", ".join(sighting["sources"]), sighting["seen.where"]]
        self._screen.row([*cells, between(sighting)], _WIDTHS, level)

    def _evidence(self, found: Found) -> None:
        screen = self._screen
        screen.note(
            f"That was the first sighting of each indicator, of {found.sightings} sightings in all. "
            f"{len(found.records)} records of these conversations were captured with them."
        )
        if found.delays:
            screen.note(
                f"From the sensor's line to the sighting out of Kafka: {median(found.delays) * 1000:.0f} ms (median)."
            )
        screen.scene("The evidence: a whole conversation, with the intel on every record")
        records = found.conversation()
        if not records:
            self.wrong.append("nothing was captured")
            return
        uid = records[0]["trace.id"]
        screen.command(f"kcat -b {self._address} -t investigations -C | grep {uid}")
        rows = [
            (
                clock(record["@timestamp"]),
                record["event.dataset"],
                _few({one["indicator"]["name"]: None for one in record["threat.enrichments"]}),
            )
            for record in records
        ]
        screen.table(("time", "event.dataset", "why"), rows)
        screen.note("One of them in ECS, in part:")
        screen.said(shown(max(records, key=lambda record: len(shown(record)))))

    def _withdraw(self) -> None:
        screen = self._screen
        screen.scene("An IoC is withdrawn, another one expires")
        self._type("intel", "remove", WITHDRAWN, "--source", "MISP", "-c", CONFIG)
        self._service.wait(lambda status: status.indicators == self._armed - 1, "without what was removed")
        screen.note(
            f"{WITHDRAWN} is disarmed. Of {EXPIRING}, SOAR now tells that it holds for {SHORTENED} s more:"
        )
        anew = ("--ioc", EXPIRING, "--source", "SOAR", "--level", "critical", "--expire", f"{SHORTENED}s")
        self._type("intel", "push", *anew, "-c", CONFIG)
        self._service.wait(lambda status: status.indicators == self._armed - 2, "without what expired")
        screen.note("It has expired.")
        self._type("status", "-c", CONFIG, until="input")

    def _compare(self, first: Found, second: Found) -> None:
        screen = self._screen
        screen.note("The same traffic once more, as new conversations:")
        names = sorted(first.by_indicator, key=lambda name: (name not in (WITHDRAWN, EXPIRING), name))
        fate = {WITHDRAWN: "withdrawn", EXPIRING: "expired"}
        rows = [
            (name, str(first.by_indicator[name]), str(second.by_indicator[name]), fate.get(name, "armed"))
            for name in names
        ]
        screen.table(("indicator", "sightings", "then", ""), rows[:8], numbers=("sightings", "then"))
        if len(rows) > 8:
            screen.note(f"... and {len(rows) - 8} more")
        for name in (WITHDRAWN, EXPIRING):
            if not first.by_indicator[name]:
                self.wrong.append(f"{name} was not sighted while it was armed")
            if second.by_indicator[name]:
                self.wrong.append(f"{name} was sighted although it was {fate[name]}")
        others = {name: count for name, count in first.by_indicator.items() if name not in fate}
        if {name: second.by_indicator[name] for name in others} != others:
            self.wrong.append("the other indicators were not sighted as often as before")

    def _end(self, first: Found, second: Found, began: float) -> None:
        screen = self._screen
        screen.scene("The end")
        screen.command("kill %1")
        self._service.said()
        status = self._service.stop()
        screen.said([*self._service.said(), f"exit status {status}"])
        if status:
            self.wrong.append(f"the service ended with status {status}")
        screen.note(
            f"{self._pushed} IoCs went in through Kafka, {self._armed} indicators were armed, "
            f"{first.sightings + second.sightings} sightings and {len(first.records) + len(second.records)} "
            f"captured records came out, in {time.monotonic() - began:.0f} s."
        )

    # Help

    def _type(self, *words: str, until: str | None = None) -> None:
        """Run a command of ours and show it, its output up to a line that begins with ``until``."""
        self._screen.command(f"threathunting {' '.join(words)}")
        said = self._commands.run(words)
        end = next((n for n, line in enumerate(said) if until and line.startswith(until)), len(said))
        self._screen.said(said[:end])


def _expiring(line: bytes) -> bytes:
    """An intel message as SOAR writes it, that says how long it holds."""
    message = msgspec.json.decode(line, type=dict[str, Any])
    message["meta"] = {"expire": EXPIRE, **message["meta"]}
    return msgspec.json.encode(message)


def _few(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first


def _nothing_left(status: Status) -> bool:
    return all(one.lag == 0 for one in status.inputs)
