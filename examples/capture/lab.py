"""A small office and a small internet, in network namespaces of their own.

Each host is a namespace with its own host name, hosts file and resolver. Office hosts hang on one bridge of
the router and internet hosts on another one, so what crosses the office bridge is what an office sensor sees.
Nothing here has a way to a real network.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

OFFICE = ipaddress.ip_network("10.20.0.0/24")
OFFICE_BRIDGE = "office"
GATEWAYS = {
    OFFICE_BRIDGE: ("10.20.0.1/24", "2001:db8:20::1/64"),
    "internet": (
        "192.0.2.1/24",
        "198.51.100.1/24",
        "203.0.113.1/24",
        "2001:db8:10::1/64",
        "2001:db8:bad::1/64",
    ),
}
RESOLVER = "10.20.0.53"
ETC_NETNS = Path("/etc/netns")
QUIET = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Host:
    """A host: its full name, its addresses, and whether it asks the resolver over TCP."""

    name: str
    v4: str
    v6: str | None = None
    dns_over_tcp: bool = False

    @property
    def namespace(self) -> str:
        """The namespace it lives in."""
        return "threathunting-" + self.v4.replace(".", "-")

    @property
    def bridge(self) -> str:
        """The bridge it hangs on."""
        return OFFICE_BRIDGE if ipaddress.ip_address(self.v4) in OFFICE else "internet"


class Lab:
    """The hosts, the router between them, and the programs that run there. Leaving it removes all."""

    ROUTER = "threathunting-router"

    def __init__(self, hosts: Sequence[Host], folder: Path) -> None:
        self._hosts = hosts
        self.folder = folder
        """Where the hosts' programs keep their files."""
        self._programs: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "lab.log").open("ab")
        self._made_etc = False

    def __enter__(self) -> Lab:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def account(self, host: Host, user: str, password_hash: str) -> None:
        """Let ``user`` exist on this host only: its passwd and shadow files stand in the system's place."""
        folder = ETC_NETNS / host.namespace
        home = self.folder / f"home-{user}"
        home.mkdir()
        os.chown(home, 2001, 2001)
        lines = [
            "root:x:0:0::/:/bin/sh",
            "sshd:x:100:65534::/run/sshd:/bin/false",
            f"{user}:x:2001:2001::{home}:/bin/sh",
        ]
        (folder / "passwd").write_text("\n".join(lines) + "\n")
        (folder / "shadow").write_text(f"root:*:20000::::::\n{user}:{password_hash}:20000::::::\n")
        (folder / "shadow").chmod(0o600)

    def run(self, host: Host, *command: str, status: int | None = 0, text: str = "") -> str:
        """Run a command on a host and give what it wrote to standard error; any other ``status`` raises."""
        done = subprocess.run(
            self._inside(host, command),
            input=text.encode(),
            capture_output=True,
            env=QUIET,
            timeout=60,
            check=False,
        )
        said = done.stderr.decode(errors="replace")
        self._log.write(f"{host.name}: {' '.join(command)}: {done.returncode}\n{said}\n".encode())
        if status is not None and done.returncode != status:
            raise RuntimeError(
                f"{host.name}: '{command[0]}' ended with {done.returncode}: {said.strip()[-500:]}"
            )
        return said

    def serve(self, host: Host, *command: str, ports: Sequence[int], setup: str = "") -> None:
        """Start a server on a host, after ``setup`` (shell), and wait until it listens on ``ports``."""
        self._start(self._inside(host, command, setup))
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if self._programs[-1].poll() is not None:
                break
            listening = _ip("netns", "exec", host.namespace, "ss", "-Hlntu")
            if all(f":{port} " in listening for port in ports):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{host.name}: '{command[0]}' does not listen on {ports}; see {self._log.name}")

    def capture(self, path: Path) -> subprocess.Popen[bytes]:
        """Start tcpdump on the office bridge; end it with ``stop``."""
        dump = [
            "tcpdump",
            "-Z",
            "root",
            "-n",
            "-U",
            "-s",
            "0",
            "-B",
            "8192",
            "-i",
            OFFICE_BRIDGE,
            "-w",
            str(path),
        ]
        program = self._start(["ip", "netns", "exec", self.ROUTER, *dump])
        time.sleep(1)
        return program

    def stop(self, program: subprocess.Popen[bytes]) -> None:
        """End a program as Ctrl-C would and wait for it."""
        program.send_signal(signal.SIGINT)
        program.wait(timeout=10)

    def _inside(self, host: Host, command: Sequence[str], setup: str = "") -> list[str]:
        script = f'hostname "$0"; {setup} exec "$@"'
        return [
            "ip",
            "netns",
            "exec",
            host.namespace,
            "unshare",
            "--uts",
            "sh",
            "-ec",
            script,
            host.name,
            *command,
        ]

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=QUIET, cwd=self.folder
        )
        self._programs.append(program)
        return program

    def _build(self) -> None:
        self._made_etc = not ETC_NETNS.exists()
        ETC_NETNS.mkdir(exist_ok=True)
        self._clear()  # what a run that was killed may have left
        self._namespace(self.ROUTER)
        _sysctl(self.ROUTER, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for number, (bridge, addresses) in enumerate(GATEWAYS.items()):
            _in(
                self.ROUTER,
                "link",
                "add",
                bridge,
                "address",
                f"02:00:00:00:00:{number + 1:02x}",
                "type",
                "bridge",
            )
            for address in addresses:
                _in(self.ROUTER, "address", "add", address, "dev", bridge, *_no_dad(address))
            _in(self.ROUTER, "link", "set", bridge, "up")
        for number, host in enumerate(self._hosts):
            self._connect(host, f"port{number}")
        time.sleep(2)

    def _namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        _sysctl(
            name, *(f"net.ipv6.conf.{scope}.{key}=0" for scope in ("all", "default") for key in _NO_CHATTER)
        )
        _in(name, "link", "set", "lo", "up")

    def _connect(self, host: Host, port: str) -> None:
        self._namespace(host.namespace)
        etc = ETC_NETNS / host.namespace
        etc.mkdir()
        options = "options use-vc\n" if host.dns_over_tcp else ""
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\n{options}")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{host.v4} {host.name}\n")
        (etc / "nsswitch.conf").write_text("passwd: files\nshadow: files\ngroup: files\nhosts: files dns\n")
        mac = "02:00:" + ":".join(f"{int(part):02x}" for part in host.v4.split("."))
        peer = ("peer", "name", port, "netns", self.ROUTER)
        _in(host.namespace, "link", "add", "eth0", "address", mac, "type", "veth", *peer)
        for namespace, device in ((host.namespace, "eth0"), (self.ROUTER, port)):
            # Packets as they are on a wire: no giant segments, no checksums left to a card that isn't there.
            offloads = ("tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            _ip("netns", "exec", namespace, "ethtool", "-K", device, *offloads)
        _in(self.ROUTER, "link", "set", port, "master", host.bridge, "up")
        _in(host.namespace, "link", "set", "eth0", "up")
        for address in filter(None, (host.v4, host.v6)):
            size = 64 if ":" in address else 24
            gateway = str(ipaddress.ip_interface(f"{address}/{size}").network.network_address + 1)
            _in(host.namespace, "address", "add", f"{address}/{size}", "dev", "eth0", *_no_dad(address))
            everywhere = "::/0" if ":" in address else "0.0.0.0/0"
            _in(host.namespace, "route", "add", everywhere, "via", gateway)

    def _remove(self) -> None:
        for program in reversed(self._programs):
            program.terminate()
        for program in self._programs:
            try:
                program.wait(timeout=5)
            except subprocess.TimeoutExpired:
                program.kill()
        self._clear()
        if self._made_etc:
            ETC_NETNS.rmdir()
        self._log.close()

    def _clear(self) -> None:
        for name in (self.ROUTER, *(host.namespace for host in self._hosts)):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            shutil.rmtree(ETC_NETNS / name, ignore_errors=True)


_NO_CHATTER = ("accept_ra", "router_solicitations", "accept_dad", "dad_transmits")


def _no_dad(address: str) -> tuple[str, ...]:
    return ("nodad",) if ":" in address else ()


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, env=QUIET, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"'ip {' '.join(arguments)}' failed: {done.stderr.strip()}")
    return done.stdout


def _in(namespace: str, *arguments: str) -> str:
    return _ip("-n", namespace, *arguments)


def _sysctl(namespace: str, *settings: str) -> None:
    _ip("netns", "exec", namespace, "sysctl", "-qw", *settings)
