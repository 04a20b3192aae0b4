"""Hunting in a real Zeek: what it finds and captures, next to a hunt through the logs of the same capture."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.sensors.pcap import find_sensor
from threathunting.service import hunting, in_sensor, zeek_capture
from threathunting.service.demo.files import example
from threathunting.service.hunting import Request, Result

from .test_zeek_package import fake_zeek

Records = list[dict[str, Any]]

SEEN_IN_LOGS = {
    "DNS::IN_NETBIOS_NAME",
    "DNS::IN_UNSOLICITED_RESPONSE",
    "HTTP::IN_FILE_NAME",
    "HTTP::IN_HOST_HEADER",
    "HTTP::IN_REFERRER_HOST",
    "HTTP::IN_REFERRER_PATH",
    "HTTP::IN_URL",
    "SMTP::IN_RELAY",
    "X509::IN_CERT",
    "X509::IN_ISSUER",
}
"""Places where only the engine sees what it does: names it decodes, hosts in other values, more than one hash."""

SEEN_IN_THE_SENSOR = {"SMTP::IN_MESSAGE", "X509::IN_CERT", "DNS::IN_REQUEST"}
"""Places where only the sensor does: what no log has (bodies of mails), names that Zeek's log has decoded, and
certificates with their conversation."""


class Quiet:
    def begin(self, what: str, total: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass


def hunt(*paths: Path, intel: Path, out: Path | str | None, logs: bool = False, **more: Any) -> Result:
    """Hunt in the sensor, or through what Zeek writes of the same captures."""
    try:
        find_sensor("zeek")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    told = None if out is None else str(out)
    body = {} if logs else {"body_bytes": more.pop("body_bytes", None)}
    stdout = more.pop("stdout", io.BytesIO())
    request = Request([str(path) for path in paths], [str(intel)], told, **{"sensor": "zeek"} | more)
    run: Callable[..., Result] = hunting.run if logs else in_sensor.run
    return run(request, Quiet(), lambda _: None, stdout, **body)


def read(path: Path) -> Records:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def investigations(out: Path) -> dict[str, Records]:
    return {
        path.name.removesuffix("-investigation.log"): read(path) for path in out.glob("*-investigation.log")
    }


def feed(path: Path, *iocs: tuple[str, str], **meta: Any) -> Path:
    told = [{"ioc": ioc, "type": type, "meta": {"source": "SOAR"} | meta} for type, ioc in iocs]
    path.write_text("".join(json.dumps(one) + "\n" for one in told))
    return path


def ends(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"))


def sightings(out: Path) -> set[tuple[Any, ...]]:
    return {(ends(one), one["seen.indicator"].lower(), one["seen.where"]) for one in read(out / "intel.log")}


def captured(out: Path) -> Counter[tuple[Any, ...]]:
    """Captured records, by what doesn't hang on the seeds of Zeek's uids."""
    return Counter(
        (log, ends(one), one["ts"], one.get("fingerprint"))
        for log, records in investigations(out).items()
        for one in records
    )


def observed(folder: Path, path: Path) -> Path:
    """As intel, all that Zeek's framework saw in a capture."""
    names = {f"Intel::{type.name}": type.value for type in IndicatorType}
    seen = {(names[one["indicator_type"]], one["indicator"]) for one in read(folder / "seen.jsonl")}
    return feed(path, *sorted(seen))


def same_but_for_what_one_sees(out: Path, logs: Path) -> None:
    sensor, engine = sightings(out), sightings(logs)
    assert {where for _, _, where in sensor - engine} <= SEEN_IN_THE_SENSOR
    assert {where for _, _, where in engine - sensor} <= SEEN_IN_LOGS
    assert len(sensor & engine) > 10
    # Conversations that both know are captured alike, as far as the package captures their logs.
    known = {ends for ends, _, _ in sensor} & {ends for ends, _, _ in engine}
    more, less = captured(out) - captured(logs), captured(logs) - captured(out)
    assert not [one for one in more if one[1] in known]
    assert {one[0] for one in less if one[1] in known} <= {"weird"}


