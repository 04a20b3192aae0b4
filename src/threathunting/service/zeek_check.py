"""Whether a Zeek can hunt: its version, what it was built with, our package in it, and the links to running ones."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from threathunting.service.config_schema import Zeek as Link_
from threathunting.service.endpoint import endpoint_of
from threathunting.service.zeek_package import (
    LISTEN,
    LOAD,
    NAME,
    Zeek,
    ask,
    modules_of,
    package,
    version_of,
)
from threathunting.zeek import protocol
from threathunting.zeek.client import Link
from threathunting.zeek.protocol import Refused, State, understood
from threathunting.zeek.wire import Event, Welcome

ANSWER_SECONDS = 5.0
"""Seconds that the nodes of a Zeek have to tell their states."""

_ANALYZER = re.compile(r"\[Analyzer\] (\w+)")
_ANALYZER_OF = {"CONN": None, "FILE": None, "X509": "SSL", "KERBEROS": "KRB"}
"""The analyzer that a module needs, where it hasn't the module's name; None for none."""

_WITH_SPICY = ("LDAP", "POSTGRESQL", "QUIC")
"""Modules of the engine whose logs only a Zeek with Spicy writes."""


class Node(msgspec.Struct):
    """What a node of a running Zeek told."""

    name: str
    role: str
    version: str
    package: str
    armed: int
    sees_traffic: bool
    modules: list[str]


class Linked(msgspec.Struct):
    """A ``[[zeek]]`` of the configuration, and who answered there."""

    name: str
    url: str
    connected: bool = False
    version: str = ""
    nodes: list[Node] = []
    problems: list[str] = []


class Checked(msgspec.Struct):
    """What was found out. Each of ``problems`` is a sentence: what is wrong, and what to do."""

    package: str
    """The version that this threathunting brings."""
    program: str | None = None
    version: str = ""
    backends: list[str] = []
    websocket: bool = False
    installed: str | None = None
    """Folder of the package that this Zeek finds by name."""
    installed_version: str | None = None
    loads: bool = False
    """Whether Zeek takes the package: the installed one, else ours."""
    loaded_by_site: bool = False
    """Whether ``local.zeek`` loads it."""
    listens: bool = False
    """Whether ``local.zeek`` also lets the service in."""
    missing_analyzers: list[str] = []
    """Modules that find nothing here, as Zeek has no analyzer for them."""
    links: list[Linked] = []
    problems: list[str] = []

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not any(link.problems for link in self.links)


def check(zeek: Zeek | None, links: Iterable[Link_]) -> Checked:
    """Ask a Zeek of this machine, if there is one, and the running ones that ``links`` lead to."""
    checked = Checked(version_of(package()) or "")
    if zeek is not None:
        _ask_zeek(checked, zeek)
    checked.links = asyncio.run(_linked(list(links), checked.package))
    return checked


def _ask_zeek(checked: Checked, zeek: Zeek) -> None:
    checked.version = zeek.version
    if zeek.program is None:
        checked.problems.append(
            f"there is no program bin/zeek beside {zeek.scripts}; give --zeek the Zeek that is to run"
        )
        return
    checked.program = str(zeek.program)
    if zeek.is_too_old:
        checked.problems.append(zeek.too_old())
        return
    plugins = ask([zeek.program, "-NN"])
    checked.backends = [name for name in ("Broker", "ZeroMQ") if f"Zeek::Cluster_Backend_{name} " in plugins]
    checked.websocket = "Zeek::Cluster_WebSocket " in plugins
    if not checked.backends:
        checked.problems.append(
            "Zeek has neither of the cluster backends Broker and ZeroMQ, so the service can't reach it; "
            "use a build with one of them"
        )
    if not checked.websocket:
        checked.problems.append(
            "Zeek has no WebSocket server, so the service can't reach it; use a build with Cluster_WebSocket"
        )
    _missing(checked, plugins)
    with tempfile.TemporaryDirectory(prefix="threathunting-") as folder:
        _look_for_package(checked, zeek, Path(folder))


def _missing(checked: Checked, plugins: str) -> None:
    there = {name.upper() for name in _ANALYZER.findall(plugins)}
    ours = modules_of(package())
    for module in sorted(ours | set(_WITH_SPICY)):
        analyzer = _ANALYZER_OF.get(module, module)
        # Zeek has one of its analyzers for each transport: LDAP_TCP, LDAP_UDP.
        if analyzer is None or any(name.removeprefix("SPICY_").startswith(analyzer) for name in there):
            continue
        checked.missing_analyzers.append(module)
        if module in ours:
            checked.problems.append(
                f"Zeek has no analyzer for {module}, so nothing is found there; use a build that has it"
            )


def _look_for_package(checked: Checked, zeek: Zeek, folder: Path) -> None:
    assert zeek.program is not None
    found = next((path / NAME for path in zeek.paths if (path / NAME / "__load__.zeek").is_file()), None)
    if found is None:
        checked.problems.append(
            f"the package is not installed where Zeek looks ({zeek.site}); run 'threathunting zeek install'"
        )
    else:
        checked.installed, checked.installed_version = str(found), version_of(found)
        if checked.installed_version is None:
            checked.problems.append(
                f"{found} is not our package; move it away and run 'threathunting zeek install'"
            )
            return
        if checked.installed_version != checked.package:
            checked.problems.append(
                f"{found} is version {checked.installed_version} and ours is {checked.package}; "
                "run 'threathunting zeek install' and restart Zeek"
            )
    wrong = _parse(zeek, folder, LOAD if found is not None else f"@load {package()}")
    checked.loads = wrong is None
    if wrong is not None:
        checked.problems.append(
            f"Zeek doesn't take the package: {wrong}; install a version that is made for it"
        )
    if found is not None and wrong is None:
        _look_at_site(checked, zeek, folder)


def _look_at_site(checked: Checked, zeek: Zeek, folder: Path) -> None:
    """Whether the site's ``local.zeek`` loads the package, by whatever way."""
    local = zeek.site / "local.zeek"
    if not local.is_file():
        checked.problems.append(f"there is no {local} that could load the package; make one with '{LOAD}'")
        return
    if (wrong := _parse(zeek, folder, f"@load {local}")) is not None:
        checked.problems.append(f"Zeek doesn't take {local}: {wrong}; put that right first")
        return
    checked.loaded_by_site = _knows(zeek, folder, local, "version")
    checked.listens = _knows(zeek, folder, local, "listen_port")
    if not checked.loaded_by_site:
        checked.problems.append(
            f"{local} doesn't load the package; add '{LOAD}' to it, or '{LISTEN}' "
            "where the service has no other way in, and restart Zeek"
        )


