"""Every plugin, ours or a user's, keeps to the same rules. One test over all."""

from __future__ import annotations

import csv
import ipaddress
import json
import pickle
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.hunt.fast import FastMatcher
from threathunting.hunt.matching import NaiveMatcher
from threathunting.intel.canonical import canonical
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, COMMON_ECS, OTHER, Log, Plugin, Registry, ecs
from threathunting.records import Record
from threathunting.sensors.batches import DictBatch

LOGS = [pytest.param(plugin, log, id=log.name) for plugin in BUILTIN for log in plugin.logs]

ZEEK_WHERES = frozenset(
    {
        "Conn::IN_ORIG",
        "Conn::IN_RESP",
        "Files::IN_HASH",
        "Files::IN_NAME",
        "DNS::IN_REQUEST",
        "DNS::IN_RESPONSE",
        "HTTP::IN_HOST_HEADER",
        "HTTP::IN_REFERRER_HEADER",
        "HTTP::IN_USER_AGENT_HEADER",
        "HTTP::IN_X_FORWARDED_FOR_HEADER",
        "HTTP::IN_URL",
        "SMTP::IN_MAIL_FROM",
        "SMTP::IN_RCPT_TO",
        "SMTP::IN_FROM",
        "SMTP::IN_TO",
        "SMTP::IN_CC",
        "SMTP::IN_RECEIVED_HEADER",
        "SMTP::IN_REPLY_TO",
        "SMTP::IN_X_ORIGINATING_IP_HEADER",
        "SMTP::IN_MESSAGE",
        "SSH::IN_SERVER_HOST_KEY",
        "SSL::IN_SERVER_NAME",
        "SMTP::IN_HEADER",
        "X509::IN_CERT",
        "SMB::IN_FILE_NAME",
    }
)
"""``Intel::Where`` of Zeek 8.2 with frameworks/intel/seen (where-locations.zeek)."""

CATEGORIES = frozenset(
    {
        "api",
        "authentication",
        "configuration",
        "database",
        "driver",
        "email",
        "file",
        "host",
        "iam",
        "intrusion_detection",
        "library",
        "malware",
        "network",
        "package",
        "process",
        "registry",
        "session",
        "threat",
        "vulnerability",
        "web",
    }
)
TYPES = frozenset(
    {
        "access",
        "admin",
        "allowed",
        "change",
        "connection",
        "creation",
        "deletion",
        "denied",
        "device",
        "end",
        "error",
        "group",
        "indicator",
        "info",
        "installation",
        "protocol",
        "start",
        "user",
    }
)
"""What ECS 9.4 allows in ``event.category`` and ``event.type``."""

WRONG_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text("\x00\ud800\udfff:[]/\\@<>=,.%?#*;'\"0 -af>\n\u0660").map(lambda text: text)
    | st.sampled_from(
        [
            "X-FORWARDED-FOR -> ,,[::1]:,1.2.3.4:x",
            "http://[::1",
            "ftp://",
            "\\\\",
            "sip:@:;",
            "CN=\\",
            "a@",
            "[",
            "SSH-",
            "1.1.1.1/32",
        ]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_names_are_unique() -> None:
    modules = [plugin.module for plugin in BUILTIN]
    logs = [log.name for plugin in BUILTIN for log in plugin.logs]
    assert len(set(modules)) == len(modules)
    assert len(set(logs)) == len(logs)
    assert OTHER not in modules
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]*", module) for module in modules)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", log) for log in logs)


@pytest.mark.parametrize(("plugin", "log"), LOGS)
def test_wheres_are_zeeks_or_the_plugins_own(plugin: Plugin, log: Log) -> None:
    for seen in log.seen:
        assert re.fullmatch(r"[A-Za-z0-9]+::[A-Z][A-Z0-9_]*", seen.where)
        own = {plugin.module, *(name.split("::")[0].upper() for name in ZEEK_WHERES)}
        assert seen.where in ZEEK_WHERES or seen.where.split("::")[0] in own
        # Names of our own that differ from Zeek's in case alone would be the same to people.
        same = {name for name in ZEEK_WHERES if name.lower() == seen.where.lower()}
        assert not same or seen.where in same


