"""What is seen, kept and left out, on captures of our own making, by the time of their packets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.zeek.package.running import PACKAGE, Records, investigations, item, run
from tests.zeek.package.traffic import START, Capture, dns_answer, dns_query, request, response

pytestmark = pytest.mark.zeek

SERVER = "192.0.2.80"


def said(found: dict[str, Records]) -> list[tuple[str, str]]:
    """(where, what) of the sightings, sorted."""
    return sorted((one["seen.where"], one["seen.indicator"]) for one in found.get("intel", []))


def hosts(found: dict[str, Records]) -> list[str]:
    return [record["host"] for record in found.get("http-investigation", [])]


@pytest.fixture
def browsing(tmp_path: Path) -> str:
    """Five requests to five hosts, each in its connection, ten seconds apart."""
    capture = Capture()
    for n in range(5):
        says = [request(f"h{n}.example.org", f"/p{n}?q={n}"), response(f"answer {n}".encode())]
        capture.tcp(SERVER, 80, says, at=10.0 * n)
    return str(capture.write(tmp_path / "browsing.pcap"))


def test_subdomains_of_a_marked_domain(browsing: str, tmp_path: Path) -> None:
    items = [
        item("domain", "example.org", "A", "high", x=True),
        item("domain", "h1.example.org", "B", "medium"),
        item("domain", "org", "C", "critical"),
        item("domain", "ple.org", "D", "critical", x=True),
    ]
    found = run(tmp_path / "z", items, "-r", browsing)
    assert said(found) == [("HTTP::IN_HOST_HEADER", f"h{n}.example.org") for n in range(5)]
    assert [one["level"] for one in found["intel"]] == ["high"] * 5
    assert [sorted(one["sources"]) for one in found["intel"]] == [["A"], ["A", "B"], ["A"], ["A"], ["A"]]
    assert hosts(found) == [f"h{n}.example.org" for n in range(5)]
    labels = [record["threathunting_indicators"] for record in found["http-investigation"]]
    assert labels[0] == ["domain example.org"]
    assert labels[1] == ["domain h1.example.org", "domain example.org"]


def test_a_domain_alone_is_itself_alone(browsing: str, tmp_path: Path) -> None:
    found = run(
        tmp_path / "z", [item("domain", "example.org"), item("domain", "H2.example.ORG")], "-r", browsing
    )
    assert said(found) == [("HTTP::IN_HOST_HEADER", "h2.example.org")]


def test_the_highest_level_and_every_source(browsing: str, tmp_path: Path) -> None:
    items = [
        item("domain", "h0.example.org", source, level)
        for source, level in [("A", "low"), ("B", "critical"), ("C", "nonsense"), ("D", "medium")]
    ]
    found = run(tmp_path / "z", items, "-r", browsing)
    [line] = found["intel"]
    assert (sorted(line["sources"]), line["level"]) == (["A", "B", "C", "D"], "critical")
    assert {record["threathunting_level"] for record in found["http-investigation"]} == {"critical"}


def test_expiry_by_the_time_of_the_packets(browsing: str, tmp_path: Path) -> None:
    every = [item("domain", f"h{n}.example.org", "A", e=START + 25) for n in range(5)]
    every.append(item("domain", "h4.example.org", "B", "medium", e=START + 3600))
    every.append(item("domain", "h0.example.org", "C", e=START - 1))
    found = run(tmp_path / "z", every, "-r", browsing)
    assert [(one["seen.indicator"], one["sources"], one["level"]) for one in found["intel"]] == [
        ("h0.example.org", ["A"], "low"),
        ("h1.example.org", ["A"], "low"),
        ("h2.example.org", ["A"], "low"),
        ("h4.example.org", ["B"], "medium"),
    ]
    assert hosts(found) == ["h0.example.org", "h1.example.org", "h2.example.org", "h4.example.org"]


def at(seconds: float, what: str) -> str:
    """A script that does something so many seconds after the first packet."""
    return f"""
        event at_last() {{ {what} }}
        global first = T;
        event new_connection(c: connection) {{ if ( first ) {{ first = F; schedule {seconds} sec {{ at_last() }}; }} }}
    """


def test_removal_by_one_source_leaves_the_others(browsing: str, tmp_path: Path) -> None:
    items = [
        item("domain", "example.org", source, level, x=True)
        for source, level in [("A", "high"), ("B", "low")]
    ]
    gone = """ThreatHunting::disarm_items("x", ThreatHunting::WireItems(
        ThreatHunting::WireItem($v="example.org", $t="domain", $s="A")));"""
    found = run(tmp_path / "z", items, "-r", browsing, script=at(15, gone))
    assert [(sorted(one["sources"]), one["level"]) for one in found["intel"]] == [
        (["A", "B"], "high"),
        (["A", "B"], "high"),
        (["B"], "low"),
        (["B"], "low"),
        (["B"], "low"),
    ]
    found = run(tmp_path / "y", items[:1], "-r", browsing, script=at(15, gone))
    assert len(found["intel"]) == 2


def test_an_expiry_that_comes_or_goes_later(browsing: str, tmp_path: Path) -> None:
    items = [
        item("domain", "example.org", "A", x=True, e=START + 25),
        item("domain", "h3.example.org", "B", "high"),
        item("domain", "h4.example.org", "B", "high"),
        item("domain", "h4.example.org", "C", e=START + 20),
    ]
    told = ", ".join(
        f'ThreatHunting::WireItem($v="{value}", $t="domain", $s="{source}", $l="{level}", $e={e}, $x={x})'
        for value, source, level, e, x in (
            ("example.org", "A", "low", 0.0, "T"),
            ("h3.example.org", "B", "high", START + 22, "F"),
        )
    )
    again = f'ThreatHunting::arm_items("files", ThreatHunting::WireItems({told}));'
    found = run(tmp_path / "z", items, "-r", browsing, script=at(15, again))
    assert [(sorted(one["sources"]), one["level"]) for one in found["intel"]] == [
        (["A"], "low"),
        (["A"], "low"),
        (["A"], "low"),
        (["A"], "low"),
        (["A", "B"], "high"),
    ]


def test_modules_go_off_and_on_in_mid_flight(browsing: str, tmp_path: Path) -> None:
    items = [item("addr", SERVER)]
    off = 'Config::set_value("ThreatHunting::enable_module", set("CONN", "Files"));'
    found = run(tmp_path / "z", items, "-r", browsing, script=at(15, off))
    assert hosts(found) == ["h0.example.org", "h1.example.org"]
    assert len(found["conn-investigation"]) == 5
    assert len(found["files-investigation"]) == 2
    assert len(found["http"]) == 5


def test_a_module_that_is_off_flags_nothing(browsing: str, tmp_path: Path) -> None:
    items = [item("domain", f"h{n}.example.org") for n in range(5)]
    script = 'redef ThreatHunting::enable_module = set("CONN", "FILE");'
    found = run(tmp_path / "z", items, "-r", browsing, script=script)
    assert len(found["intel"]) == 5
    assert investigations(found) == {}


def test_modules_from_a_file(browsing: str, tmp_path: Path) -> None:
    file = tmp_path / "config.dat"
    file.write_text("ThreatHunting::enable_module CONN,HTTP,DNS,SSH,FILE\n")
    script = f"""redef Config::config_files += {{ "{file}" }};
    event zeek_init() &priority=-500 {{ suspend_processing(); }}
    event ThreatHunting::modules_changed() &priority=-10 {{ print sort(enable(), strcmp); continue_processing(); }}
    function enable(): vector of string {{ local v: vector of string = vector();
        for ( m in ThreatHunting::enable_module ) v += m; return v; }}"""
    script = script.replace(
        "event ThreatHunting", "global enable: function(): vector of string;\nevent ThreatHunting", 1
    )
    found = run(tmp_path / "z", [item("addr", SERVER)], "-r", browsing, script=script)
    assert set(investigations(found)) == {"conn", "http", "files"}


def test_compliance_mode_writes_what_an_incident_asks_for(browsing: str, tmp_path: Path) -> None:
    script = "redef ThreatHunting::compliance = T;"
    found = run(tmp_path / "z", [item("domain", "h1.example.org")], "-r", browsing, script=script)
    assert set(found) == {"conn-investigation", "http-investigation", "files-investigation", "intel"}
    assert hosts(found) == ["h1.example.org"]
    assert set(run(tmp_path / "y", [], "-r", browsing, script=script)) == set()


def test_compliance_mode_goes_off_and_on(browsing: str, tmp_path: Path) -> None:
    for start, seconds, expected in (
        ("T", 25, ["h3.example.org", "h4.example.org"]),
        ("F", 15, ["h0.example.org", "h1.example.org"]),
    ):
        other = {"T": "F", "F": "T"}[start]
        script = f"redef ThreatHunting::compliance = {start};" + at(
            seconds, f'Config::set_value("ThreatHunting::compliance", {other});'
        )
        found = run(tmp_path / start, [item("addr", "10.0.0.1")], "-r", browsing, script=script)
        assert [record["host"] for record in found["http"]] == expected
        assert len(hosts(found)) == 5


def test_content_of_hits_alone(tmp_path: Path) -> None:
    sent, got = b"secret=" + b"s" * 3000, b"<html>" + b"g" * 5000
    capture = Capture()
    for host in ("evil.example", "innocent.example"):
        says = [request(host, "/up", "POST", sent, X_Own="1", Cookie="a=b"), response(got, Set_Cookie="c=d")]
        capture.tcp(SERVER, 80, says)
    pcap = str(capture.write(tmp_path / "content.pcap"))
    found = run(
        tmp_path / "z", [item("domain", "evil.example")], "-r", pcap, "ThreatHunting::http_body_bytes=2000"
    )
    [record] = found["http-investigation"]
    assert record["request_headers"] == [
        "Host: evil.example",
        "X-Own: 1",
        "Cookie: a=b",
        f"Content-Length: {len(sent)}",
    ]
    assert record["response_headers"] == [f"Content-Length: {len(got)}", "Set-Cookie: c=d"]
    assert record["request_body"] == sent[:2000].decode()
    assert record["response_body"] == got[:2000].decode()
    assert record["request_body_sha256"] == hashlib.sha256(sent).hexdigest()
    assert record["response_body_sha256"] == hashlib.sha256(got).hexdigest()
    assert all("request_headers" not in one for one in found["http"])

    found = run(tmp_path / "y", [item("domain", "evil.example")], "-r", pcap)
    [record] = found["http-investigation"]
    assert "request_body" not in record
    assert "request_body_sha256" not in record
    assert "request_headers" in record

    found = run(tmp_path / "x", [item("domain", "evil.example")], "-r", pcap, "ThreatHunting::http_headers=F")
    assert "request_headers" not in found["http-investigation"][0]


def test_headers_are_the_messages_own_and_of_the_last_response(tmp_path: Path) -> None:
    parts = b"".join(
        b"--x\r\nContent-Disposition: form-data; name=n%d\r\n\r\n%d\r\n" % (n, n) for n in range(2)
    )
    capture = Capture()
    says = [
        request(
            "evil.example", "/", "POST", parts + b"--x--\r\n", Content_Type="multipart/form-data; boundary=x"
        ),
        ("<", b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"),
        response(b"done", X_Late="2"),
        request("evil.example", "/bare"),
        ("<", b"HTTP/1.1 204 No Content\r\n\r\n"),
        request("evil.example", "/chunks"),
        (
            "<",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 3\r\n\r\n",
        ),
    ]
    capture.tcp(SERVER, 80, says)
    pcap = str(capture.write(tmp_path / "parts.pcap"))
    found = run(tmp_path / "z", [item("domain", "evil.example")], "-r", pcap)
    first, second, third = found["http-investigation"]
    assert [line.split(":")[0] for line in first["request_headers"]] == [
        "Host",
        "Content-Type",
        "Content-Length",
    ]
    assert first["response_headers"] == ["Content-Length: 4", "X-Late: 2"]
    assert (second["request_headers"], second["response_headers"]) == (["Host: evil.example"], [])
    assert third["response_headers"] == ["Transfer-Encoding: chunked", "X-Sum: 3"]


def test_bodies_held_are_bounded_and_the_rest_is_told(tmp_path: Path) -> None:
    capture = Capture()
    for _ in range(3):
        capture.tcp(SERVER, 80, [request("evil.example", "/", "POST", b"x" * 900), response(b"y" * 900)])
    pcap = str(capture.write(tmp_path / "content.pcap"))
    found = run(
        tmp_path / "z",
        [item("domain", "evil.example")],
        "-r",
        pcap,
        "ThreatHunting::http_body_bytes=4000",
        "ThreatHunting::http_body_memory=1000",
        script='event zeek_done() { local f = open("told.log"); print f, to_json([$dropped=ThreatHunting::dropped]); }',
    )
    kept = [len(one.get("request_body", "")) for one in found["http-investigation"]]
    assert kept[0] == 900
    assert sum(kept) < 2700
    assert found["told"][0]["dropped"]["bodies"] > 0


def test_conversations_are_bounded_and_the_rest_is_told(browsing: str, tmp_path: Path) -> None:
    script = 'event zeek_done() { local f = open("told.log"); print f, to_json([$dropped=ThreatHunting::dropped]); }'
    found = run(
        tmp_path / "z",
        [item("addr", SERVER)],
        "-r",
        browsing,
        "ThreatHunting::max_conversations=2",
        script=script,
    )
    assert len(found["conn-investigation"]) == 2
    assert found["told"][0]["dropped"]["conversations"] >= 3
    assert len({one["uid"] for one in found["intel"]}) == 5


def test_a_hash_of_a_file_flags_what_carried_it(tmp_path: Path) -> None:
    body = b"MZ evil content"
    capture = Capture()
    capture.tcp(
        SERVER, 80, [request("a.example"), response(b"first"), request("a.example", "/2"), response(body)]
    )
    capture.tcp(SERVER, 80, [request("b.example"), response(b"other")])
    pcap = str(capture.write(tmp_path / "file.pcap"))
    found = run(tmp_path / "z", [item("file_hash", hashlib.sha1(body).hexdigest(), "A", "high")], "-r", pcap)
    assert said(found) == [("Files::IN_HASH", hashlib.sha1(body).hexdigest())]
    uid = found["intel"][0]["uid"]
    assert [record["uri"] for record in found["http-investigation"]] == ["/2"]
    assert [record["sha1"] for record in found["files-investigation"]] == [hashlib.sha1(body).hexdigest()]
    assert [record["uid"] for record in found["conn-investigation"]] == [uid]
    assert "md5" not in found["files"][0]


def test_both_ends_once_answers_and_what_never_established(tmp_path: Path) -> None:
    capture = Capture()
    capture.udp(
        "10.0.0.53", 53, [(">", dns_query("good.example")), ("<", dns_answer("good.example", "203.0.113.9"))]
    )
    capture.tcp("203.0.113.9", 80, [request("good.example"), response()], at=1)
    capture.tcp("203.0.113.9", 443, [], at=2)
    del capture.packets[-5:]
    pcap = str(capture.write(tmp_path / "ends.pcap"))
    items = [item("addr", "203.0.113.9"), item("subnet", "10.0.0.0/24", "NET")]
    found = run(tmp_path / "z", items, "-r", pcap)
    assert said(found) == [
        ("Conn::IN_ORIG", "10.0.0.1"),
        ("Conn::IN_ORIG", "10.0.0.1"),
        ("Conn::IN_ORIG", "10.0.0.1"),
        ("Conn::IN_RESP", "10.0.0.53"),
        ("Conn::IN_RESP", "203.0.113.9"),
        ("Conn::IN_RESP", "203.0.113.9"),
        ("DNS::IN_RESPONSE", "203.0.113.9"),
    ]
    [record] = found["dns-investigation"]
    assert record["query"] == "good.example"
    assert "addr 203.0.113.9" in record["threathunting_indicators"]
    assert len(found["conn-investigation"]) == 3


def test_nested_subnets_come_and_go_by_themselves(browsing: str, tmp_path: Path) -> None:
    nets = [item("subnet", "192.0.0.0/16", "WIDE", "low"), item("subnet", "192.0.2.0/24", "NARROW", "high")]
    gone = """ThreatHunting::disarm_items("x", ThreatHunting::WireItems(
        ThreatHunting::WireItem($v="%s", $t="subnet", $s="%s")));"""
    for left, one in ((["WIDE"], nets[1]), (["NARROW"], nets[0])):
        found = run(tmp_path / left[0], nets, "-r", browsing, script=at(15, gone % (one["v"], one["s"])))
        assert [sorted(line["sources"]) for line in found["intel"]] == [["NARROW", "WIDE"]] * 2 + [left] * 3


def test_clients_behind_proxies_and_paths(tmp_path: Path) -> None:
    capture = Capture()
    says = [
        request(
            "a.example",
            "/gate.php?id=1",
            True_Client_IP="203.0.113.1",
            X_Forwarded_For="203.0.113.2, 10.9.9.9",
        ),
        response(),
    ]
    capture.tcp(SERVER, 80, says)
    pcap = str(capture.write(tmp_path / "proxy.pcap"))
    items = [item("addr", f"203.0.113.{n}") for n in (1, 2)]
    items += [
        item("url", value)
        for value in ("/gate.php", "/gate.php?id=1", "a.example/gate.php", "a.example/gate.php?id=1")
    ]
    found = run(tmp_path / "z", items, "-r", pcap)
    assert said(found) == [
        ("HTTP::IN_TRUE_CLIENT_IP_HEADER", "203.0.113.1"),
        ("HTTP::IN_URL", "a.example/gate.php?id=1"),
        ("HTTP::IN_URL_PATH", "/gate.php"),
        ("HTTP::IN_URL_PATH", "/gate.php?id=1"),
        ("HTTP::IN_URL_PATH", "a.example/gate.php"),
        ("HTTP::IN_X_FORWARDED_FOR_HEADER", "203.0.113.2"),
    ]


def test_beside_a_sites_own_intel(browsing: str, tmp_path: Path) -> None:
    file = tmp_path / "intel.dat"
    file.write_text(
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.level\n"
        "h1.example.org\tIntel::DOMAIN\tSITE\thigh\nh2.example.org\tIntel::DOMAIN\tSITE\t-\n"
    )
    script = f"""
    redef Intel::read_files += {{ "{file}" }};
    event zeek_init() &priority=-500 {{ suspend_processing(); }}
    event Input::end_of_data(name: string, source: string) &priority=-10 {{ if ( /^intel-/ in name ) continue_processing(); }}
    """
    items = [item("domain", "h1.example.org", "A", e=START + 5), item("domain", "h3.example.org", "A")]
    found = run(tmp_path / "z", items, "-r", browsing, script=script)
    assert [(one["seen.indicator"], one["sources"], one["level"]) for one in found["intel"]] == [
        ("h1.example.org", ["SITE"], "high"),
        ("h2.example.org", ["SITE"], "low"),
        ("h3.example.org", ["A"], "low"),
    ]
    assert [record["threathunting_level"] for record in found["http-investigation"]] == ["high", "low", "low"]


def test_a_sites_hook_can_say_no(browsing: str, tmp_path: Path) -> None:
    script = """hook Intel::seen_policy(s: Intel::Seen, found: bool)
        { if ( s?$indicator && s$indicator == "h1.example.org" ) break; }"""
    items = [item("domain", f"h{n}.example.org") for n in (1, 2)]
    found = run(tmp_path / "z", items, "-r", browsing, script=script)
    assert said(found) == [("HTTP::IN_HOST_HEADER", "h2.example.org")]
    assert hosts(found) == ["h2.example.org"]


def test_fingerprints_that_another_package_brings(tmp_path: Path) -> None:
    capture = Capture()
    capture.tcp(SERVER, 22, [("<", b"SSH-2.0-Evil_1.0\r\n"), (">", b"SSH-2.0-Client_2\r\n")])
    pcap = str(capture.write(tmp_path / "ssh.pcap"))
    script = f"""
    redef record SSH::Info += {{ hassh: string &log &optional; hasshServer: string &log &optional; }};
    event ssh_client_version(c: connection, version: string) &priority=-5 {{ c$ssh$hassh = "{"a" * 32}"; }}
    """
    items = [
        item("hassh", "a" * 32, "A", "high"),
        item("software", "evil_1.0"),
        item("software", "ssh-2.0-client_2"),
    ]
    found = run(tmp_path / "z", items, "-r", pcap, script=script)
    assert said(found) == [
        ("SSH::IN_CLIENT_VERSION", "SSH-2.0-Client_2"),
        ("SSH::IN_HASSH", "a" * 32),
        ("SSH::IN_SERVER_VERSION", "Evil_1.0"),
    ]
    [record] = found["ssh-investigation"]
    assert record["threathunting_level"] == "high"
    assert record["hassh"] == "a" * 32


def test_a_plugin_of_ones_own(tmp_path: Path) -> None:
    plugin = PACKAGE.parents[1] / "examples" / "own-plugin" / "zeek" / "mqtt"
    name = b"evil-sensor"
    connect = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    capture = Capture()
    for client in (connect, connect.replace(b"evil", b"good")):
        says = [(">", b"\x10" + bytes([len(client)]) + client), ("<", b"\x20\x02\x00\x00")]
        capture.tcp(SERVER, 1883, says)
    pcap = str(capture.write(tmp_path / "mqtt.pcap"))
    items = [item("user_name", "evil-sensor", "A", "high")]
    for normalized in ("F", "T"):
        args = ("-r", pcap, f"ThreatHunting::normalized={normalized}")
        found = run(tmp_path / normalized, items, *args, script=f"@load {plugin}")
        assert said(found) == [("MQTT::IN_CLIENT_ID", "evil-sensor")]
        [record] = found["mqtt_connect-investigation"]
        assert record[{"F": "connect_status", "T": "event.reason"}[normalized]] == "Connection Accepted"
        assert record["threathunting_level"] == "high"
        assert len(found["conn-investigation"]) == 1
    found = run(
        tmp_path / "off",
        items,
        "-r",
        pcap,
        script=f'@load {plugin}\nredef ThreatHunting::enable_module -= {{ "MQTT" }};',
    )
    assert investigations(found) == {}


ASKED = f"""
    global answers: file;
    hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=1000 {{
        print answers, to_json([$at=double_to_count(time_to_double(network_time()) - {START}) / 10,
            $t=s?$host ? "addr" : to_lower(sub(cat(s$indicator_type), /^.*::/, "")), $where=cat(s$where)]); }}
    event zeek_init() &priority=2000 {{ answers = open("asked.log"); }}