def _knows(zeek: Zeek, folder: Path, script: Path, name: str) -> bool:
    """Whether a name of ours is known once a script is loaded: what isn't Zeek's language fails where it isn't."""
    probe = f"@load {script}\n@ifndef ( ThreatHunting::{name} )\nnot loaded\n@endif"
    return _parse(zeek, folder, probe) is None


def _parse(zeek: Zeek, folder: Path, script: str) -> str | None:
    """Let Zeek parse a script, without running any of it; its first complaint, or None where it has none."""
    assert zeek.program is not None
    path = folder / "probe.zeek"
    path.write_text(script + "\n")
    told = ask([zeek.program, "-a", path], folder)
    lines = [line.strip() for line in told.splitlines() if "error" in line]
    return lines[0] if lines else None


async def _linked(links: list[Link_], version: str) -> list[Linked]:
    return list(await asyncio.gather(*(_Asked(link).answer(version) for link in links)))


class _Asked:
    """One running Zeek, asked for the states of its nodes."""

    def __init__(self, settings: Link_) -> None:
        self._linked = Linked(settings.name or settings.url, settings.url)
        self._states: dict[str, State] = {}
        self._done = asyncio.Event()
        self._link = Link(
            endpoint_of(settings),
            self._connected,
            self._disconnected,
            self._received,
            lambda _: None,
        )
        self._hello: asyncio.Task[None] | None = None
        self._problem = ""

    async def answer(self, version: str) -> Linked:
        """Connect, ask, and wait for all nodes that are expected, or until there was time enough."""
        work = asyncio.create_task(self._link.run())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._done.wait()
        except TimeoutError:
            pass
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        self._judge(version)
        return self._linked

    def _connected(self, welcome: Welcome) -> None:
        self._linked.connected, self._linked.version = True, welcome.version
        self._hello = asyncio.create_task(self._link.send(protocol.hello("threathunting zeek check")))

    def _disconnected(self, reason: str) -> None:
        self._problem = reason
        self._done.set()

    def _received(self, event: Event) -> None:
        try:
            report = understood(event)
        except ValueError as error:
            self._problem = str(error)
            return
        if isinstance(report, Refused):
            self._problem = f"node {report.node}: {report.reason}"
        if isinstance(report, State):
            self._states[report.node] = report
            if (expected := self._expected()) and expected <= self._states.keys():
                self._done.set()

    def _expected(self) -> set[str]:
        return {name for state in self._states.values() for name in state.about.expected_nodes}

    def _judge(self, version: str) -> None:
        linked, problems = self._linked, self._linked.problems
        for state in sorted(self._states.values(), key=lambda one: one.node):
            about = state.about
            linked.nodes.append(
                Node(
                    name=state.node,
                    role=about.role,
                    version=about.zeek,
                    package=about.package,
                    armed=about.armed,
                    sees_traffic=about.sees_traffic,
                    modules=about.modules,
                )
            )
            if about.package != version:
                problems.append(
                    f"node {state.node} runs version {about.package or 'unknown'} of the package, ours is {version}; "
                    "run 'threathunting zeek install' there and restart Zeek"
                )
            problems += [f"node {state.node}: {problem}" for problem in about.problems]
        if not linked.connected:
            told = self._problem or f"Zeek at {linked.url}: no answer in time"
            problems.append(f"{told}; is Zeek running, and does it listen there ('{LISTEN}')?")
        elif not linked.nodes:
            why = self._problem or f"add '{LOAD}' to its local.zeek and restart it"
            problems.append(f"Zeek at {linked.url} is there, but none of its nodes runs the package: {why}")
        else:
            for name in sorted(self._expected() - self._states.keys()):
                problems.append(
                    f"node {name} of {linked.url} doesn't answer; is it running with the package?"
                )
