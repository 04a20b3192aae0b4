"""Live capture: one stream, several streams, and restarts, against the hunt that sees everything at once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threathunting.hunt.live import Bounds, Capture, FlagTable, Found, Hunter, Raised
from threathunting.hunt.live.hunter import Policy
from threathunting.intel.store import Store
from threathunting.intel.types import Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import ReadReport
from threathunting.sensors.batches import DictBatch, json_batch

from ...making import ENDS, armed, hunt, read, write_log

Rows = list[tuple[str, dict[str, Any]]]

EVIL = ("domain", "evil.example")
FINGERPRINT = "ab" * 32
T = 1_700_000_000.0


def hunter(store: Store, modules: list[str] | None = None, policy: Policy | None = None) -> Hunter:
    return Hunter(store, Registry(BUILTIN, modules), policy or Policy())


def batches(rows: Rows, wanted: dict[str, tuple[str, ...]]) -> list[Any]:
    """One batch a run of the same log, in JSON, or as dictionaries where the log's name is long."""
    found: list[Any] = []
    run: list[dict[str, Any]] = []
    for number, (log, record) in enumerate(rows):
        run.append(record)
        if number + 1 == len(rows) or rows[number + 1][0] != log:
            if len(log) > 4:
                found.append(DictBatch(log, run))
            else:
                block = b"".join(json.dumps(record).encode() + b"\n" for record in run)
                fields = wanted.get(log, wanted["*"])
                found.append(json_batch(log, fields, block, 0, Path("x"), ReadReport()))
            run = []
    return found


def take(capture: Capture, rows: Rows, hunting: Hunter, start: int = 0, again: bool = False) -> Found:
    found = Found()
    for batch in batches(rows, hunting.wanted()):
        found.add(capture.take(batch, "p", start, 100 * len(batch), again))
    return found


def captured(found: Found) -> list[tuple[str, Any]]:
    return [
        (line.log.removesuffix("-investigation"), json.loads(line.data)["n"])
        for line in found.lines
        if line.log != "intel"
    ]


def http(
    n: int, uid: str, host: str = "good.example", ts: float = 100.0, **more: Any
) -> tuple[str, dict[str, Any]]:
    return "http", {"n": n, "ts": ts, "uid": uid, **ENDS, "host": host, "uri": "/", **more}


def conn(n: int, uid: str, ts: float = 100.0) -> tuple[str, dict[str, Any]]:
    return "conn", {"n": n, "ts": ts, "uid": uid, **ENDS, "conn_state": "SF"}


def ssl(n: int, uid: str, fingerprint: str = FINGERPRINT, ts: float = 100.0) -> tuple[str, dict[str, Any]]:
    return "ssl", {"n": n, "ts": ts, "uid": uid, **ENDS, "cert_chain_fps": [fingerprint]}


def x509(
    n: int, fingerprint: str = FINGERPRINT, name: str = "good.example", ts: float = 100.0
) -> tuple[str, dict[str, Any]]:
    return "x509", {
        "n": n,
        "ts": ts,
        "fingerprint": fingerprint,
        "san.dns": [name],
        "certificate.serial": "1",
    }


def stream(store: Store, **bounds: Any) -> tuple[Capture, Hunter]:
    hunting = hunter(store)
    return Capture("t/0", FlagTable(), hunting, Bounds(format="zeek", **bounds)), hunting


def test_a_sighting_captures_what_came_before_and_what_follows() -> None:
    capture, hunting = stream(armed(EVIL))
    found = take(capture, [http(1, "C1"), http(2, "C2"), conn(3, "C1")], hunting)
    assert found.lines == []
    found = take(capture, [http(4, "C1", "evil.example"), http(5, "C2")], hunting)
    assert captured(found) == [("http", 1), ("conn", 3), ("http", 4)]
    assert next(line.log for line in found.lines) == "intel"
    assert captured(take(capture, [http(6, "C1"), conn(7, "C2")], hunting)) == [("http", 6)]