"""
"""Writes down every look for something, found or not."""


def asked(found: dict[str, Records], type: str) -> list[int]:
    """The conversations, ten seconds each, in which something of a type was looked for."""
    return sorted({one["at"] for one in found.get("asked", []) if one["t"] == type})


INSERT = 'Intel::insert([$indicator=%s, $indicator_type=%s, $meta=[$source="site"]]);'
REMOVE = 'Intel::remove([$indicator=%s, $indicator_type=%s, $meta=[$source="site"]], T);'


def during(what: str, after: str) -> str:
    """Something done before the third of five conversations, and something as the fourth begins."""
    return at(15, f"{what} schedule 10sec {{ afterwards() }};").replace(
        "event at_last", f"event afterwards() {{ {after} }}\nevent at_last", 1
    )


@pytest.mark.parametrize("managed", [False, True])
def test_only_what_is_armed_is_looked_for(managed: bool, browsing: str, tmp_path: Path) -> None:
    load = "@load frameworks/intel/seen/manage-event-groups\n" if managed else ""
    armed = [item("domain", "nowhere.example")]
    everything = [0, 1, 2, 3, 4]

    found = run(tmp_path / "z", armed, "-r", browsing, script=load + ASKED)
    assert {one["t"] for one in found["asked"]} == {"domain"}
    assert asked(found, "domain") == everything

    for type, value, enum in (
        ("addr", "203.0.113.1", "ADDR"),
        ("subnet", "203.0.113.0/24", "SUBNET"),
        ("url", "nowhere.example/x", "URL"),
    ):
        looked = "addr" if type == "subnet" else type
        one = f'ThreatHunting::WireItems(ThreatHunting::WireItem($v="{value}", $t="{type}", $s="A"))'
        ours = during(f'ThreatHunting::arm_items("x", {one});', f'ThreatHunting::disarm_items("x", {one});')
        what = (f'"{value}"', f"Intel::{enum}")
        sites = during(INSERT % what, REMOVE % what)
        for name, script in (("ours", ours), ("sites", sites)):
            found = run(tmp_path / type / name, armed, "-r", browsing, script=load + ASKED + script)
            assert asked(found, looked) in ([2], [2, 3]), (type, name)
            assert asked(found, "domain") == everything

    # From zeek_init on, where Zeek's script would forget it.
    what = ('"203.0.113.1"', "Intel::ADDR")
    early = "event zeek_init() &priority=10 { " + INSERT % what + " }"
    found = run(tmp_path / "early", armed, "-r", browsing, script=load + ASKED + early)
    assert asked(found, "addr") == everything


def test_a_subnet_keeps_those_awake_who_look_for_addresses(browsing: str, tmp_path: Path) -> None:
    items = [item("subnet", "203.0.113.0/24"), item("addr", "203.0.113.7")]
    gone = """ThreatHunting::disarm_items("x", ThreatHunting::WireItems(
        ThreatHunting::WireItem($v="203.0.113.7", $t="addr", $s="SOAR")));"""
    script = "@load frameworks/intel/seen/manage-event-groups\n" + ASKED + at(15, gone)
    found = run(tmp_path / "z", items, "-r", browsing, script=script)
    assert asked(found, "addr") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "script",
    [
        "redef ThreatHunting::seen_while_armed = F;",
        "@load frameworks/intel/seen/manage-event-groups\nredef Intel::manage_seen_event_groups = F;",
    ],
)
def test_a_site_may_want_to_hear_of_all_that_is_seen(script: str, browsing: str, tmp_path: Path) -> None:
    found = run(tmp_path / "z", [item("domain", "nowhere.example")], "-r", browsing, script=script + ASKED)
    assert {one["where"] for one in found["asked"]} >= {"Conn::IN_ORIG", "Conn::IN_RESP", "HTTP::IN_URL"}


@pytest.mark.parametrize("before", [False, True])
def test_ends_are_asked_for_once_when_established(before: bool, browsing: str, tmp_path: Path) -> None:
    off = 'redef ThreatHunting::enable_module -= { "CONN" };'
    args = ("frameworks/intel/seen",) if before else ()
    found = run(tmp_path / "z", [item("addr", SERVER)], "-r", browsing, *args, script=off + ASKED)
    places = [one["where"] for one in found["asked"] if one["where"].startswith("Conn::")]
    assert sorted(places) == ["Conn::IN_ORIG"] * 5 + ["Conn::IN_RESP"] * 5
    assert said(found) == [("Conn::IN_RESP", SERVER)] * 5


def test_filters_are_there_while_they_have_something_to_do(browsing: str, tmp_path: Path) -> None:
    script = """
        module ThreatHunting;
        global states: file;
        event zeek_init() &priority=2000 { states = open("states.log"); }
        event tell(at: count) {
            local on: vector of string = vector();
            for ( _, i in ThreatHunting::investigations )
                if ( ThreatHunting::filter_name in Log::get_filter_names(i$id) ) on += i$name;
            print states, to_json([$at=at, $on=sort(on, strcmp)]);
            schedule 10sec { tell(at + 1) }; }
        event new_connection(c: connection) { if ( told ) return; told = T; schedule 1sec { tell(0) }; }
        redef ThreatHunting::linger = 0sec;
        redef tcp_close_delay = 1sec;
    """
    script = script.replace(
        "global states", "global told = F; global tell: event(at: count); global states", 1
    )
    capture = Capture()
    for n in range(60):
        capture.tcp(SERVER, 80, [request(f"h{n}.example.org"), response()], at=10.0 * n)
    pcap = str(capture.write(tmp_path / "long.pcap"))
    found = run(tmp_path / "z", [item("domain", "h2.example.org")], "-r", pcap, script=script)
    states = [one["on"] for one in found["states"]]
    looking = ["kerberos", "ntlm", "rdp", "sip", "smb_mapping", "smtp"]
    assert states[0] == states[1] == looking
    assert {"conn", "dns", "files", "ftp", "http", "ssh", "ssl", "x509", *looking} <= set(states[2])
    assert states[-1] == looking
    assert hosts(found) == ["h2.example.org"]
    assert len(found["conn-investigation"]) == 1

    # Bodies are let go of by the filter on http.log.
    held = """event zeek_done() { local f = open("held.log"); print f, to_json([$n=|bodies|]); }"""
    args = ("-r", browsing, "ThreatHunting::http_body_bytes=100")
    found = run(tmp_path / "y", [item("domain", "nowhere.example")], *args, script=script + held)
    assert "http" in found["states"][0]["on"]
    assert found["held"] == [{"n": 0}]

    found = run(tmp_path / "x", [item("software", "nothing/1.0")], "-r", browsing, script=script)
    assert found["states"][0]["on"] == ["sip", "ssh"]


@pytest.mark.parametrize("groups", [False, True])
def test_zeeks_own_expiry_takes_nothing_that_is_armed(groups: bool, browsing: str, tmp_path: Path) -> None:
    script = "@load frameworks/intel/do_expire\nredef Intel::item_expiration = 5 sec;\nredef table_expire_interval = 1 sec;"
    if groups:
        script += "\n@load frameworks/intel/seen/manage-event-groups"
    script += at(
        30,
        'Intel::remove(Intel::Item($indicator="h4.example.org", $indicator_type=Intel::DOMAIN, $meta=Intel::MetaData($source="x")), T);',
    )
    items = [item("domain", f"h{n}.example.org", "A", "high") for n in range(5)]
    found = run(tmp_path / "z", items, "-r", browsing, script=script)
    assert hosts(found) == [f"h{n}.example.org" for n in range(5)]
    assert [(one["sources"], one["level"]) for one in found["intel"]] == [(["A"], "high")] * 5


def test_a_file_over_several_connections_flags_them_all(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8
    capture = Capture()
    for n, (start, end) in enumerate(((0, 1024), (1024, 2048))):
        part = response(
            body[start:end],
            "206 Partial Content",
            Content_Range=f"bytes {start}-{end - 1}/2048",
            Content_Type="application/x-evil",
            ETag="1",
        )
        capture.tcp(
            SERVER, 80, [request("a.example", "/f", Range=f"bytes={start}-{end - 1}"), part], at=float(n)
        )
    pcap = str(capture.write(tmp_path / "ranges.pcap"))
    found = run(tmp_path / "z", [item("file_hash", hashlib.sha256(body).hexdigest())], "-r", pcap)
    assert len(found["intel"]) == 1
    assert len(found["files"]) == 2
    assert len(found["files-investigation"]) == 2
    assert {one["uid"] for one in found["files-investigation"]} == {one["uid"] for one in found["conn"]}