def test_a_where_has_the_types_that_zeek_asks_it_for() -> None:
    zeek = {
        "Files::IN_HASH": {"file_hash"},
        "Files::IN_NAME": {"file_name"},
        "DNS::IN_REQUEST": {"domain"},
        "HTTP::IN_HOST_HEADER": {"domain", "addr"},
        "HTTP::IN_URL": {"url"},
        "SMB::IN_FILE_NAME": {"file_name"},
        "SSL::IN_SERVER_NAME": {"domain"},
        "SSH::IN_SERVER_HOST_KEY": {"pubkey_hash"},
        "X509::IN_CERT": {"domain", "email", "cert_hash"},
    }
    ours: dict[str, set[str]] = {}
    for plugin in BUILTIN:
        for log in plugin.logs:
            for seen in log.seen:
                ours.setdefault(seen.where, set()).add(seen.type.value)
    assert {where: ours[where] for where in zeek} == zeek


@pytest.mark.parametrize(("plugin", "log"), LOGS)
@given(data=st.data())
def test_any_value_in_any_field_is_survived(plugin: Plugin, log: Log, data: st.DataObject) -> None:
    names = sorted(
        {name for seen in log.seen for name in seen.fields}
        | set(log.ecs)
        | set(COMMON_ECS)
        | {"auth_success", "source", "mime_type", "qtype_name"}
    )
    record = data.draw(st.dictionaries(st.sampled_from(names), WRONG_VALUES, max_size=len(names)))
    observables = list(log.observables(record))
    assert len(set(observables)) == len(observables)
    for type_, value, _ in observables:
        assert canonical(type_, value) == value
    ecs.normalize(log, record)
    for seen in log.seen:
        if seen.values is not None:
            for text in seen.values(*[record.get(name) for name in seen.fields]):
                assert isinstance(text, str)


@pytest.mark.parametrize(("plugin", "log"), LOGS)
def test_a_long_hostile_text_is_read_in_linear_time(plugin: Plugin, log: Log) -> None:
    pieces = (
        "a",
        "@",
        "a@",
        ".",
        "a.",
        "[",
        "\\",
        "/",
        "://",
        "CN=",
        ",CN",
        ", ",
        "sip:",
        "from ",
        "from a",
        "<",
        "%",
    )
    for seen in log.seen:
        for piece in pieces:
            text = piece * 30_000
            began = time.perf_counter()
            for name in seen.fields:
                list(seen.texts({name: text, **{other: "x" for other in seen.fields if other != name}}))
                list(seen.texts(dict.fromkeys(seen.fields, text)))
            assert time.perf_counter() - began < 2


@pytest.mark.parametrize(("plugin", "log"), LOGS)
def test_workers_can_be_sent_it(plugin: Plugin, log: Log) -> None:
    assert pickle.loads(pickle.dumps(log)).name == log.name


def test_none_is_answered_at_once() -> None:
    for plugin in BUILTIN:
        for log in plugin.logs:
            for seen in log.seen:
                if seen.values is not None:
                    assert list(seen.values(*[None] * len(seen.fields))) == []


@pytest.mark.parametrize(("plugin", "log"), LOGS)
def test_ecs_targets_are_distinct(plugin: Plugin, log: Log) -> None:
    targets = list(log.ecs.values())
    if log.uids:  # else the log isn't about a connection, and has no id.* either
        targets += [name for field, name in COMMON_ECS.items() if field not in log.ecs]
    assert sorted(set(targets)) == sorted(targets)
    assert not set(targets) & set(log.constants)
    assert set(log.constants["event.category"]) <= CATEGORIES
    assert set(log.constants["event.type"]) <= TYPES


