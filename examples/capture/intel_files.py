"""The intel on the example capture, in every form that the documentation shows."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "threathunting.example")
WHEN = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Told:
    """What one source says about one indicator."""

    ioc: str
    type: str
    source: str
    level: str
    desc: str
    subdomains: bool = False

    @property
    def id(self) -> str:
        """The same for the same item in every capture and form."""
        return str(uuid.uuid5(NAMESPACE, f"{self.type}|{self.ioc}|{self.source}"))


def items(facts: Mapping[str, str]) -> list[Told]:
    """The intel, in the story's order. ``facts`` holds what only the capture's own maker knows."""
    lure = facts["lure"].removeprefix("http://")
    return [
        Told("203.0.113.9", "addr", "SOAR", "medium", "sends phishing mail"),
        Told("203.0.113.200", "addr", "MISP", "low", "origin of phishing mail"),
        Told("198.51.100.77", "addr", "MISP", "low", "relay for phishing mail"),
        Told("billing@invoiceportal.test", "email", "SOAR", "high", "sender of phishing mail"),
        Told("collections@bulk-hosting.test", "email", "MISP", "medium", "reply address of phishing mail"),
        Told("BulkPost 3.1", "software", "MISP", "low", "mailer of a spam kit"),
        Told("invoice_4711.zip", "file_name", "SOAR", "medium", "attachment of phishing mail"),
        Told(facts["attachment_sha1"], "file_hash", "SOAR", "medium", "attachment of phishing mail"),
        Told(lure, "url", "SOAR", "high", "link to the dropper"),
        Told("download.invoiceportal.test", "domain", "SOAR", "high", "serves the dropper"),
        Told("edge7.bulk-hosting.test", "domain", "MISP", "medium", "host behind several lures"),
        Told("2001:db8:bad::7", "addr", "MISP", "medium", "host behind several lures"),
        Told(facts["dropper_sha256"], "file_hash", "SOAR", "critical", "the dropper"),
        Told("viewer-setup.bin", "file_name", "MISP", "low", "name of several droppers"),
        Told(
            "updates-cdn.test", "domain", "MISP", "medium", "names that the implant makes up", subdomains=True
        ),
        Told("198.51.100.23", "addr", "SOAR", "critical", "command and control"),
        Told("198.51.100.23", "addr", "MISP", "medium", "hosting of ill repute"),
        Told("2001:db8:bad::23", "addr", "SOAR", "high", "command and control"),
        Told("/gate.php", "url", "MISP", "high", "where the implant posts"),
        Told("198.51.100.23:8080/gate.php", "url", "SOAR", "critical", "where the implant posts"),
        Told(facts["implant"], "software", "SOAR", "high", "user agent of the implant"),
        Told("sync.telemetry-node.test", "domain", "SOAR", "critical", "command and control over TLS"),
        Told(
            facts["certificate_sha1"], "cert_hash", "MISP", "high", "certificate of the command and control"
        ),
        Told(
            facts["certificate_sha256"], "cert_hash", "SOAR", "high", "certificate of the command and control"
        ),
        Told(facts["ja3"], "ja3", "MISP", "medium", "TLS client of the implant"),
        Told(facts["ja4"], "ja4", "SOAR", "medium", "TLS client of the implant"),
        Told("203.0.113.45", "addr", "SOAR", "high", "guesses passwords"),
        Told(facts["hassh"], "hassh", "MISP", "medium", "SSH client of a password guesser"),
        Told(facts["host_key_md5"], "pubkey_hash", "MISP", "high", "SSH server for tunnels"),
        Told(facts["host_key_sha256"], "pubkey_hash", "SOAR", "high", "SSH server for tunnels"),
        Told("198.51.100.90", "addr", "SOAR", "medium", "takes stolen files"),
        Told(facts["ftp_user"], "user_name", "SOAR", "medium", "account for stolen files"),
        Told("203.0.113.64/28", "subnet", "MISP", "low", "scans web servers"),
        Told("quiet.never-seen.test", "domain", "SOAR", "critical", "never shows in the capture"),
        Told("203.0.113.250", "addr", "MISP", "medium", "never shows in the capture"),
        Told("mirror.example", "domain", "MISP", "low", "a feed's mistake: stands on the allow-list"),
    ]


def write(folder: Path, facts: Mapping[str, str]) -> None:
    """Write ``intel.*`` into ``folder``."""
    told = items(facts)
    forms: dict[str, Callable[[list[Told]], str]] = {
        "intel.jsonl": messages,
        "intel.dat": zeek,
        "intel.txt": plain,
        "intel.csv": table,
        "intel.stix.json": stix,
        "intel.misp.json": misp,
    }
    for name, form in forms.items():
        (folder / name).write_text(form(told))


def messages(told: list[Told]) -> str:
    """Our own messages, one a line, as they stand on the topic."""

    def message(item: Told) -> dict[str, Any]:
        meta: dict[str, Any] = {"source": item.source, "desc": item.desc, "level": item.level, "id": item.id}
        return {
            "ioc": item.ioc,
            "type": item.type,
            "meta": meta | ({"subdomains": True} if item.subdomains else {}),
        }

    return "".join(json.dumps(message(item)) + "\n" for item in told)


def zeek(told: list[Told]) -> str:
    """Zeek's intel file. Zeek passes over the last two columns, and knows certificates by SHA-1 alone."""
    columns = ("indicator", "indicator_type", "meta.source", "meta.desc", "meta.level", "meta.subdomains")
    lines = ["#fields\t" + "\t".join(columns)]
    for item in told:
        if item.type not in ("ja3", "ja4", "hassh"):
            kind, subdomains = f"Intel::{item.type.upper()}", "T" if item.subdomains else "-"
            lines.append("\t".join((item.ioc, kind, item.source, item.desc, item.level, subdomains)))
    return "\n".join(lines) + "\n"


