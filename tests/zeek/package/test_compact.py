"""Armed compactly, on a live Zeek: filters, questions and answers, records that wait, and what is unsure."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.zeek import traffic
from tests.zeek.package.compact import CompactLink
from tests.zeek.package.link import lone_zeek

pytestmark = pytest.mark.zeek

ZEEK = {"zeek"}


def records(folder: Path, log: str) -> list[dict[str, Any]]:
    path = folder / f"{log}.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def zeek(folder: Path, script: str = "") -> Iterator[tuple[CompactLink, int]]:
    """A Zeek that captures what a web server on loopback says, and the server's port."""
    with (
        traffic.web() as port,
        lone_zeek(folder, "-i", "lo", "-f", f"tcp port {port}", script=script) as (bare, _),
    ):
        link = CompactLink(int(bare.socket.remote_address[1]))
        link.hello(ZEEK)
        yield link, port
        link.close()
        assert "expression error" not in (folder / "said.txt").read_text()


def test_a_confirmed_value_is_captured_whole(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example", source="SOAR", level="critical", d="a test")
        link.fill(1, {"domain": ["evil.example", "other.example"]}, ZEEK)
        state = link.hello(ZEEK)["zeek"]
        assert (state["mode"], state["armed"]) == ("compact", 2)
        assert state["compact"] == {"test": {"generation": 1, "building": 0, "exact": 2, "subdomains": 0}}
        traffic.get(port, "fine.example")
        traffic.get(port, "evil.example")
        link.serve(lambda: len(records(tmp_path, "conn-investigation")) == 1)
        [sighting] = link.serve(link.sightings)
        assert (sighting["seen.indicator"], sighting["level"], sighting["sources"]) == (
            "evil.example",
            "critical",
            ["SOAR"],
        )
        assert [(one["t"], one["v"], one["w"]) for one in link.asked] == [
            ("domain", "evil.example", "HTTP::IN_HOST_HEADER")
        ]
        for log in ("conn", "http", "files"):
            [record] = records(tmp_path, f"{log}-investigation")
            assert record["threathunting_indicators"] == ["domain evil.example"]
            assert record["threathunting_level"] == "critical"
            assert "threathunting_unverified" not in record
        [http] = records(tmp_path, "http-investigation")
        assert "Host: evil.example" in [line.replace("HOST", "Host") for line in http["request_headers"]]
        counts = link.hello(ZEEK)["zeek"]
        assert (counts["asked"], counts["confirmed"], counts["denied"], counts["unverified"]) == (1, 1, 0, 0)
        assert (counts["pending"], counts["waiting_records"]) == (0, 0)


def test_a_value_that_is_not_armed_after_all_leaves_no_trace(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.fill(1, {"domain": ["fine.example"]}, ZEEK)
        for _ in range(3):
            traffic.get(port, "fine.example")
        link.serve(lambda: link.asked)
        link.serve(lambda: len(records(tmp_path, "http")) == 3)
        counts = link.hello(ZEEK)["zeek"]
        assert (counts["asked"], counts["denied"], counts["unverified"], counts["pending"]) == (1, 1, 0, 0)
        assert not records(tmp_path, "http-investigation")
        assert not records(tmp_path, "intel")


def test_types_and_subdomains(tmp_path: Path) -> None:
    """What is armed as a domain is no user agent; a rule stands for names below it, not for those beside it."""
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example", x=True)
        link.know("software evil.example")
        link.fill(1, {"domain": ["evil.example", "one.example"], "subdomains": ["evil.example"]}, ZEEK)
        traffic.get(port, "fine.example", agent="evil.example")
        traffic.get(port, "notevil.example")
        traffic.get(port, "www.one.example")
        traffic.get(port, "a.b.evil.example")
        [sighting] = link.serve(link.sightings)
        assert sighting["seen.indicator"] == "a.b.evil.example"
        [http] = link.serve(lambda: records(tmp_path, "http-investigation"))
        assert http["host"] == "a.b.evil.example"
        assert http["threathunting_indicators"] == ["domain evil.example"]
        assert [one["v"] for one in link.asked] == ["a.b.evil.example"]


def test_natively_armed_subnets_and_compact_addresses_make_one_sighting(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        item = {"v": "127.0.0.0/8", "t": "subnet", "s": "site", "l": "low"}
        link.command("arm", [item], ZEEK)
        link.know("addr 127.0.0.1", source="SOAR", level="high")
        link.fill(1, {"addr": ["127.0.0.1"]}, ZEEK)
        traffic.get(port, "fine.example")
        link.serve(lambda: records(tmp_path, "conn-investigation"))
        assert {tuple(sorted(one["sources"])) for one in link.sightings()} == {("SOAR", "site")}
        assert sorted(one["seen.where"] for one in link.sightings()) == ["Conn::IN_ORIG", "Conn::IN_RESP"]


def test_without_an_answer_it_is_captured_and_says_so(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example")
        link.silent = True
        link.fill(1, {"domain": ["evil.example", "fine.example"]}, ZEEK, hold=0.5)
        began = time.monotonic()
        traffic.get(port, "evil.example")
        traffic.get(port, "fine.example")
        found = link.serve(
            lambda: len(now := records(tmp_path, "http-investigation")) == 2 and now,
        )
        assert 0.4 < time.monotonic() - began < 3
        assert all(one["threathunting_unverified"] is True for one in found)
        assert sorted(one["threathunting_indicators"][0] for one in found) == [
            "domain evil.example",
            "domain fine.example",
        ]
        assert not link.sightings()
        counts = link.hello(ZEEK)["zeek"]
        assert (counts["unverified"], counts["pending"], counts["waiting_records"]) == (2, 2, 0)
        # It asks on; with the answer comes the sighting, and what follows is sure.
        link.silent = False
        [sighting] = link.serve(link.sightings)
        assert sighting["seen.indicator"] == "evil.example"
        link.serve(lambda: link.hello(ZEEK)["zeek"]["pending"] == 0)
        traffic.get(port, "evil.example")
        link.serve(lambda: len(records(tmp_path, "http-investigation")) == 3)
        assert "threathunting_unverified" not in records(tmp_path, "http-investigation")[-1]


def test_a_new_connection_is_asked_what_is_open(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example")
        link.fill(1, {"domain": ["evil.example"]}, ZEEK, hold=0.3)
        link.silent = True
        traffic.get(port, "evil.example")
        link.serve(lambda: link.asked)
        again = CompactLink(int(link.socket.remote_address[1]))
        link.close()
        again.items = link.items
        again.serve(lambda: len(records(tmp_path, "http-investigation")) == 1)
        again.hello(ZEEK)
        [sighting] = again.serve(again.sightings)
        assert sighting["seen.indicator"] == "evil.example"
        again.close()


def test_generations(tmp_path: Path) -> None:
    """The live one goes on until the next is whole, and what comes meanwhile is in both."""
    with zeek(tmp_path) as (link, port):
        for name in ("old", "new", "late"):
            link.know(f"domain {name}.example")

        def seen(name: str) -> bool:
            traffic.get(port, f"{name}.example")
            before = len(link.sightings())
            link.serve(lambda: len(records(tmp_path, "http")) > seen.count)  # type: ignore[attr-defined]
            seen.count = len(records(tmp_path, "http"))  # type: ignore[attr-defined]
            for _ in range(4):
                link.poll(0.05)
                link.answer()
            return len(link.sightings()) > before

        seen.count = 0  # type: ignore[attr-defined]
        link.fill(1, {"domain": ["old.example"]}, ZEEK)
        assert seen("old")
        link.begin(2, ZEEK)
        link.add(2, "domain", ["new.example"], ZEEK)
        assert not seen("new")
        link.add(0, "domain", ["late.example"], ZEEK)
        assert seen("late")
        assert link.hello(ZEEK)["zeek"]["compact"]["test"] == {
            "generation": 1,
            "building": 2,
            "exact": 2,
            "subdomains": 0,
        }
        # Not all has come.
        link.batch += 1
        link.send("compact_end", link.batch, 2, 2)
        link.until(lambda _: link.refusals())
        assert "of generation 2 came 1 of 2 values" in link.refusals()[-1]
        link.end(2, 1, ZEEK)
        assert not seen("old")
        assert seen("new")
        # Another generation than those there are: nobody's.
        link.batch += 1
        link.send("compact_add", link.batch, 7, "domain", "old.example")
        assert not seen("old")
        assert not link.acks(link.batch)
        link.acked(ZEEK, "compact_drop")
        assert not seen("new")
        assert link.hello(ZEEK)["zeek"]["mode"] == "native"


def test_a_batch_that_comes_again_counts_once(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, _):
        link.begin(1, ZEEK)
        for _ in range(2):
            link.send("compact_add", 77, 1, "domain", "a.example\nb.example")
        link.until_acked(77, ZEEK)
        link.end(1, 2, ZEEK)
        for _ in range(2):
            link.send("compact_add", 78, 0, "domain", "c.example")
        link.until_acked(78, ZEEK)
        assert link.hello(ZEEK)["zeek"]["compact"]["test"]["exact"] == 3


def test_what_is_removed_is_answered_no(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example", x=True)
        link.fill(1, {"domain": ["evil.example"], "subdomains": ["evil.example"]}, ZEEK)
        traffic.get(port, "evil.example")
        traffic.get(port, "www.evil.example")
        link.serve(lambda: len(link.sightings()) == 2)
        link.items.clear()
        link.acked(ZEEK, "compact_forget", "domain", "evil.example")
        traffic.get(port, "evil.example")
        traffic.get(port, "www.evil.example")
        link.serve(lambda: len(records(tmp_path, "http")) == 4)
        link.serve(lambda: link.hello(ZEEK)["zeek"]["denied"] == 2)
        assert len(link.sightings()) == 2
        assert len(records(tmp_path, "http-investigation")) == 2
        # Armed again, it counts at once: the no is forgotten.
        link.know("domain evil.example", x=True)
        link.add(0, "domain", ["evil.example"], ZEEK)
        traffic.get(port, "evil.example")
        link.serve(lambda: len(link.sightings()) == 3)


def test_an_item_that_expires_while_it_is_remembered_holds_no_more(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        link.know("domain evil.example", e=time.time() + 2)
        link.fill(1, {"domain": ["evil.example"]}, ZEEK)
        traffic.get(port, "evil.example")
        link.serve(link.sightings)
        time.sleep(2)
        traffic.get(port, "evil.example")
        link.serve(lambda: len(records(tmp_path, "http")) == 2)
        assert len(link.asked) == 1
        assert len(records(tmp_path, "http-investigation")) == 1


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, _):
        for setup in (
            "",
            "{}",
            '{"exact": 0, "subdomains": 0}',
            '{"exact": 1, "subdomains": 1, "rate": 2.0}',
        ):
            told = len(link.refusals())
            link.send("compact_begin", 1, 1, setup)
            link.until(lambda _, told=told: len(link.refusals()) > told)  # type: ignore[misc]
        link.send("compact_end", 2, 9, 0)
        link.until(lambda _: "generation 9 was not begun here" in link.refusals()[-1])
        link.send("verdict", "zeek", "no json", node="zeek")
        link.until(lambda _: "these are no answers" in link.refusals()[-1])
        link.send("verdict", "zeek", json.dumps([{"q": 99, "h": []}]), node="zeek")
        assert link.hello(ZEEK)["zeek"]["mode"] == "native"


@contextmanager
def resolver_zeek(folder: Path, script: str = "") -> Iterator[CompactLink]:
    """A Zeek that sees DNS on loopback to an address of our own."""
    with lone_zeek(folder, "-i", "lo", "-f", f"udp port 53 and host {RESOLVER}", script=script) as (bare, _):
        link = CompactLink(int(bare.socket.remote_address[1]))
        link.hello(ZEEK)
        yield link
        link.close()
        assert "expression error" not in (folder / "said.txt").read_text()


RESOLVER = "127.0.53.77"


def ask(names: list[str], rate: float = 10_000) -> None:
    """Send a DNS query for each name, each a conversation of its own, at a rate a second."""
    began = time.monotonic()
    ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
    for number, name in enumerate(names):
        if number % 200 == 0:
            # Another source port, another conversation.
            for one in ports:
                one.close()
            ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
        ports[number % 200].sendto(traffic.query(name, number & 0xFFFF), (RESOLVER, 53))
        if number % 100 == 0 and (ahead := number / rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead)
    for one in ports:
        one.close()


def test_no_more_records_wait_than_may(tmp_path: Path) -> None:
    bounds = "redef ThreatHunting::compact_max_held = 20; redef ThreatHunting::compact_max_pending = 50;"
    with resolver_zeek(tmp_path, bounds) as link:
        names = [f"n{number}.example" for number in range(100)]
        for name in names:
            link.know(f"domain {name}")
        link.silent = True
        # Long enough that none is late, however slow the machine is.
        link.fill(1, {"domain": names}, ZEEK, hold=30)
        for name in names:
            traffic.ask(name, RESOLVER)
        counts = link.serve(lambda: (now := link.hello(ZEEK)["zeek"])["unverified"] >= 80 and now)
        assert counts["pending"] == 50
        assert counts["waiting_records"] <= 20
        # 50 for which there was no question, and one for each conversation whose records found no room.
        assert counts["released"] == counts["unverified"] - 50
        link.speak()
        link.serve(lambda: link.hello(ZEEK)["zeek"]["pending"] == 0, 20)
        link.serve(lambda: len(records(tmp_path, "dns-investigation")) == 100, 30)
        counts = link.hello(ZEEK)["zeek"]
        assert any("50 questions beyond a limit" in text for text in counts["problems"]), counts["problems"]
        assert counts["confirmed"] == 50
        sure = {
            one["query"]
            for one in records(tmp_path, "dns-investigation")
            if "threathunting_unverified" not in one
        }
        assert sure <= set(names[:50])
        assert len(link.sightings()) == 50


def test_what_is_armed_natively_too_is_sighted_where_no_answer_comes(tmp_path: Path) -> None:
    """Once there is no room for its question, and once that is given up."""
    bounds = "redef ThreatHunting::compact_max_pending = 1; redef ThreatHunting::compact_give_up = 3sec;"
    with resolver_zeek(tmp_path, bounds) as link:
        names = ["asked.example", "no-room.example"]
        link.command("arm", [{"v": name, "t": "domain", "s": "SOC", "l": "high"} for name in names], ZEEK)
        link.fill(1, {"domain": names}, ZEEK, hold=1)
        link.silent = True
        ask(names, 100)
        [first] = link.serve(link.sightings)
        assert (first["seen.indicator"], first["sources"]) == ("no-room.example", ["SOC"])
        link.serve(lambda: len(link.sightings()) == 2)
        assert [one["v"] for one in link.asked if one["v"] != "asked.example"] == []
        second = link.sightings()[1]
        assert (second["seen.indicator"], second["sources"]) == ("asked.example", ["SOC"])
        problems = link.hello(ZEEK)["zeek"]["problems"]
        assert any("1 questions without an answer" in text for text in problems), problems
        # Captured without waiting for any of that.
        link.serve(lambda: len(records(tmp_path, "dns-investigation")) == 2)
        time.sleep(3)
        assert len(link.sightings()) == 2


def test_a_flood_of_one_value_is_sampled_and_others_are_not(tmp_path: Path) -> None:
    bounds = "redef ThreatHunting::compact_max_rate = 200;"
    with resolver_zeek(tmp_path, bounds) as link:
        link.know("domain google.example")
        link.know("domain evil.example")
        link.fill(1, {"domain": ["google.example", "evil.example"]}, ZEEK)
        ask(["google.example", "evil.example"], 100)
        link.serve(lambda: len(link.sightings()) == 2)
        ask((["google.example"] * 99 + ["evil.example"]) * 20, 2000)
        link.serve(lambda: link.hello(ZEEK)["zeek"]["sampled"] > 0)
        link.serve(lambda: sum(one["seen.indicator"] == "evil.example" for one in link.sightings()) == 21)
        counts = link.hello(ZEEK)["zeek"]
        sampled = counts["sampled"]
        assert any(f"{sampled} sightings of what was seen too often" in text for text in counts["problems"])
        of_google = sum(one["seen.indicator"] == "google.example" for one in link.sightings())
        assert of_google + sampled == 1981
        # And when it is over, all is taken again.
        time.sleep(1.1)
        ask(["google.example"] * 5, 100)
        link.serve(
            lambda: (
                sum(one["seen.indicator"] == "google.example" for one in link.sightings()) == of_google + 5
            )
        )
        assert link.hello(ZEEK)["zeek"]["sampled"] == sampled


def test_what_is_seen_only_when_a_record_is_written_waits_and_is_sighted_once(tmp_path: Path) -> None:
    """Versions of SSH are looked at in ssh.log's records."""
    with (
        traffic.ssh() as port,
        lone_zeek(tmp_path, "-i", "lo", "-f", f"tcp port {port}") as (bare, _),
    ):
        link = CompactLink(int(bare.socket.remote_address[1]))
        link.hello(ZEEK)
        link.know("software openssh_9.6")
        link.fill(1, {"software": ["openssh_9.6"]}, ZEEK)
        traffic.say_hello(port)
        link.serve(lambda: records(tmp_path, "conn-investigation"))
        [ssh] = records(tmp_path, "ssh-investigation")
        assert ssh["threathunting_indicators"] == ["software openssh_9.6"]
        assert "threathunting_unverified" not in ssh
        assert [one["seen.where"] for one in link.serve(link.sightings)] == ["SSH::IN_SERVER_VERSION"]
        # Without an answer it is captured after a while, and sighted when the answer comes.
        link.silent = True
        link.acked(ZEEK, "compact_forget", "software", "*")
        traffic.say_hello(port)
        link.serve(lambda: len(records(tmp_path, "conn-investigation")) == 2)
        assert records(tmp_path, "ssh-investigation")[1]["threathunting_unverified"] is True
        assert len(link.sightings()) == 1
        link.silent = False
        link.serve(lambda: len(link.sightings()) == 2)
        link.close()


def test_two_services_have_a_filter_each_and_are_asked_what_is_in_theirs(tmp_path: Path) -> None:
    with zeek(tmp_path) as (link, port):
        other = CompactLink(link.port, "other")
        link.know("domain evil.example", source="one")
        other.know("domain bad.example", source="two")
        link.fill(1, {"domain": ["evil.example", "both.example"]}, ZEEK)
        other.fill(1, {"domain": ["bad.example", "both.example"]}, ZEEK)
        for host in ("evil.example", "bad.example", "both.example", "fine.example"):
            traffic.get(port, host)

        def sighted() -> bool:
            other.poll(0.05)
            other.answer()
            return len(link.sightings()) == 2

        link.serve(sighted)
        assert {(one["seen.indicator"], *one["sources"]) for one in link.sightings()} == {
            ("evil.example", "one"),
            ("bad.example", "two"),
        }
        # What both deny is denied once both have said so.
        link.serve(lambda: sighted() and link.hello(ZEEK)["zeek"]["denied"] == 1)
        assert {one["v"] for one in link.asked} == {"evil.example", "both.example"}
        assert {one["v"] for one in other.asked} == {"bad.example", "both.example"}
        assert {one["host"] for one in records(tmp_path, "http-investigation")} == {
            "evil.example",
            "bad.example",
        }
        link.acked(ZEEK, "compact_drop")
        assert list(link.hello(ZEEK)["zeek"]["compact"]) == ["other"]
        other.close()
