"""MISP: events, searches, feeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threathunting.intel.formats.misp import FORMAT, is_manifest
from threathunting.intel.types import Item

from ..reading import added, armed, items, only_reason, read, refused, removed

SHA256, SHA1, MD5 = "a" * 64, "b" * 40, "c" * 32


def attribute(type: str, value: str, **fields: Any) -> dict[str, Any]:
    return {"type": type, "value": value, "to_ids": True, "uuid": "u1"} | fields


def event(*attributes: Any, **fields: Any) -> dict[str, Any]:
    return {
        "Event": {
            "info": "Bad things",
            "threat_level_id": "1",
            "Orgc": {"name": "CIRCL"},
            "Tag": [{"name": "tlp:green"}],
            "Attribute": list(attributes),
        }
        | fields
    }


def told(*attributes: Any) -> list[tuple[str, str]]:
    return armed(read(FORMAT, json.dumps(event(*attributes))))


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        ("ip-src", "192.0.2.1", [("addr", "192.0.2.1")]),
        ("ip-dst", "192.0.2.0/24", [("subnet", "192.0.2.0/24")]),
        ("ip-dst|port", "192.0.2.1|443", [("addr", "192.0.2.1")]),
        ("ip-src|port", "2001:db8::1|443", [("addr", "2001:db8::1")]),
        ("domain", "evil[.]com", [("domain", "evil.com")]),
        ("hostname", "www.evil.com", [("domain", "www.evil.com")]),
        ("hostname|port", "www.evil.com|8080", [("domain", "www.evil.com")]),
        ("domain|ip", "evil.com|192.0.2.1", [("domain", "evil.com"), ("addr", "192.0.2.1")]),
        ("url", "hxxp://evil.com/x", [("url", "evil.com/x")]),
        ("uri", "/gate.php", [("url", "/gate.php")]),
        ("email", "bad@evil.com", [("email", "bad@evil.com")]),
        ("email-src", "bad@evil.com", [("email", "bad@evil.com")]),
        ("email-dst", "bad@evil.com", [("email", "bad@evil.com")]),
        ("email-reply-to", "bad@evil.com", [("email", "bad@evil.com")]),
        ("filename", "Evil.exe", [("file_name", "evil.exe")]),
        ("md5", MD5, [("file_hash", MD5)]),
        ("sha1", SHA1, [("file_hash", SHA1)]),
        ("sha224", "a" * 56, [("file_hash", "a" * 56)]),
        ("sha256", SHA256, [("file_hash", SHA256)]),
        ("sha384", "a" * 96, [("file_hash", "a" * 96)]),
        ("sha512", "a" * 128, [("file_hash", "a" * 128)]),
        ("filename|md5", f"a|b.exe|{MD5}", [("file_hash", MD5)]),
        ("filename|sha256", f"invoice.pdf|{SHA256}", [("file_hash", SHA256)]),
        ("malware-sample", f"x.exe|{MD5}", [("file_hash", MD5)]),
        ("user-agent", "Evil Agent", [("software", "evil agent")]),
        ("x509-fingerprint-sha1", SHA1, [("cert_hash", SHA1)]),
        ("x509-fingerprint-md5", MD5, [("cert_hash", MD5)]),
        ("x509-fingerprint-sha256", SHA256, [("cert_hash", SHA256)]),
        ("ja3-fingerprint-md5", MD5, [("ja3", MD5)]),
        ("hassh-md5", MD5, [("hassh", MD5)]),
        ("hasshserver-md5", MD5, [("hassh", MD5)]),
        ("ssh-fingerprint", ":".join(["aa"] * 16), [("pubkey_hash", ":".join(["aa"] * 16))]),
    ],
)
def test_types(type: str, value: str, expected: list[tuple[str, str]]) -> None:
    assert told(attribute(type, value)) == expected


@pytest.mark.parametrize(
    "type",
    [
        "imphash",
        "ssdeep",
        "link",
        "comment",
        "filename|imphash",
        "github-username",
        "target-user",
        "sha512/256",
        "sha3-256",
    ],
)
def test_types_not_hunted(type: str) -> None:
    assert (
        only_reason(read(FORMAT, json.dumps(event(attribute(type, f"x|{SHA256}")))))
        == f"type not hunted: {type}"
    )


def test_all_that_an_event_tells() -> None:
    told = attribute("domain", "evil.com", Tag=[{"name": "c2"}, {"name": "tlp:green"}], comment="a comment")
    assert items(read(FORMAT, json.dumps(event(told)))) == [
        Item("CIRCL", desc="Bad things", level="high", id="u1", tags=("tlp:green", "c2"))
    ]
    bare = {"Event": {"Attribute": [{"type": "domain", "value": "evil.com", "comment": "a comment"}]}}
    assert items(read(FORMAT, json.dumps(bare))) == [Item("MISP", desc="a comment")]


@pytest.mark.parametrize(
    ("threat_level", "level"),
    [("1", "high"), (2, "medium"), ("3", "low"), ("4", "low"), (None, "low"), ([], "low")],
)
def test_levels(threat_level: object, level: str) -> None:
    (item,) = items(
        read(FORMAT, json.dumps(event(attribute("domain", "evil.com"), threat_level_id=threat_level)))
    )
    assert item.level == level


@pytest.mark.parametrize("to_ids", [False, "0", 0, "false"])
def test_to_ids(to_ids: object) -> None:
    data = json.dumps(event(attribute("domain", "evil.com", to_ids=to_ids)))
    assert only_reason(read(FORMAT, data)) == "to_ids is false"
    assert armed(read(FORMAT, data, all_attributes=True)) == [("domain", "evil.com")]


def test_objects_and_deleted_ones() -> None:
    data = event(
        attribute("domain", "live.com"),
        attribute("domain", "gone.com", deleted=True, to_ids=False),
        attribute("comment", "gone", deleted="1"),
        Object=[
            {"name": "file", "Attribute": [attribute("md5", MD5), attribute("sha1", SHA1, deleted="1")]},
            {"name": "file", "deleted": True, "Attribute": [attribute("sha256", SHA256)]},
        ],
    )
    entries = read(FORMAT, json.dumps(data))
    assert removed(entries) == [
        ("domain", "gone.com", "CIRCL"),
        ("file_hash", SHA1, "CIRCL"),
        ("file_hash", SHA256, "CIRCL"),
    ]
    assert armed(entries) == [("domain", "live.com"), ("file_hash", MD5)]
    assert removed(entries[:3]) == removed(entries)


def test_responses() -> None:
    one = event(attribute("domain", "evil.com"))
    two = event(attribute("domain", "worse.com"), Orgc={"name": "CERT"})
    for data in ({"response": [one, two]}, [one, two]):
        entries = read(FORMAT, json.dumps(data))
        assert armed(entries) == [("domain", "evil.com"), ("domain", "worse.com")]
        assert [item.source for item in items(entries)] == ["CIRCL", "CERT"]
    found = {
        "response": {
            "Attribute": [attribute("domain", "evil.com", Event={"info": "From the event", "id": "5"})]
        }
    }
    assert items(read(FORMAT, json.dumps(found))) == [Item("MISP", desc="From the event", id="u1")]


def feed(folder: Path) -> Path:
    uuids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
    for uuid, domain in zip(uuids, ["newer.com", "older.com"], strict=False):
        (folder / f"{uuid}.json").write_text(json.dumps(event(attribute("domain", domain))))
    (folder / f"{uuids[2]}.json").write_text("broken")
    manifest: dict[str, Any] = {
        uuids[0]: {"timestamp": "200", "info": "x"},
        uuids[1]: {"timestamp": 100},
        uuids[2]: 5,
        uuids[3]: {"timestamp": "300"},
        "../outside": {"timestamp": 1},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


def test_a_feed(tmp_path: Path) -> None:
    manifest = feed(tmp_path)
    assert is_manifest(manifest.read_bytes())
    assert FORMAT.looks_like("manifest.json", manifest.read_bytes())
    entries = read(FORMAT, manifest.read_bytes(), path=str(manifest))
    assert added(entries) == [("domain", "older.com"), ("domain", "newer.com")]
    reasons = [reason for _, reason in refused(entries)]
    assert len(reasons) == 3
    assert reasons[0].startswith("not a MISP event")
    assert reasons[1] == "a name in the manifest is no UUID"
    assert reasons[2].startswith("the manifest names it, but it can't be read")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "not a MISP event"),
        ('{"Event": ', "not a MISP event"),
        ("[" * 100_000, "not a MISP event"),
        ('{"Event": {}}', "holds no attribute"),
        ('{"Event": {"Attribute": 5, "Object": [5]}}', "holds no attribute"),
        ('{"Event": {"Attribute": [{"type": 5, "value": "x"}]}}', "no type or no value"),
        ('{"Event": {"Attribute": [{"type": "ip-dst|port", "value": "192.0.2.1"}]}}', "is no pair"),
        ('{"00000000-0000-4000-8000-000000000000": {', "not a MISP manifest"),
    ],
)
def test_broken_files(data: str, reason: str) -> None:
    assert reason in only_reason(read(FORMAT, data))


ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 5, 1.5, "x", "", [], ["x", 5, None], {}, {"a": 1}, [[]], {"Attribute": [[]]}]
)
EVENT_FIELDS = ["info", "threat_level_id", "Orgc", "Tag", "Object", "deleted", "Event", "response", "uuid"]
ATTRIBUTE_FIELDS = ["type", "value", "to_ids", "deleted", "uuid", "Tag", "comment", "Event"]


@given(
    st.dictionaries(st.sampled_from(EVENT_FIELDS), ANYTHING),
    st.dictionaries(st.sampled_from(ATTRIBUTE_FIELDS), ANYTHING),
)
def test_wrong_types_in_any_field(in_event: dict[str, Any], in_attribute: dict[str, Any]) -> None:
    odd = attribute("md5", MD5) | in_attribute
    data = event(attribute("domain", "evil.com"), odd, 5, **in_event)
    entries = read(FORMAT, json.dumps(data))
    told = added(entries) + [(type, value) for type, value, _ in removed(entries)]
    assert ("domain", "evil.com") in told


@pytest.mark.parametrize(
    ("head", "is_misp"),
    [
        ('{"Event": {', True),
        ('\ufeff{"response": [', True),
        ('{"response":{"Attribute":[', True),
        ('{"ioc": "x"}', False),
        ("", False),
    ],
)
def test_looks_like(head: str, is_misp: bool) -> None:
    assert FORMAT.looks_like("x", head.encode()) is is_misp
