"""``intel check`` and ``intel convert`` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_hunt import run

MIXED = """# a feed
evil[.]example
*.worse.example
198.51.100.0/24
hxxp://evil.example/gate.php
0.0.0.0/0
not an indicator
"""


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "feed.txt"
    path.write_text(MIXED)
    return path


def test_check_counts_types_and_names_every_refusal(feed: Path) -> None:
    done = run("intel", "check", feed)
    text = done.stdout.decode()
    assert done.returncode == 2
    assert f"{feed}:6: " in text
    assert f"{feed}:7: " in text
    assert "too wide" in text
    counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    assert (counts["domain"], counts["subnet"], counts["url"]) == ("2", "1", "1")


def test_check_names_more_refusals_than_a_report_keeps(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text("0.0.0.0/0\n" * 1500 + "evil.example\n")
    assert run("intel", "check", path).stdout.count(b"many.txt:") == 1500


def test_check_of_good_intel(feed: Path) -> None:
    feed.write_text("evil.example\n")
    done = run("intel", "check", feed, "--json")
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert summary["indicators"] == 1
    assert summary["types"] == {"domain": 1}
    assert summary["rejected_intel"] == 0


def test_convert_there_and_back(feed: Path, tmp_path: Path) -> None:
    zeek, ours = tmp_path / "intel.dat", tmp_path / "intel.jsonl"
    assert (
        run("intel", "convert", feed, "--to", "zeek", "-o", zeek).returncode == 2
    )  # two entries are refused
    assert zeek.read_text().startswith("#fields\tindicator\tindicator_type\tmeta.source")
    assert run("intel", "convert", zeek, "--to", "messages", "-o", ours).returncode == 0
    again = run("intel", "convert", feed, "--to", "messages")
    told = {json.loads(line)["ioc"]: json.loads(line) for line in again.stdout.splitlines()}
    assert {json.loads(line)["ioc"] for line in ours.read_text().splitlines()} == told.keys()
    assert told["worse.example"]["meta"]["subdomains"] is True
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["intel", "check", "{tmp}/nowhere"], "nowhere can't be read"),
        (["intel", "convert", "{feed}", "--to", "cef"], "--to"),
        (["intel", "check", "{feed}", "--warninglist", "no-such-list"], "no-such-list"),
        (["intel"], "check"),
    ],
)
def test_bad_usage(arguments: list[str], sentence: str, feed: Path, tmp_path: Path) -> None:
    done = run(*[argument.format(tmp=tmp_path, feed=feed) for argument in arguments])
    assert done.returncode == 2
    assert sentence in (done.stderr + done.stdout).decode()