def plain(told: list[Told]) -> str:
    """A list as people mail it: defanged, types to be guessed."""
    lines = ["# Indicators of the invoice campaign, defanged"]
    for item in told:
        if item.type in ("addr", "domain", "subnet", "email"):
            star = "*." if item.subdomains else ""
            lines.append(star + item.ioc.replace(".", "[.]").replace("@", "[@]"))
        elif item.type == "url" and not item.ioc.startswith("/"):
            host, slash, path = item.ioc.partition("/")
            lines.append("hxxp://" + host.replace(".", "[.]") + slash + path)
        elif item.type == "file_hash":
            lines.append(item.ioc)
    return "\n".join(dict.fromkeys(lines)) + "\n"


def table(told: list[Told]) -> str:
    """A table with a header."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["indicator", "type", "source", "level", "description"])
    for item in told:
        star = "*." if item.subdomains else ""
        rows.writerow([star + item.ioc, item.type, item.source, item.level, item.desc])
    return text.getvalue()


def stix(told: list[Told]) -> str:
    """A STIX 2.1 bundle (sections 4.5, 4.7 and 9). STIX has no place for a level, so it is a label."""
    sources = {
        source: {
            "type": "identity",
            "spec_version": "2.1",
            "id": f"identity--{uuid.uuid5(NAMESPACE, source)}",
            "created": WHEN,
            "modified": WHEN,
            "name": source,
            "identity_class": "system",
        }
        for source in sorted({item.source for item in told})
    }
    objects: list[dict[str, Any]] = [*sources.values()]
    for item in told:
        if pattern := _pattern(item):
            objects.append(
                {
                    "type": "indicator",
                    "spec_version": "2.1",
                    "id": f"indicator--{item.id}",
                    "created_by_ref": sources[item.source]["id"],
                    "created": WHEN,
                    "modified": WHEN,
                    "name": item.desc,
                    "indicator_types": ["malicious-activity"],
                    "labels": [f"level:{item.level}"],
                    "pattern": pattern,
                    "pattern_type": "stix",
                    "valid_from": WHEN,
                }
            )
    return _json({"type": "bundle", "id": f"bundle--{uuid.uuid5(NAMESPACE, 'stix')}", "objects": objects})


def _pattern(item: Told) -> str:
    hashes = {32: "MD5", 40: "SHA-1", 64: "SHA-256"}
    paths = {
        "addr": f"ipv{6 if ':' in item.ioc else 4}-addr:value",
        "subnet": "ipv4-addr:value",
        "domain": "domain-name:value",
        "email": "email-addr:value",
        "url": "url:value",
        "file_name": "file:name",
        "file_hash": f"file:hashes.'{hashes.get(len(item.ioc))}'",
        "cert_hash": f"x509-certificate:hashes.'{hashes.get(len(item.ioc))}'",
        "user_name": "user-account:account_login",
        "software": "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
    }
    if item.type not in paths or item.ioc.startswith("/"):
        return ""
    value = f"http://{item.ioc}" if item.type == "url" else item.ioc
    return f"[{paths[item.type]} = '{value}']"


def misp(told: list[Told]) -> str:
    """A MISP event (MISP core format, draft-dulaunoy-misp-core-format)."""
    kinds = {
        "addr": ("ip-dst", "Network activity"),
        "subnet": ("ip-src", "Network activity"),
        "domain": ("domain", "Network activity"),
        "email": ("email-src", "Payload delivery"),
        "url": ("url", "Network activity"),
        "software": ("user-agent", "Network activity"),
        "file_name": ("filename", "Payload delivery"),
        "ja3": ("ja3-fingerprint-md5", "Network activity"),
        "hassh": ("hassh-md5", "Network activity"),
        "pubkey_hash": ("ssh-fingerprint", "Network activity"),
    }
    hashes = {40: "sha1", 64: "sha256"}
    attributes = []
    for item in told:
        kind, category = kinds.get(item.type, ("", ""))
        value = item.ioc
        if item.type == "file_hash":
            kind, category = hashes[len(value)], "Payload delivery"
        elif item.type == "cert_hash":
            kind, category = f"x509-fingerprint-{hashes[len(value)]}", "Network activity"
        elif item.type == "url":
            kind, value = ("uri", value) if value.startswith("/") else (kind, f"http://{value}")
        if not kind:
            continue
        attributes.append(
            {
                "uuid": item.id,
                "type": kind,
                "category": category,
                "value": value,
                "to_ids": True,
                "comment": item.desc,
                "timestamp": "1767225600",
            }
        )
    event = {
        "uuid": str(uuid.uuid5(NAMESPACE, "misp")),
        "info": "Invoice campaign (the example of threathunting)",
        "date": WHEN[:10],
        "timestamp": "1767225600",
        "threat_level_id": "1",
        "analysis": "2",
        "published": True,
        "Orgc": {"name": "Example CERT", "uuid": str(uuid.uuid5(NAMESPACE, "orgc"))},
        "Attribute": attributes,
    }
    return _json({"Event": event})


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
