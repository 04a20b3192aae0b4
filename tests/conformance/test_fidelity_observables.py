"""What plugins find in Zeek's logs, against what Zeek's Intelligence Framework saw in the same traffic.

The captures are public ones; ``../shared/fidelity/README.md`` tells how to compare. docs/fidelity.md has the
numbers, and each miss and extra with its reason. Print the numbers with ``pytest -s``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from threathunting.intel.canonical import canonical
from threathunting.intel.types import IndicatorType
from threathunting.plugins import BUILTIN, Registry, strings

ZEEK_WHERES = frozenset(
    {
        *(f"DNS::IN_{part}" for part in ("REQUEST", "RESPONSE")),
        *(f"Files::IN_{part}" for part in ("HASH", "NAME")),
        *(f"HTTP::IN_{part}_HEADER" for part in ("HOST", "REFERRER", "USER_AGENT", "X_FORWARDED_FOR")),
        "HTTP::IN_URL",
        *(
            f"SMTP::IN_{part}"
            for part in ("MAIL_FROM", "RCPT_TO", "FROM", "TO", "CC", "REPLY_TO", "HEADER", "MESSAGE")
        ),
        *(f"SMTP::IN_{part}_HEADER" for part in ("RECEIVED", "X_ORIGINATING_IP")),
        "SMB::IN_FILE_NAME",
        "SSH::IN_SERVER_HOST_KEY",
        "SSL::IN_SERVER_NAME",
        "X509::IN_CERT",
    }
)
"""Zeek's ``Intel::Where`` but for ``Conn::*``, of which we ask more on purpose."""


class Found(NamedTuple):
    """An observable of a record, with the conversations and files that the record is of."""

    keys: frozenset[str]
    type: IndicatorType
    value: str
    where: str


def found_in(folder: Path) -> Iterator[Found]:
    """All observables of a folder of JSON logs."""
    registry = Registry(BUILTIN)
    for path in sorted(folder.glob("*.log")):
        log = registry.log(path.stem)
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            keys = frozenset(key for name in (*log.uids, "fuid") for key in strings(record.get(name)))
            for type_, value, where in log.observables(record):
                yield Found(keys, type_, value, where)


class Expected(NamedTuple):
    """An observable that Zeek raised."""

    keys: frozenset[str]
    type: IndicatorType
    value: str
    where: str
    in_logs: bool


def expected_in(path: Path, prefix: str) -> list[Expected]:
    """The observables in a file of Zeek's, in our canonical form."""
    expected = []
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        type_ = IndicatorType(row[prefix + "indicator_type"].removeprefix("Intel::").lower())
        expected.append(
            Expected(
                frozenset(row[name] for name in ("uid", "fuid") if name in row),
                type_,
                canonical(type_, row[prefix + "indicator"]),
                row[prefix + "where"],
                row.get("in_logs", True),
            )
        )
    return expected


def armed_in(path: Path) -> set[tuple[IndicatorType, str]]:
    armed = set()
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        type_ = IndicatorType(row["type"])
        armed.add((type_, canonical(type_, row["ioc"])))
    return armed


CERTIFICATES = frozenset({"SSL::IN_CERT_CHAIN", "SSL::IN_CLIENT_CERT_CHAIN", "X509::IN_FINGERPRINT"})
"""Where our side sees certificates as the files that they are to Zeek."""


