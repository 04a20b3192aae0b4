"""ECS names: those of the package and those of the Python plugins are the same, for every field."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.zeek.package.running import CONTENT, PACKAGE, item, run
from tests.zeek.package.traffic import Capture, request, response
from threathunting.plugins import BUILTIN, COMMON_ECS, Registry
from threathunting.plugins.ecs import ecs_name

REGISTRY = Registry(BUILTIN)

TABLE = re.compile(r"const (\w+)_ecs: table\[string\] of string = \{(.*?)\n\t\}", re.S)
ENTRY = re.compile(r'\["([^"]+)"\]\s*=\s*"([^"]+)"')

MODULES = {
    "CONN",
    "HTTP",
    "DNS",
    "SSH",
    "FILE",
    "SSL",
    "X509",
    "SMTP",
    "SMB",
    "FTP",
    "KERBEROS",
    "NTLM",
    "RDP",
    "SIP",
}


def maps_in_scripts() -> dict[str, dict[str, str]]:
    """The maps as they stand in the scripts, by log."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PACKAGE.glob("plugins/*/normalized.zeek")):
        text = path.read_text()
        tables = [(log, dict(ENTRY.findall(body))) for log, body in TABLE.findall(text)]
        assert [f'redef ecs += {{["{log}"] = {log}_ecs}};' in text for log, _ in tables] == [True] * len(
            tables
        )
        found.update(tables)
    return found


def test_scripts_and_plugins_have_the_same_maps() -> None:
    scripts = maps_in_scripts()
    expected = {
        log.name: dict(log.ecs)
        for plugin in BUILTIN
        if plugin.module in MODULES
        for log in plugin.logs
        if log.ecs and log.name != "smb_cmd"
    }
    assert scripts == expected
    common = (PACKAGE / "normalized.zeek").read_text().partition("common_ecs")[2].partition("};")[0]
    assert dict(ENTRY.findall(common)) == dict(COMMON_ECS)


def test_every_protocol_has_its_three_parts() -> None:
    for folder in PACKAGE.glob("plugins/*/"):
        names = {path.stem for path in folder.glob("*.zeek")}
        assert {"__load__", "seen", "investigation", "normalized"} <= names, folder
    assert len(list(PACKAGE.glob("plugins/*/"))) == len(MODULES)


PRINT = """
module ThreatHunting;
event zeek_init() &priority=-300
    {
    local f = open("names.jsonl");
    for ( _, i in investigations )
        print f, to_json([$mod=i$mod, $name=i$name, $names=names_of(i$name, i$id)]);
    }
"""


@pytest.mark.zeek
def test_every_field_of_zeeks_logs_is_named_as_the_plugins_name_it(tmp_path: Path) -> None:
    run(tmp_path, [], script=PRINT)
    logs = [json.loads(line) for line in (tmp_path / "names.jsonl").read_text().splitlines()]
    assert {log["mod"] for log in logs} == MODULES
    for told in logs:
        log = REGISTRY.log(told["name"])
        assert REGISTRY.module_of[log.name] == told["mod"]
        assert len(told["names"]) > 5
        for field, name in told["names"].items():
            assert name == ecs_name(log, field), (log.name, field)
        # Two fields of one name would be lost in the other.
        assert len(set(told["names"].values())) == len(told["names"]), log.name


@pytest.mark.zeek
@pytest.mark.parametrize("live", [False, True])
def test_normalized_records(live: bool, tmp_path: Path) -> None:
    capture = Capture()
    capture.tcp("192.0.2.80", 80, [request("evil.example", "/x", User_Agent="sync"), response()])
    pcap = str(capture.write(tmp_path / "x.pcap"))
    switch = 'event zeek_init() { Option::set("ThreatHunting::normalized", T); }'
    args = () if live else ("ThreatHunting::normalized=T",)
    found = run(
        tmp_path / "z", [item("domain", "evil.example")], "-r", pcap, *args, script=switch if live else ""
    )
    [record] = found["http-investigation"]
    assert record["url.domain"] == "evil.example"
    assert record["url.original"] == "/x"
    assert record["user_agent.original"] == "sync"
    assert record["source.ip"] == "10.0.0.1"
    assert record["destination.port"] == 80
    assert record["threathunting_indicators"] == ["domain evil.example"]
    assert record["zeek.http.request_headers"][0] == "Host: evil.example"
    assert record["zeek.http.trans_depth"] == 1
    assert not {"uid", "host", "id.orig_h", *CONTENT} & record.keys()
    assert found["http"][0]["host"] == "evil.example"
    [record] = found["conn-investigation"]
    assert record["network.transport"] == "tcp"
    assert record["trace.id"] == found["conn"][0]["uid"]
