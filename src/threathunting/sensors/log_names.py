"""Which Zeek log a file or a record is of."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

_NAME = re.compile(
    r"(?:json_streaming_)?(?P<log>[a-z][a-z0-9_]*?)(?:-investigation)?"
    r"(?:[-_.]\d[\w:.\-]*|\.[\d:\-T]+)?\.(?:log|json|jsonl|ndjson)(?:\.\d+)?(?:\.(?:gz|zst|zstd|bz2|xz))?",
    re.I,
)

_ROTATED = re.compile(
    r".*(?:[-_.]\d[\w:.\-]*\.(?:log|json|jsonl|ndjson)|[.\-]\d[\d.\-]*|\.(?:gz|zst|zstd|bz2|xz))", re.I | re.S
)

_SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("conn", frozenset({"conn_state"})),
    ("conn", frozenset({"history", "orig_pkts"})),
    ("dns", frozenset({"qtype_name"})),
    ("dns", frozenset({"query", "trans_id"})),
    ("dns", frozenset({"rcode_name", "trans_id"})),
    ("http", frozenset({"request_body_len", "response_body_len"})),
    ("http", frozenset({"trans_depth", "status_code"})),
    ("files", frozenset({"fuid", "seen_bytes"})),
    ("x509", frozenset({"certificate.subject"})),
    ("x509", frozenset({"certificate.serial"})),
    ("ssl", frozenset({"ssl_history"})),
    ("ssl", frozenset({"cipher", "version"})),
    ("ssl", frozenset({"server_name", "established"})),
    ("ssh", frozenset({"auth_attempts"})),
    ("ssh", frozenset({"kex_alg"})),
    ("smtp", frozenset({"trans_depth", "helo"})),
    ("smtp", frozenset({"trans_depth", "mailfrom"})),
    ("smb_files", frozenset({"times.modified"})),
    ("smb_mapping", frozenset({"share_type"})),
    ("ftp", frozenset({"command", "reply_code"})),
    ("kerberos", frozenset({"request_type", "client"})),
    ("ntlm", frozenset({"server_nb_computer_name"})),
    ("rdp", frozenset({"security_protocol"})),
    ("sip", frozenset({"call_id", "request_from"})),
    ("dce_rpc", frozenset({"named_pipe", "operation"})),
    ("pe", frozenset({"machine", "subsystem"})),
    ("tunnel", frozenset({"tunnel_type"})),
    ("dhcp", frozenset({"msg_types", "mac"})),
)

UNKNOWN = "unknown"
"""The log of a record that neither its stream nor its fields tell."""

OWN = frozenset({"intel"})
"""Logs in a folder that are results, not evidence, beside ``*-investigation``."""


def from_file_name(path: PurePath | str) -> str | None:
    """``conn`` for conn.log, conn.10:00:00-11:00:00.log.gz, conn-20260101.log, json_streaming_conn.1.log ..."""
    match = _NAME.fullmatch(PurePath(path).name)
    return match.group("log").lower() if match else None


def from_first_words(path: PurePath | str, known: Collection[str]) -> str | None:
    """The known log that a freely chosen file name begins with: ``dns`` for dns.json.log or dns_site-a.log."""
    words = re.split(r"([._\- ])", PurePath(path).name.lower())
    return next((name for end in range(len(words), 0, -2) if (name := "".join(words[:end])) in known), None)


def looks_rotated(path: PurePath | str) -> bool:
    """Whether a file's name has a date, a number or the ending of an archive, as names of rotated logs have."""
    return _ROTATED.fullmatch(PurePath(path).name) is not None


def is_result(path: PurePath) -> bool:
    """Whether a file in a folder is a result of hunting (Zeek's or ours), not a log to hunt in."""
    name = path.name.lower()
    return "-investigation" in name or from_file_name(path) in OWN


def from_fields(record: Mapping[str, Any]) -> str:
    """The log whose typical fields a record has; ``unknown`` where none fits."""
    names = record.keys()
    return next((log for log, needed in _SHAPES if needed <= names), UNKNOWN)
