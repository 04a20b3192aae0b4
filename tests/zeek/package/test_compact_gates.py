"""What the framework is told of in compact mode: only what a filter has, while all that is armed is in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.zeek.package.running import Item, Records, item, run
from tests.zeek.package.traffic import Capture, dns_answer, dns_query

pytestmark = pytest.mark.zeek

HOW_MANY = 5

ASKED = """
    global told: file;
    hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=1000 {
        print told, to_json([$v=s?$host ? cat(s$host) : s$indicator, $where=cat(s$where)]); }
    event zeek_init() &priority=2000 { told = open("told.log"); }
"""
"""Writes down whatever the framework is told of."""

INSERT = 'Intel::insert([$indicator="%s", $indicator_type=Intel::%s, $meta=[$source="site"]]);'
REMOVE = 'Intel::remove([$indicator="%s", $indicator_type=Intel::%s, $meta=[$source="site"]], T);'


@pytest.fixture
def asking(tmp_path: Path) -> str:
    """Five names asked for at the servers 192.0.2.0 to 192.0.2.4, and answered, ten seconds apart."""
    capture = Capture()
    for n in range(HOW_MANY):
        name = f"H{n}.example.org"
        says = [(">", dns_query(name)), ("<", dns_answer(name, "198.51.100.7"))]
        capture.udp(f"192.0.2.{n}", 53, says, at=10.0 * n)
    return str(capture.write(tmp_path / "asking.pcap"))


def filled(values: dict[str, list[str]], during: str = "", after: str = "") -> str:
    """A filter with these values, then something done before the third query, and as the fourth comes."""
    adds = "\n".join(
        f'ThreatHunting::add_to_filters("x", {batch}, 1, "{kind}", {json.dumps(chr(10).join(of))});'
        for batch, (kind, of) in enumerate(values.items(), 1)
    )
    setup = json.dumps(json.dumps({"exact": 1000, "subdomains": 100, "rate": 1e-6}))
    return f"""
        event zeek_init() &priority=-1000 {{
            ThreatHunting::begin_filters("x", 1, {setup});
            {adds}
            ThreatHunting::end_filters("x", 1, {sum(map(len, values.values()))}); }}
        event last_done() {{ {after} }}
        event then_done() {{ {during} schedule 10sec {{ last_done() }}; }}
        global begun = F;
        event new_connection(c: connection) {{
            if ( begun ) return; begun = T; schedule 15sec {{ then_done() }}; }}
    """


def looked(
    tmp_path: Path, asking: str, script: str, items: list[Item] | None = None, *args: str
) -> dict[str, Records]:
    return run(tmp_path / "z", items or [], "-r", asking, *args, script=ASKED + script)


def names(found: dict[str, Records]) -> list[str]:
    return [one["v"].lower() for one in found.get("told", []) if one["where"] == "DNS::IN_REQUEST"]


EVERY = [f"h{n}.example.org" for n in range(HOW_MANY)]


def test_only_names_that_a_filter_has(asking: str, tmp_path: Path) -> None:
    found = looked(tmp_path, asking, filled({"domain": ["h3.example.org", "other.example"]}))
    assert names(found) == ["h3.example.org"]
    # Nobody answers: it is captured all the same.
    assert [one["query"].lower() for one in found["dns-investigation"]] == ["h3.example.org"]


ONE = filled({"domain": ["h3.example.org"]})
AGAIN = """
    event zeek_init() &priority=-2000 {
        ThreatHunting::begin_filters("y", 1, "{\\"exact\\":10,\\"subdomains\\":1,\\"rate\\":0.001}");
        ThreatHunting::add_to_filters("y", 1, 1, "domain", "h4.example.org");
        ThreatHunting::end_filters("y", 1, 1); }
"""
SITE = "event zeek_init() { " + INSERT % ("h1.example.org", "DOMAIN") + " }"


@pytest.mark.parametrize(
    ("script", "items", "args"),
    [
        pytest.param(ONE + SITE, [], [], id="a site arms some itself"),
        pytest.param(ONE, [item("domain", "h1.example.org")], [], id="some are armed natively"),
        pytest.param(ONE + "redef ThreatHunting::seen_while_armed = F;", [], [], id="a site wants it so"),
        pytest.param(
            "@load frameworks/intel/seen/manage-event-groups\nredef Intel::manage_seen_event_groups = F;"
            + ONE,
            [],
            [],
            id="a site wants it so by Zeek's own option",
        ),
        pytest.param(ONE, [], ["frameworks/intel/seen"], id="Zeek's own script is there already"),
        pytest.param(
            filled({"domain": ["h3.example.org"], "subdomains": ["h3.example.org"]}), [], [], id="a rule"
        ),
        pytest.param(ONE + AGAIN, [], [], id="two services"),
    ],
)
def test_all_names_where_one_filter_does_not_tell_all(
    script: str, items: list[Item], args: list[str], asking: str, tmp_path: Path
) -> None:
    found = looked(tmp_path, asking, script, items, *args)
    assert names(found) == EVERY
    captured = {one["query"].lower() for one in found["dns-investigation"]}
    natively = {"h1.example.org"} if items or SITE in script else set()
    assert captured == natively | {"h3.example.org"} | ({"h4.example.org"} if AGAIN in script else set())
    assert {one["seen.indicator"].lower() for one in found.get("intel", [])} == natively


def test_what_a_site_adds_and_removes_while_it_runs(asking: str, tmp_path: Path) -> None:
    what = ("h2.example.org", "DOMAIN")
    script = filled({"domain": ["h0.example.org", "h4.example.org"]}, INSERT % what, REMOVE % what)
    found = looked(tmp_path, asking, script)
    assert names(found) == ["h0.example.org", "h2.example.org", "h3.example.org", "h4.example.org"]
    assert [one["seen.indicator"].lower() for one in found["intel"]] == ["h2.example.org"]


def ends(found: dict[str, Records]) -> set[str]:
    return {one["v"] for one in found.get("told", []) if one["where"].startswith("Conn::")}


def test_only_addresses_that_a_filter_has(asking: str, tmp_path: Path) -> None:
    found = looked(tmp_path, asking, filled({"addr": ["192.0.2.3", "2001:DB8::1"]}))
    assert ends(found) == {"192.0.2.3"}
    assert [one["id.resp_h"] for one in found["conn-investigation"]] == ["192.0.2.3"]


def test_all_addresses_while_a_subnet_is_armed(asking: str, tmp_path: Path) -> None:
    what = ("192.0.2.2/31", "SUBNET")
    script = filled({"addr": ["192.0.2.0"]}, INSERT % what, REMOVE % what)
    found = looked(tmp_path, asking, script)
    told = ends(found)
    assert {"192.0.2.0", "192.0.2.2"} <= told
    assert not told & {"192.0.2.1", "192.0.2.4"}
    assert {one["seen.indicator"] for one in found["intel"]} == {"192.0.2.2"}


def test_a_value_of_one_type_is_none_of_another(asking: str, tmp_path: Path) -> None:
    values = {
        "software": ["h1.example.org"],
        "email": ["h2.example.org"],
        "user_name": ["192.0.2.3"],
        "domain": ["x.org"],
    }
    found = looked(tmp_path, asking, filled(values))
    assert names(found) == []
    assert "dns-investigation" not in found