def test_every_captured_record_has_the_indicator_its_source_and_its_level() -> None:
    capture, hunting = stream(armed((*EVIL, Item("SOAR", level="critical"))))
    found = take(capture, [http(1, "C1"), http(2, "C1", "evil.example")], hunting)
    for line in found.lines:
        record = json.loads(line.data)
        assert (line.level, record["level"]) == ("critical", "critical")
        assert (
            record["intel"][0] | {"where": ""}
            == {
                "indicator": "evil.example",
                "indicator_type": "Intel::DOMAIN",
                "where": "",
                "source": "SOAR",
                "level": "critical",
            }
            or line.log == "intel"
        )
        assert line.key == "C1"


def test_what_left_the_window_is_not_captured_and_only_room_makes_it_count_as_dropped() -> None:
    capture, hunting = stream(armed(EVIL), seconds=10.0)
    take(capture, [http(1, "C1", ts=T + 100.0)], hunting)
    take(capture, [http(2, "C1", ts=T + 105.0)], hunting)
    found = take(capture, [http(3, "C1", "evil.example", ts=T + 111.0)], hunting)
    assert captured(found) == [("http", 2), ("http", 3)]
    assert capture.window.dropped == 0
    capture, hunting = stream(armed(EVIL), bytes=900)
    for n in range(5):
        take(capture, [http(n, "C1")], hunting)
    assert capture.window.dropped == 3
    assert captured(take(capture, [http(9, "C1", "evil.example")], hunting)) == [("http", 4), ("http", 9)]


def test_what_came_after_a_time_stays_beyond_its_seconds_while_there_is_room() -> None:
    for until, room, kept in ((T + 100.0, 10_000, True), (T + 101.0, 10_000, False), (T + 100.0, 600, False)):
        capture, hunting = stream(armed(EVIL), seconds=10.0, bytes=room)
        take(capture, [http(1, "C1", ts=T + 100.0)], hunting)
        capture.window.until = until
        for n in range(2, 5):
            take(capture, [http(n, "C2", ts=T + 200.0)], hunting)
        found = captured(take(capture, [http(9, "C1", "evil.example", ts=T + 201.0)], hunting))
        assert (("http", 1) in found) == kept


def test_a_record_of_a_clock_that_is_not_set_does_not_move_the_streams_time() -> None:
    capture, hunting = stream(armed(EVIL), seconds=10.0)
    take(capture, [http(1, "C1", ts=0.0)], hunting)
    assert capture.time > T
    capture, hunting = stream(armed(EVIL), seconds=10.0)
    take(capture, [http(1, "C1", ts=T + 100.0)], hunting)
    take(capture, [http(2, "C1", ts=100.0)], hunting)
    assert capture.time == T + 100.0


def test_a_record_with_a_time_far_ahead_does_not_empty_the_window() -> None:
    capture, hunting = stream(armed(EVIL), seconds=10.0)
    take(capture, [http(1, "C1", ts=T + 100.0)], hunting)
    take(capture, [http(2, "C9", ts=9e9)], hunting)
    assert captured(take(capture, [http(3, "C1", "evil.example", ts=T + 101.0)], hunting)) == [
        ("http", 1),
        ("http", 3),
    ]


def test_the_certificate_of_a_captured_conversation_is_captured_once() -> None:
    capture, hunting = stream(armed(EVIL))
    rows = [x509(1), x509(2), ssl(3, "C1"), http(4, "C1", "evil.example"), x509(5), ssl(6, "C2")]
    assert captured(take(capture, rows, hunting)) == [("ssl", 3), ("http", 4), ("x509", 2)]
    assert captured(take(capture, [x509(7)], hunting)) == []


def test_a_sighted_certificate_flags_the_conversations_that_name_it_before_and_after() -> None:
    capture, hunting = stream(armed(EVIL))
    rows = [ssl(1, "C1"), conn(2, "C1"), x509(3, name="evil.example"), ssl(4, "C2"), ssl(5, "C3", "cd" * 32)]
    assert Counter(captured(take(capture, rows, hunting))) == Counter(
        [("ssl", 1), ("conn", 2), ("x509", 3), ("ssl", 4)]
    )
    assert captured(take(capture, [conn(6, "C2"), conn(7, "C3")], hunting)) == [("conn", 6)]