@pytest.mark.zeek
def test_the_example_is_found_as_through_its_logs(tmp_path: Path) -> None:
    intel, allow = example("intel.jsonl"), [str(example("allowlist.txt"))]
    out, logs = tmp_path / "sensor", tmp_path / "logs"
    result = hunt(example("traffic.pcap"), intel=intel, out=out, allow=allow)
    through_logs = hunt(example("traffic.pcap"), intel=intel, out=logs, allow=allow, logs=True)
    same_but_for_what_one_sees(out, logs)
    assert captured(out) == captured(logs)

    told, other = result.summary(), through_logs.summary()
    assert json.loads((out / "summary.json").read_text()) == {"threathunting": 1} | told
    assert told.keys() == other.keys()
    for name in ("complete", "files", "conversations", "investigations", "investigation_logs", "indicators"):
        assert told[name] == other[name]
    assert (told["rejected_intel"], told["errors"], told["sensor"]) == (1, [], "Zeek")
    assert told["records"] >= told["investigations"]
    assert told["bytes"] == example("traffic.pcap").stat().st_size

    lines = read(out / "intel.log")
    assert told["sightings"] == len(lines) == len({line["sighting_id"] for line in lines})
    both = [line for line in lines if line["seen.indicator"] == "198.51.100.23"]
    assert {line["level"] for line in both} == {"critical"}
    assert {tuple(line["sources"]) for line in both} == {("MISP", "SOAR")}
    assert {item["desc"] for item in both[0]["intel"]} == {"command and control", "hosting of ill repute"}


@pytest.mark.zeek
@pytest.mark.shared
@pytest.mark.parametrize("name", ["cooper-grill-dvwa", "wikipedia"])
def test_real_captures_are_hunted_as_through_their_logs(
    name: str, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shared("pcaps") / name
    [capture] = folder.glob("*.pcap*")
    intel = observed(folder, tmp_path / "intel.jsonl")
    hunt(capture, intel=intel, out=tmp_path / "sensor")
    hunt(capture, intel=intel, out=tmp_path / "logs", logs=True)
    same_but_for_what_one_sees(tmp_path / "sensor", tmp_path / "logs")


@pytest.mark.zeek
def test_what_was_written_before_the_sighting_is_only_in_a_hunt_through_logs(tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("url", "news.example/logo.png"))
    requests = read(example("zeek") / "http.log")
    sighted = {one["uid"] for one in requests if (one["host"], one["uri"]) == ("news.example", "/logo.png")}
    hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "sensor")
    hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "logs", logs=True)
    sensor, logs = captured(tmp_path / "sensor"), captured(tmp_path / "logs")
    assert sensor - logs == Counter()
    assert {one[0] for one in logs - sensor} == {"http", "files"}
    assert len(investigations(tmp_path / "logs")["http"]) == sum(one["uid"] in sighted for one in requests)
    found = investigations(tmp_path / "sensor")["http"]
    assert [one["uri"] for one in found] == ["/logo.png"] * len(sighted)
    assert {one["trans_depth"] for one in found} == {3}


@pytest.mark.zeek
def test_headers_and_bodies_are_captured_as_far_as_asked(tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("url", "/gate.php"))
    bodies: dict[int | None, list[Any]] = {}
    for count in (None, 5, 0):
        hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "out", body_bytes=count)
        records = investigations(tmp_path / "out")["http"]
        assert all("Host: 198.51.100.23:8080" in one["request_headers"] for one in records)
        bodies[count] = [one.get("request_body") for one in records]
    lengths = [one["request_body_len"] for one in records]
    assert [len(body) for body in bodies[None]] == lengths
    assert min(lengths) > 5
    assert bodies[5] == [body[:5] for body in bodies[None]]
    assert set(bodies[0]) == {None}


