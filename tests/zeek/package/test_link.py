"""The link to a lone Zeek: batches, acknowledgements, synchronisation, modules, bad input."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zeek.package.link import Link, lone_zeek
from tests.zeek.package.running import item

pytestmark = pytest.mark.zeek

ZEEK = {"zeek"}

EXAMPLES = [
    item("addr", "192.0.2.1"),
    item("addr", "2001:db8::1"),
    item("subnet", "198.51.100.0/24"),
    item("url", "evil.example/gate.php"),
    item("url", "/gate.php"),
    item("software", "sync/1.2"),
    item("email", "a@evil.example"),
    item("domain", "evil.example", x=True),
    item("user_name", "mallory"),
    item("cert_hash", "a" * 40),
    item("pubkey_hash", ":".join(["aa"] * 16)),
    item("file_hash", "b" * 64),
    item("file_name", "evil.exe"),
    item("ja3", "c" * 32),
    item("ja4", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
    item("hassh", "d" * 32),
]


@pytest.fixture(scope="module")
def zeek(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    with lone_zeek(tmp_path_factory.mktemp("zeek")) as (link, _):
        yield link


@pytest.fixture
def link(zeek: Link) -> Link:
    zeek.sync([], ZEEK)
    zeek.events.clear()
    return zeek


def armed(link: Link) -> int:
    number: int = link.hello(ZEEK)["zeek"]["armed"]
    return number


def test_state_tells_who_answers(link: Link) -> None:
    state = link.hello(ZEEK)["zeek"]
    assert state["role"] == "standalone"
    assert state["backend"] == "broker"
    assert state["package"] == "0.1.0"
    assert state["mode"] == "native"
    assert state["sees_traffic"] is True
    assert state["expected_nodes"] == ["zeek"]
    assert state["client"] == "test"
    assert state["problems"] == []
    assert len(state["modules"]) == 14
    assert state["boot"]


def test_all_types_arm_and_disarm(link: Link) -> None:
    assert link.command("arm", EXAMPLES, ZEEK) == {"zeek": (len(EXAMPLES), [])}
    by_type = link.hello(ZEEK)["zeek"]["by_type"]
    assert sum(by_type.values()) == len(EXAMPLES)
    assert len(by_type) == 14
    assert link.command("arm", EXAMPLES, ZEEK) == {"zeek": (len(EXAMPLES), [])}
    assert link.command("disarm", EXAMPLES, ZEEK) == {"zeek": (0, [])}
    assert link.hello(ZEEK)["zeek"]["by_type"] == {}


def test_one_indicator_of_several_sources(link: Link) -> None:
    both = [item("domain", "evil.example", "A"), item("domain", "evil.example", "B", "high")]
    assert link.command("arm", both, ZEEK)["zeek"][0] == 1
    assert link.command("disarm", [both[0]], ZEEK)["zeek"][0] == 1
    assert link.command("disarm", [item("domain", "evil.example", "C")], ZEEK)["zeek"][0] == 1
    assert link.command("disarm", [both[1]], ZEEK)["zeek"][0] == 0


def test_what_is_refused_is_told_and_the_rest_armed(link: Link) -> None:
    batch = [
        item("addr", "junk"),
        item("subnet", "10.0.0.0/99"),
        item("planet", "mars"),
        item("domain", ""),
        item("domain", "good.example"),
        item("domain", "nobody.example", ""),
        item("file_name", "x" * 9000),
    ]
    count, refused = link.command("arm", batch, ZEEK)["zeek"]
    assert count == 1
    assert [one["v"][:20] for one in refused] == [
        "junk",
        "10.0.0.0/99",
        "mars",
        "",
        "nobody.example",
        "x" * 20,
    ]
    assert all(one["reason"] for one in refused)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"v": "x"}', '[{"v": "x"}]', "[" * 5000, "\x00"])
def test_a_batch_that_is_none_is_refused_and_breaks_nothing(link: Link, text: str) -> None:
    link.send("arm", 7, text)
    [reason] = link.until(lambda _: link.refusals())
    assert reason.startswith("batch 7 is no list of items")
    assert link.command("arm", EXAMPLES[:1], ZEEK)["zeek"][0] == 1


def test_another_version_is_refused(link: Link) -> None:
    from tests.zeek.package.link import COMMAND, encode

    link.socket.send(encode(COMMAND, "ThreatHunting::arm", 2, "test", 9, "[]"))
    [reason] = link.until(lambda _: link.refusals())
    assert reason == "version 2 of the link is not known here, 1 is"


def test_a_synchronisation_leaves_what_it_brought(link: Link) -> None:
    old = [item("domain", f"old{n}.example") for n in range(2500)]
    new = old[1000:] + [item("domain", f"new{n}.example") for n in range(500)]
    link.sync(old, ZEEK)
    assert armed(link) == 2500
    link.sync(new, ZEEK)
    state = link.hello(ZEEK)["zeek"]
    assert state["armed"] == 2000
    assert state["sync"] > 1_000_000
    assert link.command("disarm", old[:1000], ZEEK)["zeek"][0] == 2000


def test_a_synchronisation_with_a_lost_batch_takes_nothing_away(link: Link) -> None:
    old = [item("domain", f"old{n}.example") for n in range(10)]
    link.sync(old, ZEEK)
    link.sync(old[:5], ZEEK, total=9)
    [reason] = link.until(lambda _: link.refusals())
    assert "came 5 of 9 items" in reason
    assert armed(link) == 10


def test_what_is_refused_in_a_synchronisation_has_come_all_the_same(link: Link) -> None:
    items = [item("domain", "good.example"), item("addr", "junk"), item("domain", "past.example", e=5.0)]
    link.sync(items, ZEEK)
    assert armed(link) == 1


def test_two_spellings_of_one_indicator_have_both_come(link: Link) -> None:
    link.sync([item("addr", "2001:db8::1"), item("addr", "2001:DB8:0::1"), item("domain", "A.example")], ZEEK)
    assert armed(link) == 2


def test_an_end_without_a_begin_is_refused(link: Link) -> None:
    link.send("sync_end", 77, 0)
    [reason] = link.until(lambda _: link.refusals())
    assert reason == "synchronisation 77 was not begun here"


def test_one_client_leaves_anothers_items(link: Link) -> None:
    mine = [item("domain", f"a{n}.example") for n in range(5)]
    theirs = [item("domain", f"b{n}.example", "OTHER") for n in range(7)]
    link.sync(mine, ZEEK)
    link.client = "other"
    try:
        link.sync(theirs, ZEEK)
        assert armed(link) == 12
        link.sync(theirs[:2], ZEEK)
        assert armed(link) == 7
        link.sync([], ZEEK)
        assert armed(link) == 5
    finally:
        link.client = "test"


def test_items_expire_by_the_clock(link: Link) -> None:
    soon = time.time() + 3
    batch = [
        item("domain", "soon.example", e=soon),
        item("domain", "soon.example", "B"),
        item("url", "x/y", e=soon),
    ]
    assert (
        link.command("arm", [*batch, item("domain", "past.example", e=time.time() - 1)], ZEEK)["zeek"][0] == 2
    )
    deadline = time.monotonic() + 30
    while armed(link) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert time.time() >= soon
    assert link.hello(ZEEK)["zeek"]["by_type"] == {"domain": 1}


def test_an_expiry_that_is_moved_holds(link: Link) -> None:
    soon = time.time() + 2
    link.command(
        "arm", [item("domain", "a.example", e=soon), item("domain", "b.example", e=soon + 3600)], ZEEK
    )
    link.command(
        "arm", [item("domain", "a.example", e=soon + 3600), item("domain", "b.example", e=soon)], ZEEK
    )
    deadline = time.monotonic() + 30
    while armed(link) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    time.sleep(1)
    assert link.command("disarm", [item("domain", "a.example")], ZEEK)["zeek"][0] == 0


def test_modules_are_switched(link: Link) -> None:
    link.send("modules", "CONN, http,Martian")
    link.until(lambda _: link.states().get("zeek", {}).get("modules") == ["CONN", "HTTP"])
    # The service has modules that no sensor has.
    assert link.states()["zeek"]["problems"] == []
    every = "CONN,DNS,FILE,FTP,HTTP,KERBEROS,NTLM,RDP,SIP,SMB,SMTP,SSH,SSL,X509"
    link.send("modules", every)
    link.until(lambda _: len(link.states()["zeek"]["modules"]) == 14)
    assert link.states()["zeek"]["problems"] == []


def test_one_node_is_addressed_alone(link: Link) -> None:
    assert link.command("arm", EXAMPLES, ZEEK, node="zeek")["zeek"][0] == len(EXAMPLES)
    link.send("arm", 99, json.dumps(EXAMPLES[:1]), node="zeek2")
    assert armed(link) == len(EXAMPLES)
    assert link.acks(99) == {}


def test_a_restarted_zeek_is_another_one(tmp_path: Path) -> None:
    boots = []
    for _ in range(2):
        with lone_zeek(tmp_path) as (link, _):
            boots.append(link.hello(ZEEK)["zeek"]["boot"])
            assert armed(link) == 0
    assert boots[0] != boots[1]
