"""The commands on the topic, where they need no broker: bad usage, and nobody there."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_hunt import run

B = ["-b", "127.0.0.1:9"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["push", *B], "nothing to push"),
        (["push", "--ioc", "evil.example"], "no cluster is named"),
        (["push", "feed.txt", "--subdomains", *B], "--subdomains is for values of --ioc"),
        (["push", "feed.txt", "--type", "domain", *B], "--type is for values of --ioc"),
        (["push", "--ioc", "evil.example", "--unkeyed", *B], "--unkeyed says how --create-topics"),
        (["push", "--ioc", "evil.example", "--level", "huge", *B], "huge"),
        (["push", "--ioc", "evil.example", "--confidence", "101", *B], "'--confidence'"),
        (["push", "--ioc", "evil.example", "-c", "nowhere.toml"], "nowhere.toml can't be read"),
        (["remove", *B], "nothing to remove"),
        (["remove", "evil.example", "--source", "S", "--all-sources", *B], "exclude each other"),
        (["remove", "evil.example", *B], "give --source NAME or --all-sources"),
        (["list"], "no cluster is named"),
        (["list", "--type", "nothing", *B], "unknown type 'nothing'"),
        (["list", "-X", "no.such.setting=1", *B], "no.such.setting"),
    ],
)
def test_bad_usage(arguments: list[str], sentence: str) -> None:
    done = run("intel", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.decode().split())


def test_a_configuration_without_kafka(tmp_path: Path) -> None:
    path = tmp_path / "threathunting.toml"
    (tmp_path / "feed.txt").write_text("evil.example\n")
    path.write_text(
        f'[service]\nstate = "{tmp_path}/state"\n[[follow]]\npath = "logs"\n'
        '[output.files]\nfolder = "out"\n[intel]\nfiles = ["feed.txt"]\n'
    )
    done = run("intel", "list", "-c", path)
    assert done.returncode == 2
    assert "has no [kafka]" in done.stderr.decode()


def test_nobody_there() -> None:
    done = run("intel", "push", "--ioc", "evil.example", *B)
    assert done.returncode == 1
    assert "error: Kafka: no broker can be reached" in done.stderr.decode()