def test_a_certificate_that_is_sighted_again_is_told_each_time_and_captured_once() -> None:
    capture, hunting = stream(armed(EVIL))
    found = take(capture, [x509(n, name="evil.example") for n in range(3)], hunting)
    assert [line.log for line in found.lines].count("intel") == 3
    assert captured(found) == [("x509", 0)]


def test_scope_record_captures_what_matched_alone() -> None:
    capture, hunting = stream(armed(EVIL), scope="record")
    found = take(capture, [http(1, "C1"), http(2, "C1", "evil.example"), http(3, "C1")], hunting)
    assert captured(found) == [("http", 2)]
    assert found.flags == []


def test_a_module_that_is_off_neither_flags_nor_is_captured_from_that_moment() -> None:
    capture, hunting = stream(armed(EVIL))
    take(capture, [http(1, "C1")], hunting)
    hunting.use(Registry(BUILTIN, ["CONN", "DNS"]))
    assert take(capture, [http(2, "C1", "evil.example"), conn(3, "C1")], hunting).lines == []
    hunting.use(Registry(BUILTIN, ["CONN", "HTTP"]))
    # What came while it was off stays unseen.
    found = take(capture, [http(4, "C1", "evil.example")], hunting)
    assert captured(found) == [("http", 1), ("conn", 3), ("http", 4)]
    hunting.use(Registry(BUILTIN, ["CONN"]))
    assert captured(take(capture, [http(5, "C1"), conn(6, "C1")], hunting)) == [("conn", 6)]


def test_the_policy_counts_levels_as_it_says_and_leaves_out_what_is_allowed() -> None:
    store = armed((*EVIL, Item("feed", level="low")), ("domain", "bad.example", Item("SOAR", level="high")))
    capture, hunting = stream(store)
    hunting.policy = Policy(min_level="high")
    found = take(capture, [http(1, "C1", "evil.example"), http(2, "C2", "bad.example")], hunting)
    assert captured(found) == [("http", 2)]
    hunting.policy = Policy(min_level="high", levels={"feed": "critical"})
    found = take(capture, [http(3, "C3", "evil.example")], hunting)
    assert [line.level for line in found.lines] == ["critical", "critical"]


def test_flags_are_bounded_and_say_what_went() -> None:
    table = FlagTable(limit=2)
    hunting = hunter(armed(EVIL))
    capture = Capture("t/0", table, hunting, Bounds(format="zeek"))
    for n in range(4):
        take(capture, [http(n, f"C{n}", "evil.example")], hunting)
    assert len(table) == 2
    assert table.dropped_keys == 2


def test_idle_flags_are_forgotten() -> None:
    table = FlagTable(idle=50.0)
    hunting = hunter(armed(EVIL))
    capture = Capture("t/0", table, hunting, Bounds(format="zeek"))
    take(
        capture,
        [http(1, "C1", "evil.example", ts=T + 100.0), http(2, "C2", "evil.example", ts=T + 120.0)],
        hunting,
    )
    take(capture, [http(3, "C1", ts=T + 140.0)], hunting)
    assert [key for _, key in table.expire(T + 175.0)] == ["C2"]
    assert captured(take(capture, [http(4, "C1", ts=T + 176.0), http(5, "C2", ts=T + 176.0)], hunting)) == [
        ("http", 4)
    ]


def test_flags_keep_all_of_their_reasons_as_they_are_told() -> None:
    capture, hunting = stream(armed((*EVIL, Item("SOAR", level="high", tags=("apt",), expires=9e9))))
    (raised,) = take(capture, [http(1, "C1", "evil.example")], hunting).flags
    assert Raised.decode(raised.encode()) == raised