Check = Callable[[Any], bool]
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _is_ip(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


CHECKS: dict[str, Check] = {
    "keyword": lambda value: isinstance(value, str),
    "constant_keyword": lambda value: isinstance(value, str),
    "wildcard": lambda value: isinstance(value, str),
    "match_only_text": lambda value: isinstance(value, str),
    "ip": _is_ip,
    "long": _is_long,
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and bool(DATE.fullmatch(value)),
    "object": lambda value: isinstance(value, dict),
    "nested": lambda value: isinstance(value, dict),
}


class Schema:
    """ECS as its fields.csv has it."""

    def __init__(self, path: Path) -> None:
        with path.open(newline="") as rows:
            self.fields = {
                row["Field"]: (row["Type"], row["Normalization"] == "array") for row in csv.DictReader(rows)
            }

    def faults(self, name: str, value: Any) -> Iterator[str]:
        """What is wrong with a value under a name."""
        if name.startswith("zeek."):
            return
        if name not in self.fields:
            if not isinstance(value, dict) or not any(field.startswith(f"{name}.") for field in self.fields):
                yield f"{name} is not in ECS"
                return
            # An object that ECS doesn't list but has fields in.
            for inner, inner_value in value.items():
                yield from self.faults(f"{name}.{inner}", inner_value)
            return
        type_, is_array = self.fields[name]
        if is_array != isinstance(value, list):
            yield f"{name} is {'an' if is_array else 'no'} array: {value!r}"
            return
        for element in value if is_array else [value]:
            if not CHECKS[type_](element):
                yield f"{name} is no {type_}: {element!r}"
            elif isinstance(element, dict):
                for inner, inner_value in element.items():
                    yield from self.faults(f"{name}.{inner}", inner_value)


@pytest.fixture(scope="session")
def schema(shared: Callable[[str], Path]) -> Schema:
    return Schema(shared("ecs") / "fields.csv")


def records(folders: list[Path]) -> Iterator[tuple[str, Record]]:
    for folder in folders:
        for path in sorted(folder.glob("*.log")):
            for line in path.read_bytes().splitlines():
                yield path.stem, json.loads(line)


@pytest.mark.shared
def test_ecs_names_of_plugins_exist(schema: Schema) -> None:
    for plugin in BUILTIN:
        for log in plugin.logs:
            for name in (*log.ecs.values(), *COMMON_ECS.values()):
                assert name in schema.fields
            for name, value in log.constants.items():
                assert list(schema.faults(name, value)) == []


@pytest.mark.shared
def test_real_records_become_ecs(schema: Schema, shared: Callable[[str], Path]) -> None:
    registry = Registry(BUILTIN)
    folders = [
        shared("fidelity") / "logs",
        *sorted(path for path in shared("pcaps").iterdir() if path.is_dir()),
    ]
    count = 0
    misfits = set()
    for name, record in records(folders):
        log = registry.log(name)
        event = ecs.normalize(log, record)
        count += 1
        assert [fault for key, value in event.items() for fault in schema.faults(key, value)] == []
        assert event["event.dataset"] == f"zeek.{name}"
        # Nothing is lost: every field stands somewhere.
        for field in record:
            target = ecs.ecs_name(log, field)
            if target not in event and f"zeek.{name}.{field}" not in event:
                assert target in ("dns.answers.data", "dns.answers.ttl"), field
            if target != f"zeek.{name}.{field}" and f"zeek.{name}.{field}" in event and target not in event:
                misfits.add((name, field))
    assert count > 8000
    # Values that ECS has no room for, in these captures: a Date header that is none, a torn TLS version.
    assert misfits <= {("smtp", "date"), ("ssl", "version")}


@pytest.mark.shared
def test_what_a_seen_declares_hides_no_match(shared: Callable[[str], Path]) -> None:
    """``host`` and ``paths`` let the fast matcher pass records over: never one that matches."""
    registry = Registry(BUILTIN)
    by_log: dict[str, list[Record]] = {}
    for name, record in records([shared("fidelity") / "logs"]):
        by_log.setdefault(name, []).append(record)
    store = Store()
    for name, all_records in by_log.items():
        for record in all_records:
            for type_, value, _ in registry.log(name).observables(record):
                store.add(Indicator(type_, value), Item("all"))
    fast, naive = FastMatcher(store, registry), NaiveMatcher(store, registry)
    for name, all_records in by_log.items():
        batch = DictBatch(name, all_records)
        assert list(fast.matches(batch)) == list(naive.matches(batch))


@pytest.mark.shared
def test_enrichments_are_ecs(schema: Schema) -> None:
    item = Item("feed", "why", "high", 80, "id-1", "https://feed.example/1", ("tlp:amber", "apt"))
    bare = Item("feed")
    values = {
        IndicatorType.ADDR: ("192.0.2.1", "2001:db8::1"),
        IndicatorType.SUBNET: ("192.0.2.0/24", "2001:db8::/32"),
        IndicatorType.URL: ("a.example/x?y", "/gate.php"),
        IndicatorType.FILE_HASH: tuple("0" * length for length in (32, 40, 56, 64, 96, 128)),
    }
    for type_ in IndicatorType:
        for value in values.get(type_, ("x",)):
            for given_item in (item, bare):
                found = ecs.enrichments([(Indicator(type_, value), "HTTP::IN_URL", "seen", given_item)])
                assert list(schema.faults("threat.enrichments", found)) == []