@pytest.mark.zeek
@pytest.mark.shared
def test_the_same_hunt_gives_the_same_and_no_two_captures_share_a_conversation(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    first, second = (shared("pcaps") / name / f"{name}.pcap" for name in ("http-vlan-0", "http-post-large"))
    hosts = {one["id.resp_h"] for path in (first, second) for one in read(path.parent / "conn.log")}
    intel = feed(tmp_path / "intel.jsonl", *(("addr", host) for host in sorted(hosts)))
    both = hunt(first, second, intel=intel, out=tmp_path / "both")
    alone = [hunt(path, intel=intel, out=tmp_path / path.stem) for path in (first, second)]
    texts = [(tmp_path / path.stem / "conn-investigation.log").read_text() for path in (first, second)]
    assert (tmp_path / "both" / "conn-investigation.log").read_text() == "".join(texts)
    assert len(both.outcome.conversations) == sum(len(one.outcome.conversations) for one in alone)
    assert both.files == 2


@pytest.mark.zeek
def test_nothing_found_leaves_no_log(tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("domain", "nowhere.example"))
    result = hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.json"]
    assert (result.outcome.sightings, result.complete, result.errors) == (0, True, [])


@pytest.mark.zeek
def test_expiry_is_by_the_packets_time(tmp_path: Path) -> None:
    conn = next(one for one in read(example("zeek") / "conn.log") if one["id.resp_h"] == "198.51.100.23")
    for after, found in ((-60, False), (3600, True)):
        intel = feed(
            tmp_path / "intel.jsonl",
            ("addr", "198.51.100.23"),
            valid_until=msgspec.to_builtins(_utc(conn["ts"] + after)),
        )
        result = hunt(example("traffic.pcap"), intel=intel, out=None)
        assert (result.outcome.sightings > 0) is found
        assert result.errors == []


def _utc(seconds: float) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.zeek
def test_modules_that_are_off_see_and_capture_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hunt(example("traffic.pcap"), intel=example("intel.jsonl"), out=out, modules=["http", "DNS"])
    assert set(investigations(out)) == {"http", "dns"}
    assert {one["seen.where"].partition("::")[0] for one in read(out / "intel.log")} == {"HTTP", "DNS"}


@pytest.mark.zeek
def test_records_in_ecs_form_and_sightings_on_a_stream(tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("url", "/gate.php"), level="high")
    hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "out", format="ecs")
    for one in investigations(tmp_path / "out")["http"]:
        assert one["http.request.method"] == "POST"
        assert one["threat.enrichments"][0]["indicator"]["type"] == "url"
        assert (one["event.severity"], one["zeek.http.intel_level"]) == (73, "high")
    stream = io.BytesIO()
    result = hunt(example("traffic.pcap"), intel=intel, out="-", stdout=stream)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == result.outcome.sightings > 0
    assert {line["level"] for line in lines} == {"high"}


@pytest.mark.zeek
def test_a_bound_on_conversations_holds_in_the_sensor(tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("addr", "198.51.100.23"))
    result = hunt(example("traffic.pcap"), intel=intel, out=tmp_path / "out", max_conversations=2)
    assert len({one["uid"] for one in investigations(tmp_path / "out")["conn"]}) == 2
    assert result.summary()["dropped_conversations"] > 0


@pytest.mark.zeek
def test_a_capture_cut_short_is_hunted_in_up_to_there_and_one_that_is_none_keeps_no_other(
    tmp_path: Path,
) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("addr", "203.0.113.9"))
    whole = example("traffic.pcap").read_bytes()
    cut, empty = tmp_path / "cut.pcap", tmp_path / "empty.pcap"
    cut.write_bytes(whole[: len(whole) // 2 + 3])
    empty.write_bytes(whole[:24])
    result = hunt(cut, empty, intel=intel, out=tmp_path / "out")
    assert result.complete
    assert [one["id.orig_h"] for one in investigations(tmp_path / "out")["conn"]] == ["203.0.113.9"]
    short, none = result.errors
    assert "cut.pcap is cut short after" in short
    assert "empty.pcap holds no packets" in none


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"scope": "record"}, "--in-sensor captures whole conversations: leave out --scope record"),
    ({"sensor": "suricata"}, "--in-sensor hunts in Zeek: leave out --sensor suricata"),
    ({"modules": ["HTTP", "DHCP"]}, "--in-sensor can't hunt with DHCP: the package for Zeek has CONN, DNS"),
]


@pytest.mark.parametrize(("more", "told"), REFUSED)
def test_what_doesnt_go_together_is_told(more: dict[str, Any], told: str, tmp_path: Path) -> None:
    intel = feed(tmp_path / "intel.jsonl", ("domain", "evil.example"))
    request = Request([str(example("traffic.pcap"))], [str(intel)], **more)
    with pytest.raises(ValueError, match=told):
        in_sensor.run(request, Quiet(), lambda _: None, io.BytesIO())