# Any traffic: the oracle is the hunt over files, which sees every record before it captures any.

HOSTS = st.sampled_from(["good.example", "good.example", "evil.example"])
UIDS = st.sampled_from([f"C{n}" for n in range(4)])
PRINTS = st.sampled_from([letter * 64 for letter in "abc"])


@st.composite
def traffic(draw: st.DrawFn) -> Rows:
    rows: Rows = []
    for n in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from(["http", "conn", "ssl", "x509", "files", "pe", "weird"]))
        uid = draw(UIDS)
        if kind == "http":
            rows.append(http(n, uid, draw(HOSTS), resp_fuids=[f"F{uid}"]))
        elif kind == "conn":
            rows.append(conn(n, uid))
        elif kind == "ssl":
            rows.append(ssl(n, uid, draw(PRINTS)))
        elif kind == "x509":
            rows.append(x509(n, draw(PRINTS), draw(HOSTS)))
        elif kind == "files":
            rows.append(("files", {"n": n, "ts": 100.0, "uid": uid, "fuid": f"F{uid}", "sha1": "0" * 40}))
        elif kind == "pe":
            rows.append(("pe", {"n": n, "ts": 100.0, "id": f"F{uid}", "machine": "x"}))
        else:
            rows.append(("weird", {"n": n, "ts": 100.0, "uid": uid, "name": "odd"}))
    return rows


def at_once(rows: Rows, store: Store) -> Counter[tuple[str, int]]:
    """What the hunt over files captures."""
    with TemporaryDirectory() as folder:
        logs, out = Path(folder) / "logs", Path(folder) / "out"
        logs.mkdir()
        for log in {log for log, _ in rows}:
            write_log(logs / f"{log}.log", [record for name, record in rows if name == log])
        hunt(logs, store, out)
        return Counter(
            (path.name.removesuffix("-investigation.log"), record["n"])
            for path in out.glob("*-investigation.log")
            for record in read(path)
        )


def agree(found: Counter[tuple[str, int]], expected: Counter[tuple[str, int]], rows: Rows) -> None:
    """The same records, each once; of records without uid the same files (which of its records may differ)."""
    assert max(found.values(), default=1) == 1
    without_uid = {"x509", "pe"}
    for counter in (found, expected):
        assert all(log in {name for name, _ in rows} for log, _ in counter)
    assert {one for one in found if one[0] not in without_uid} == {
        one for one in expected if one[0] not in without_uid
    }
    by_n = {record["n"]: record.get("fingerprint", record.get("id")) for _, record in rows}
    assert {(log, by_n[n]) for log, n in found if log in without_uid} == {
        (log, by_n[n]) for log, n in expected if log in without_uid
    }


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(traffic(), st.lists(st.integers(1, 6), min_size=1))
def test_one_stream_captures_what_the_hunt_over_files_does(rows: Rows, sizes: list[int]) -> None:
    store = armed(EVIL)
    capture, hunting = stream(store)
    found = Found()
    at = number = 0
    while at < len(rows):
        size = sizes[number % len(sizes)]
        found.add(take(capture, rows[at : at + size], hunting, at))
        at, number = at + size, number + 1
    agree(Counter(captured(found)), at_once(rows, store), rows)


# Several streams and restarts: the cluster's part is played by lists that only a commit adds to.


@dataclass
class Stream:
    """A partition with its committed position."""

    rows: Rows
    high: int = 0
    low: int = 0
    upto: int = 0


@dataclass
class Cluster:
    streams: list[Stream]
    flags: list[Raised] = field(default_factory=list)
    results: list[tuple[str, int]] = field(default_factory=list)