class Comparison:
    """Recall and precision of what was found, by ``where``."""

    def __init__(self, found: list[Found], expected: list[Expected]) -> None:
        """Compare."""
        have = {(key, one.type, one.value) for one in found for key in one.keys}
        anywhere = {(one.type, one.value) for one in found}
        fingerprints = {(one.type, one.value) for one in found if one.where in CERTIFICATES}
        self.total = Counter(one.where for one in expected)
        self.hits: Counter[str] = Counter()
        self.unkeyed: Counter[str] = Counter()
        self.missed: list[Expected] = []
        for one in expected:
            pair = one.type, one.value
            if any((key, *pair) in have for key in one.keys) or (
                one.where == "X509::IN_CERT" and pair in anywhere
            ):
                self.hits[one.where] += 1
            elif one.where == "Files::IN_HASH" and pair in fingerprints:
                # A certificate's hash. Zeek knows it by its fuid, the logs by uid and fingerprint alone.
                self.unkeyed[one.where] += 1
            else:
                self.missed.append(one)

        wanted = {(key, one.type, one.value, one.where) for one in expected for key in one.keys}
        certificates = {(one.type, one.value) for one in expected if one.where == "X509::IN_CERT"}
        self.zeeks = [one for one in found if one.where in ZEEK_WHERES]
        self.extra = [
            one
            for one in self.zeeks
            if not any((key, one.type, one.value, one.where) in wanted for key in one.keys)
            and not (one.where == "X509::IN_CERT" and (one.type, one.value) in certificates)
        ]

    @property
    def strict_recall(self) -> float:
        """The share found as the README compares: by uid or fuid, what is in certificates by value."""
        return self.hits.total() / self.total.total()

    @property
    def recall(self) -> float:
        """The same with certificates' own hashes by value as well, as no log has their fuid."""
        return (self.hits + self.unkeyed).total() / self.total.total()

    @property
    def precision(self) -> float:
        """The share of what bears a ``where`` of Zeek's that Zeek raised, too."""
        return 1 - len(self.extra) / len(self.zeeks)

    def report(self) -> None:
        """Print the numbers."""
        print(f"\nrecall {self.recall:.4f} (certificates' hashes by fuid: {self.strict_recall:.4f})", end="")
        print(f", precision {self.precision:.4f} of {len(self.zeeks)}")
        for where in sorted(self.total):
            print(f"  {where:32} {self.hits[where]:5} + {self.unkeyed[where]:2} of {self.total[where]}")
        print("  extra:", dict(Counter(one.where for one in self.extra)))


@pytest.mark.shared
def test_a_day_of_logs(shared: Callable[[str], Path]) -> None:
    folder = shared("fidelity")
    armed = armed_in(folder / "intel.jsonl")
    found = [one for one in found_in(folder / "logs") if (one.type, one.value) in armed]
    expected = expected_in(folder / "expected.jsonl", "seen.")
    comparison = Comparison(found, [one for one in expected if one.in_logs])
    comparison.report()
    assert comparison.recall >= 0.99
    assert comparison.missed == []
    # 44 of 2,329: the README's comparison can't reach more, as these fuids are in no log.
    assert comparison.strict_recall >= 0.98

    # What Zeek raised though no log was said to hold it is expected as well, should we find it.
    full = Comparison(found, expected)
    full.report()
    assert full.precision >= 0.99
    assert {one.where for one in full.extra} <= {"DNS::IN_RESPONSE", "SMTP::IN_CC", "SMTP::IN_REPLY_TO"}


NOT_IN_LOGS = {
    "DNS::IN_REQUEST": "NetBIOS names, of which dns.log has the decoded form",
    "Files::IN_HASH": "MD5 and SHA-1 of certificates, which files.log leaves out",
    "SMTP::IN_MESSAGE": "URLs in mails' bodies",
    "SSH::IN_SERVER_HOST_KEY": "MD5, which ssh.log has with md5-host-key-logging only",
    "X509::IN_CERT": "SHA-1 of certificates",
}


@pytest.mark.shared
def test_captures_with_all_that_zeek_asked(shared: Callable[[str], Path]) -> None:
    total: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for folder in sorted(path for path in shared("pcaps").iterdir() if path.is_dir()):
        comparison = Comparison(list(found_in(folder)), expected_in(folder / "seen.jsonl", ""))
        total += comparison.total
        hits += comparison.hits + comparison.unkeyed
        # What is missed is in no log, whatever its field.
        text = "\n".join(path.read_text() for path in sorted(folder.glob("*.log"))).lower()
        assert [one for one in comparison.missed if one.value in text] == []
        assert {one.where for one in comparison.missed} <= set(NOT_IN_LOGS)
    print()
    for where in sorted(total):
        print(f"  {where:32} {hits[where]:4} of {total[where]}")
    assert hits.total() / total.total() > 0.85
