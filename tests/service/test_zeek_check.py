"""What a check finds wrong, and that each of it is a sentence that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from threathunting.sensors.pcap import find_sensor
from threathunting.service import zeek_check
from threathunting.service.config_schema import Zeek as Link
from threathunting.service.zeek_check import Checked, check
from threathunting.service.zeek_package import Zeek, find_zeek, install, package, version_of
from threathunting.zeek.wire import Event

from ..zeek.peer import Node, Peer
from .test_zeek_package import fake_zeek, older

OURS = version_of(package())
PLUGINS = """\
Zeek::Cluster_Backend_Broker - Cluster backend using Broker (built-in)
Zeek::Cluster_Backend_ZeroMQ - Cluster backend using ZeroMQ (built-in)
Zeek::Cluster_WebSocket - Provides WebSocket access to a Zeek cluster (built-in)
"""
ANALYZERS = ("DNS", "FTP", "HTTP", "KRB", "KRB_TCP", "NTLM", "RDP", "SIP", "SMB", "SMTP", "SSH", "SSL")
SPICY = ("LDAP_TCP", "PostgreSQL", "QUIC")
PLUGINS += "".join(f"    [Analyzer] {name} (ANALYZER_X, enabled)\n" for name in ANALYZERS + SPICY)


def a_zeek(prefix: Path, plugins: str = PLUGINS) -> Zeek:
    """One that tells of ``plugins``, and takes every script but one with ``bad`` in the file that is loaded."""
    program = fake_zeek(prefix)
    (prefix / "plugins").write_text(plugins)
    program.write_text(
        "#!/bin/sh\ncase $1 in\n--version) echo zeek version 8.2.2;;\n"
        f"-NN) cat {prefix}/plugins;;\n"
        # As Zeek: local.zeek may load the package or not.
        f"-a) if grep -q ifndef $2 && ! grep -q threathunting {prefix}/share/zeek/site/local.zeek; then "
        'echo "error in probe.zeek, line 3: syntax error"; fi\n'
        f'if [ -e {prefix}/broken ] && ! grep -q local.zeek $2; then echo "error in link.zeek, line 9: unknown identifier"; fi;;\n'
        "esac\n"
    )
    program.with_name("zeek-config").unlink(missing_ok=True)
    return find_zeek(str(program))


@pytest.fixture
def zeek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zeek:
    monkeypatch.delenv("ZEEKPATH", raising=False)
    zeek = a_zeek(tmp_path / "opt")
    install(zeek, None, force=False)
    (zeek.site / "local.zeek").write_text("@load threathunting\n")
    return zeek


class Telling(Node):
    """A node that tells of itself what a test says."""

    def __init__(self, name: str, **about: Any) -> None:
        super().__init__(name)
        self.about = {"zeek": "8.2.2", "role": "worker", "sees_traffic": True, "package": OURS} | about

    def state(self) -> Event:
        return self._report("state", json.dumps(self.about))


def only_problem(checked: Checked) -> str:
    assert not checked.well
    [problem] = checked.problems or checked.links[0].problems
    return problem


def test_all_is_well(zeek: Zeek) -> None:
    checked = check(zeek, [])
    assert checked.well
    assert checked.problems == []
    assert checked.backends == ["Broker", "ZeroMQ"]
    assert checked.websocket
    assert checked.loads
    assert checked.loaded_by_site
    assert (checked.installed, checked.installed_version) == (str(zeek.site / "threathunting"), OURS)
    assert checked.missing_analyzers == []


def test_a_build_without_spicy_misses_modules_that_the_package_doesnt_have(
    zeek: Zeek, tmp_path: Path
) -> None:
    lines = [line for line in PLUGINS.splitlines() if not any(n in line for n in ("LDAP", "QUIC", "Postgre"))]
    (tmp_path / "opt/plugins").write_text("\n".join(lines))
    checked = check(zeek, [])
    assert checked.missing_analyzers == ["LDAP", "POSTGRESQL", "QUIC"]
    assert checked.well


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("Cluster_Backend", "neither of the cluster backends"),
        ("Cluster_WebSocket", "no WebSocket server"),
        ("Analyzer] KRB", "no analyzer for KERBEROS"),
    ],
)
def test_what_the_build_lacks_is_told(zeek: Zeek, tmp_path: Path, without: str, told: str) -> None:
    lines = [line for line in PLUGINS.splitlines() if without not in line]
    (tmp_path / "opt/plugins").write_text("\n".join(lines))
    assert told in only_problem(check(zeek, []))


def test_a_zeek_too_old_is_asked_no_more(tmp_path: Path) -> None:
    zeek = find_zeek(str(fake_zeek(tmp_path, "6.0.3")))
    assert "Zeek 6.0.3 is too old" in only_problem(check(zeek, []))


def test_without_the_package_it_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZEEKPATH", raising=False)
    checked = check(a_zeek(tmp_path), [])
    assert "run 'threathunting zeek install'" in only_problem(checked)
    assert checked.loads


def test_another_version_of_the_package_is_told(zeek: Zeek) -> None:
    older(zeek.site / "threathunting", "0.0.9")
    assert f"is version 0.0.9 and ours is {OURS}" in only_problem(check(zeek, []))


def test_a_folder_of_somebody_else_is_told(zeek: Zeek) -> None:
    (zeek.site / "threathunting" / "config.zeek").unlink()
    assert "is not our package" in only_problem(check(zeek, []))


def test_a_package_that_zeek_doesnt_take_is_told_with_zeeks_reason(zeek: Zeek, tmp_path: Path) -> None:
    (tmp_path / "opt/broken").touch()
    checked = check(zeek, [])
    assert "line 9: unknown identifier" in only_problem(checked)
    assert not checked.loads


def test_a_site_that_doesnt_load_the_package_is_told(zeek: Zeek) -> None:
    (zeek.site / "local.zeek").write_text("@load tuning/defaults\n")
    assert "local.zeek doesn't load the package; add '@load threathunting'" in only_problem(check(zeek, []))
    (zeek.site / "local.zeek").unlink()
    assert "make one with '@load threathunting'" in only_problem(check(zeek, []))


def test_a_running_zeek_answers_with_its_nodes() -> None:
    with Peer() as peer:
        names = ["worker-1", "worker-2"]
        peer.nodes = {name: Telling(name, expected_nodes=names) for name in names}
        [linked] = check(None, [Link(url=peer.url, name="edge")]).links
    assert (linked.name, linked.connected, linked.problems) == ("edge", True, [])
    assert [(node.name, node.package) for node in linked.nodes] == [("worker-1", OURS), ("worker-2", OURS)]


def test_a_node_that_is_missing_or_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeek_check, "ANSWER_SECONDS", 1.0)
    with Peer() as peer:
        names = ["worker-1", "worker-2"]
        peer.nodes = {"worker-1": Telling("worker-1", package="0.0.9", expected_nodes=names)}
        [linked] = check(None, [Link(url=peer.url)]).links
    version, missing = linked.problems
    assert "node worker-1 runs version 0.0.9" in version
    assert "node worker-2" in missing


def test_a_zeek_without_the_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeek_check, "ANSWER_SECONDS", 1.0)
    with Peer() as peer:
        peer.deaf = True
        checked = check(None, [Link(url=peer.url)])
    assert "none of its nodes runs the package: add '@load threathunting'" in only_problem(checked)


def test_nobody_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeek_check, "ANSWER_SECONDS", 60.0)
    with Peer() as peer:
        url = peer.url
    checked = check(None, [Link(url=url)])
    assert "connection refused; is Zeek running, and does it listen there" in only_problem(checked)


@pytest.mark.zeek
def test_a_real_zeek_takes_the_package_where_it_is_on_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        program = find_sensor("zeek").program
    except FileNotFoundError as error:
        pytest.skip(str(error))
    monkeypatch.delenv("ZEEKPATH", raising=False)
    real = find_zeek(str(program))
    bare = check(real, [])
    assert bare.version.startswith("8.")
    assert bare.websocket
    assert set(bare.backends) <= {"Broker", "ZeroMQ"} != set()
    assert bare.loads

    # A site of our own, beside Zeek's scripts, so that nothing is installed.
    site = tmp_path / "site"
    site.mkdir()
    paths = (site, *(path for path in real.paths if path != real.site))
    monkeypatch.setenv("ZEEKPATH", ":".join(map(str, paths)))
    zeek = Zeek(real.program, site, real.scripts, paths, real.version)
    (site / "local.zeek").write_text("@load ./more\n")
    (site / "more.zeek").write_text("# nothing yet\n")
    install(zeek, None, force=False)
    checked = check(zeek, [])
    assert (checked.installed, checked.loads, checked.loaded_by_site) == (
        str(site / "threathunting"),
        True,
        False,
    )
    assert "doesn't load the package" in only_problem(checked)

    # Loaded by whatever way is loaded.
    (site / "more.zeek").write_text("@load threathunting\n")
    checked = check(zeek, [])
    assert (checked.well, checked.loaded_by_site, checked.listens) == (True, True, False)
    (site / "more.zeek").write_text("@load threathunting/listen\n")
    assert check(zeek, []).listens

    (site / "more.zeek").write_text("@load threathunting\nnonsense\n")
    assert "Zeek doesn't take" in only_problem(check(zeek, []))
    (site / "threathunting" / "link.zeek").write_text("module ThreatHunting;\nnonsense\n")
    (site / "more.zeek").write_text("@load threathunting\n")
    checked = check(zeek, [])
    assert not checked.loads
    assert "link.zeek" in only_problem(checked)