class Instance:
    """The service's part, as short as it can be: works on all streams, or on those that it is given."""

    def __init__(self, cluster: Cluster, hunting: Hunter, mine: list[int]) -> None:
        self.cluster, self.hunting = cluster, hunting
        self.table = FlagTable()
        self.read = len(cluster.flags)
        for place, raised in enumerate(cluster.flags):
            self.table.tell(raised, place)
        self.pending: list[tuple[int, Found]] = []
        self.at: dict[int, int] = {}
        self.captures: dict[int, Capture] = {}
        for number in mine:
            stream = cluster.streams[number]
            capture = Capture(f"t/{number}", self.table, hunting, Bounds(format="zeek"), stream.upto)
            for offset in range(stream.low, stream.high):
                take(capture, stream.rows[offset : offset + 1], hunting, offset, again=True)
            self.captures[number], self.at[number] = capture, stream.high
            self.pending.append((number, capture.catch_up(self.read)))

    def step(self, number: int, size: int) -> None:
        rows = self.cluster.streams[number].rows[self.at[number] : self.at[number] + size]
        self.pending.append((number, take(self.captures[number], rows, self.hunting, self.at[number])))
        self.at[number] += len(rows)

    def listen(self) -> None:
        for raised in self.cluster.flags[self.read :]:
            flag = self.table.of(raised.kind).get(raised.key)
            for number, capture in self.captures.items():
                known = flag is not None and flag.known(capture.origin, capture.upto)
                if not known and raised.origin != capture.origin:
                    self.table.tell(raised, self.read)
                    self.pending.append((number, capture.told(self.read + 1, [(raised.kind, raised.key)])))
                capture.upto = self.read + 1
            self.table.tell(raised, self.read)
            self.read += 1

    def commit(self) -> None:
        for _, found in self.pending:
            self.cluster.results += captured(found)
            self.cluster.flags += found.flags
        self.pending = []
        for number, capture in self.captures.items():
            stream = self.cluster.streams[number]
            stream.high = self.at[number]
            low = capture.low("p")
            stream.low = stream.high if low is None else low
            stream.upto = capture.upto

    def done(self) -> bool:
        return self.read == len(self.cluster.flags) and all(
            self.at[number] == len(self.cluster.streams[number].rows) for number in self.captures
        )


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(traffic(), st.data())
def test_streams_that_tell_each_other_and_restart_capture_everything_once(
    rows: Rows, data: st.DataObject
) -> None:
    store = armed(EVIL)
    hunting = hunter(store)
    count = data.draw(st.integers(1, 3), "streams")
    cluster = Cluster([Stream([]) for _ in range(count)])
    for row in rows:
        cluster.streams[data.draw(st.integers(0, count - 1))].rows.append(row)

    def instances() -> list[Instance]:
        """One that has all, or two that share."""
        if count > 1 and data.draw(st.booleans(), "two instances"):
            return [Instance(cluster, hunting, [0]), Instance(cluster, hunting, list(range(1, count)))]
        return [Instance(cluster, hunting, list(range(count)))]

    running = instances()
    for _ in range(data.draw(st.integers(0, 30), "steps")):
        instance = data.draw(st.sampled_from(running))
        action = data.draw(st.sampled_from(["step", "step", "listen", "commit", "kill all"]))
        if action == "step":
            instance.step(data.draw(st.sampled_from(sorted(instance.captures))), data.draw(st.integers(1, 4)))
        elif action == "listen":
            instance.listen()
        elif action == "commit":
            instance.commit()
        else:
            running = instances()
    for _ in range(200):
        for instance in running:
            for number in instance.captures:
                instance.step(number, 5)
            instance.listen()
            instance.commit()
        if all(instance.done() for instance in running):
            break
    found = Counter(cluster.results)
    expected = at_once(rows, store)
    with_uid = {one for one in expected if one[0] not in ("x509", "pe")}
    assert {one for one in found if one[0] not in ("x509", "pe")} == with_uid
    assert all(times == 1 for times in found.values())
    by_n = {record["n"]: record.get("fingerprint", record.get("id")) for _, record in rows}
    # Two streams may each capture a record of the same certificate before they hear of each other.
    assert {(log, by_n[n]) for log, n in found if log in ("x509", "pe")} == {
        (log, by_n[n]) for log, n in expected if log in ("x509", "pe")
    }