def asked_of(zeek: Path | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *paths: Path) -> str:
    """What is said of a hunt that can't begin; without a Zeek, where there is none."""
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.delenv("THREATHUNTING_ZEEK", raising=False)
    if zeek is not None:
        monkeypatch.setenv("THREATHUNTING_ZEEK", str(zeek))
    intel = feed(tmp_path / "intel.jsonl", ("domain", "evil.example"))
    request = Request([str(path) for path in paths or (example("traffic.pcap"),)], [str(intel)])
    with pytest.raises(ValueError) as raised:
        in_sensor.run(request, Quiet(), lambda _: None, io.BytesIO())
    return str(raised.value)


def test_without_a_zeek_or_with_one_too_old_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--in-sensor needs Zeek: Zeek is not here" in asked_of(None, monkeypatch, tmp_path)
    old = fake_zeek(tmp_path / "old", "6.0.0")
    assert "Zeek 6.0.0 is too old" in asked_of(old, monkeypatch, tmp_path)


def test_logs_are_told_to_be_none_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeek, log = fake_zeek(tmp_path / "opt"), example("zeek") / "conn.log"
    told = asked_of(zeek, monkeypatch, tmp_path, example("traffic.pcap"), log)
    assert told == f"--in-sensor hunts in captures, and {log} is a log: leave out --in-sensor"
    assert "no captures there" in asked_of(zeek, monkeypatch, tmp_path, example("zeek"))
    assert "nowhere does not exist" in asked_of(zeek, monkeypatch, tmp_path, tmp_path / "nowhere")


def test_a_zeek_that_fails_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_zeek(tmp_path / "opt")
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo zeek version 8.2.2 && exit\necho "fatal error: out of luck"\nexit 1\n'
    )
    told = asked_of(program, monkeypatch, tmp_path)
    assert told.endswith("traffic.pcap: Zeek could not hunt in it: fatal error: out of luck")


def test_what_was_found_before_an_interruption_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREATHUNTING_ZEEK", str(fake_zeek(tmp_path / "opt")))
    seen = {
        "seen.indicator": "evil.example",
        "seen.indicator_type": "Intel::DOMAIN",
        "seen.where": "DNS::IN_REQUEST",
    }
    lines = [
        {"ts": 1.5, "uid": "C1", **seen},
        {"ts": 1.5, "uid": "C1", **seen},
        {"ts": 2.5, "uid": "C1", **seen},
    ]

    def interrupted(zeek: object, capture: Path, folder: Path, asked: object) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        # As Zeek leaves it when it is killed.
        (folder / "intel.log").write_text(text + '{"ts": 3.5, "ui')
        (folder / "dns-investigation.log").write_text('{"ts": 2.5, "uid": "C1", "threathunting": true}\n')
        raise KeyboardInterrupt

    monkeypatch.setattr(zeek_capture, "hunt", interrupted)
    intel = feed(tmp_path / "intel.jsonl", ("domain", "evil.example"), level="high")
    request = Request([str(example("traffic.pcap"))], [str(intel)], str(tmp_path / "out"))
    notes: list[str] = []
    result = in_sensor.run(request, Quiet(), notes.append, io.BytesIO())
    told = json.loads((tmp_path / "out/summary.json").read_text())
    assert told == {"threathunting": 1} | result.summary()
    # What Zeek says twice of the same moment is one sighting.
    assert (told["complete"], told["sightings"], told["investigations"], told["unfinished_lines"]) == (
        False,
        2,
        1,
        1,
    )
    [record] = investigations(tmp_path / "out")["dns"]
    assert (record["level"], record["intel"][0]["where"]) == ("high", "DNS::IN_REQUEST")
    assert notes[-1] == "interrupted: what was found so far is kept"


def test_items_are_written_in_batches_that_the_package_takes(tmp_path: Path) -> None:
    store = Store()
    expected = set()
    for number in range(12_001):
        store.add(Indicator(IndicatorType.DOMAIN, f"host-{number}.example"), Item("SOAR", desc="x" * 50))
        expected.add(f"host-{number}.example")
    zeek_capture.write_items(store, tmp_path / "items")
    batches: list[Iterable[dict[str, Any]]] = list(
        map(json.loads, (tmp_path / "items").read_text().splitlines())
    )
    assert {item["v"] for batch in batches for item in batch} == expected
    assert len(batches) == 3
    assert max(len(list(batch)) for batch in batches) == 5000
