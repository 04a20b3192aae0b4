"""A real Apache Kafka on this machine: one node (KRaft), on loopback, on free ports, gone with its owner."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests import kafka_jars

# What a listener of that name speaks. MTLS is TLS that asks the client for a certificate.
LISTENERS = {
    "PLAINTEXT": "PLAINTEXT",
    "SSL": "SSL",
    "MTLS": "SSL",
    "SASL_PLAINTEXT": "SASL_PLAINTEXT",
    "SASL_SSL": "SASL_SSL",
}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

# Below the ports that the kernel gives to outgoing connections, so that a port stays free while a broker is down.
PORTS = range(20_000, 32_000)

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.index.size.max.bytes": "1048576",
    "broker.heartbeat.interval.ms": "500",
    # After a kill, the cluster waits for this long before it takes the broker back.
    "broker.session.timeout.ms": "3000",
    "initial.broker.registration.timeout.ms": "60000",
    "controlled.shutdown.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}

JVM = (
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)


class Broker:
    """A broker with its data in ``folder``. Nothing runs before ``start``.

    ``listeners``: names of LISTENERS beside PLAINTEXT, each on a port of its own. ``certificate`` is a PEM file
    of the broker's key (PKCS 8) and chain, ``ca`` one of who signs clients. ``users`` (name to password) may
    log in by any of MECHANISMS. ``properties`` go over PROPERTIES. ``disk_bytes`` bounds what its topics can
    hold. ``owned``: it ends with the last process that holds it; else only by ``stop``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        listeners: Sequence[str] = (),
        certificate: Path | None = None,
        ca: Path | None = None,
        users: Mapping[str, str] | None = None,
        properties: Mapping[str, str | int] | None = None,
        heap_mb: int = 384,
        disk_bytes: int | None = None,
        owned: bool = True,
    ) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        names = ["PLAINTEXT", *(name for name in listeners if name != "PLAINTEXT")]
        self.ports = dict(zip([*names, "CONTROLLER"], free_ports(len(names) + 1), strict=True))
        self.heap_mb = heap_mb
        self.users = dict(users or {})
        self.started_in = 0.0
        self._extra = {name: str(value) for name, value in (properties or {}).items()}
        self._certificate, self._ca = certificate, ca
        self._disk = Disk(self.folder / "topics", disk_bytes) if disk_bytes else None
        self._owned = owned
        self._held: IO[str] | None = None
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id (of the group, if it is owned) while the broker runs."""
        if self._process is not None:
            self._process.poll()
        if self._pid is not None and not runs(self._pid):
            self._process = self._pid = None
        return self._pid

    def bootstrap(self, listener: str = "PLAINTEXT") -> str:
        """``host:port`` of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    def start(self, timeout: float = 60.0) -> Broker:
        """Start and wait until it answers. Raises RuntimeError with the end of its log."""
        if self.pid is not None:
            return self
        began = time.monotonic()
        if self._disk is not None:
            self._disk.make()
        self._write_properties()
        if not (self.folder / "metadata" / "meta.properties").exists():
            self._format()
        command = self._java("kafka.Kafka", str(self.folder / "server.properties"))
        if self._owned:
            self.hold()
            guard = [sys.executable, str(kafka_jars.TOOLS / "guard.py"), str(self.folder / "users")]
            command = [*guard, *command]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._pid = self._process.pid
        if self._disk is not None:
            self._disk.limit(self._pid)
        try:
            self._wait_until_ready(began + timeout)
        except BaseException:
            self.kill()
            raise
        self.started_in = time.monotonic() - began
        self._save()
        return self

    def stop(self, timeout: float = 30.0) -> None:
        """End it in good order (SIGTERM), by force after ``timeout`` seconds."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End it at once (SIGKILL): a power cut, but for the page cache."""
        self._end(signal.SIGKILL, 10.0)

    def restart(self, timeout: float = 60.0) -> Broker:
        """Stop (if it still runs) and start again, on the same data and ports."""
        self.stop()
        return self.start(timeout)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and say nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._signal(signal.SIGCONT)

    def grow_disk(self, size: int) -> None:
        """Give its topics more room; a broker that has ended of a full disk must be started again."""
        assert self._disk is not None, "this broker has no bound of its disk"
        self._disk.grow(size, self.pid)

    def close(self) -> None:
        """Kill it and let go of what it holds beside its folder."""
        self.kill()
        self.release()
        if self._disk is not None:
            self._disk.remove()

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self) -> None:
        """Be a user of it: an owned broker ends when its last user does."""
        if self._held is None:
            self._held = (self.folder / "users").open("w")
            fcntl.flock(self._held, fcntl.LOCK_SH)

    def release(self) -> None:
        """Use it no more."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def client(self, **settings: Any) -> dict[str, Any]:
        """Settings of a librdkafka client of the plain listener; ``_`` in names stands for a dot."""
        given = {name.replace("_", "."): value for name, value in settings.items()}
        return {"bootstrap.servers": self.bootstrap(), "log_level": 0, **given}

    def create_topic(self, name: str, partitions: int = 1, **config: Any) -> str:
        """Make a topic; ``_`` in configuration names stands for a dot. Returns its name."""
        given = {key.replace("_", "."): str(value) for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=given)
        admin = self.admin()
        admin.create_topics([topic], operation_timeout=30)[name].result(30)
        return name

    def delete_topics(self, names: Sequence[str]) -> None:
        """Delete topics and wait until they are gone."""
        admin = self.admin()
        for done in admin.delete_topics(list(names), operation_timeout=30).values():
            done.result(30)
        deadline = time.monotonic() + 30
        while admin.list_topics(timeout=10).topics.keys() & set(names):
            assert time.monotonic() < deadline, f"a topic of {', '.join(names)} is still there"
            time.sleep(0.05)

    def admin(self) -> AdminClient:
        """A client that makes and changes topics."""
        return AdminClient(self.client())

    def log(self, size: int = 4000) -> str:
        """The end of what the broker has said."""
        path = self.folder / "broker.log"
        return path.read_text(errors="replace")[-size:] if path.exists() else ""

    @classmethod
    def at(cls, folder: Path) -> Broker:
        """The broker that another process has started in ``folder``. Raises FileNotFoundError."""
        told = json.loads((folder / "broker.json").read_text())
        broker = cls.__new__(cls)
        broker.__init__(folder, owned=told["owned"], users=told["users"])  # type: ignore[misc]
        broker.ports = told["ports"]
        broker.started_in = told["started_in"]
        broker._pid = told["pid"]
        return broker

    def _save(self) -> None:
        told = {"pid": self._pid, "ports": self.ports, "users": self.users, "owned": self._owned}
        path = self.folder / "broker.json"
        path.with_suffix(".part").write_text(json.dumps(told | {"started_in": self.started_in}))
        path.with_suffix(".part").replace(path)

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            os.killpg(self.pid, number)

    def _end(self, number: int, timeout: float) -> None:
        pid = self.pid
        if pid is None:
            return
        processes = [pid, *_children(pid)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGCONT)
            os.killpg(pid, number)
        deadline = time.monotonic() + timeout
        while any(runs(process) for process in processes):
            if self._process is not None:
                self._process.poll()
            if time.monotonic() > deadline:
                assert number != signal.SIGKILL, f"broker {pid} can't be killed"
                self._end(signal.SIGKILL, 10.0)
                break
            time.sleep(0.02)
        self._process = self._pid = None

    def _java(self, *arguments: str) -> list[str]:
        jars = str(kafka_jars.folder() / "*")
        options = [
            *JVM,
            f"-Xmx{self.heap_mb}m",
            f"-Dlog4j2.configurationFile={kafka_jars.TOOLS / 'log4j2.properties'}",
        ]
        return ["java", *options, "-cp", jars, *arguments]

    def _format(self) -> None:
        """Lay out an empty data folder; SCRAM's users can come into being only here."""
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--standalone")
        command[1:1] = ["-XX:TieredStopAtLevel=1"]
        command += ["-c", str(self.folder / "server.properties")]
        for name, password in self.users.items():
            for mechanism in MECHANISMS[1:]:
                command += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Kafka could not format {self.folder}:\n{done.stdout}{done.stderr}")

    def _write_properties(self) -> None:
        addresses = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        offered = ",".join(
            f"{name}://127.0.0.1:{self.ports[name]}" for name in self.ports if name != "CONTROLLER"
        )
        protocols = {"CONTROLLER": "PLAINTEXT"} | {
            name: LISTENERS[name] for name in self.ports if name in LISTENERS
        }
        topics = self.folder / "topics"
        own = PROPERTIES | {
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.ports['CONTROLLER']}",
            "listeners": addresses,
            "advertised.listeners": offered,
            "listener.security.protocol.map": ",".join(
                f"{name}:{spoken}" for name, spoken in protocols.items()
            ),
            "log.dirs": str(topics),
            "metadata.log.dir": str(self.folder / "metadata"),
        }
        for name in self.ports:
            own |= self._listener(name)
        lines = [f"{name}={value}" for name, value in (own | self._extra).items()]
        path = self.folder / "server.properties"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")

    def _listener(self, name: str) -> dict[str, str]:
        spoken, start = LISTENERS.get(name, ""), f"listener.name.{name.lower()}."
        found: dict[str, str] = {}
        if spoken.endswith("SSL"):
            assert self._certificate is not None, f"listener {name} needs a certificate"
            found |= {
                f"{start}ssl.keystore.type": "PEM",
                f"{start}ssl.keystore.location": str(self._certificate),
            }
        if name == "MTLS":
            found |= {
                f"{start}ssl.client.auth": "required",
                f"{start}ssl.truststore.type": "PEM",
                f"{start}ssl.truststore.location": str(self._ca),
            }
        if spoken.startswith("SASL"):
            users = " ".join(f'user_{user}="{password}"' for user, password in self.users.items())
            module = "org.apache.kafka.common.security"
            found[f"{start}sasl.enabled.mechanisms"] = ",".join(MECHANISMS)
            found[f"{start}plain.sasl.jaas.config"] = f"{module}.plain.PlainLoginModule required {users};"
            for mechanism in MECHANISMS[1:]:
                found[f"{start}{mechanism.lower()}.sasl.jaas.config"] = (
                    f"{module}.scram.ScramLoginModule required;"
                )
        return found

    def _wait_until_ready(self, deadline: float) -> None:
        while True:
            if self.pid is None:
                raise RuntimeError(f"the broker ended while it started:\n{self.log()}")
            if _answers(self.ports["PLAINTEXT"]):
                with contextlib.suppress(KafkaException):
                    if self.admin().list_topics(timeout=5).brokers:
                        return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the broker did not answer in time:\n{self.log()}")
            time.sleep(0.05)


class Disk:
    """A bound of what a broker's topics may hold: a small file system of its own, or (not root) of each file."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.mounted = False

    def make(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if not self.mounted and os.geteuid() == 0:
            self.mounted = _mount("-t", "tmpfs", "-o", f"size={self.size}", "none", str(self.folder))
            if self.mounted:
                atexit.register(self.remove)

    def limit(self, pid: int) -> None:
        if not self.mounted:
            import resource

            for process in [pid, *_children(pid)]:
                resource.prlimit(process, resource.RLIMIT_FSIZE, (self.size, resource.RLIM_INFINITY))

    def grow(self, size: int, pid: int | None) -> None:
        self.size = size
        if self.mounted:
            assert _mount("-o", f"remount,size={size}", str(self.folder)), (
                "the file system can't be made larger"
            )
        elif pid is not None:
            self.limit(pid)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)
            self.mounted = False


def free_ports(count: int) -> list[int]:
    """As many TCP ports of loopback that nobody listens on."""
    found: list[int] = []
    choice = random.SystemRandom()
    while len(found) < count:
        port = choice.choice(PORTS)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                found += [port] if port not in found else []
    return found


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def runs(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _children(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            yield from map(int, path.read_text().split())


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
