"""In the sensor, on a real Zeek: arming rate, latencies, processor time with and without the package, memory.

    make bench-sensor           or    THREATHUNTING_ZEEK=/opt/zeek python bench/sensor.py [only ...]

Needs a Zeek >= 8.0 (on PATH or in $THREATHUNTING_ZEEK), Java and Maven; as root, since it captures on loopback.
`only` names parts: arming, armed, captured, cpu, instructions. Broker, Zeek and service share this machine.
`instructions` needs Valgrind, and is left out where there is none: it counts what `cpu` times, so that a busy machine
and its noise don't matter.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import msgspec
from confluent_kafka import Consumer, Producer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from measure import cpus  # noqa: E402
from tests.broker import Broker  # noqa: E402
from tests.live import Service, Topics  # noqa: E402
from tests.zeek import traffic  # noqa: E402
from tests.zeek.package.link import Link  # noqa: E402
from tests.zeek.package.running import PACKAGE, environment, program  # noqa: E402
from tests.zeek.test_workflow import LiveZeek, wait_armed  # noqa: E402

from threathunting.zeek.protocol import packed  # noqa: E402

PARTS = ("arming", "armed", "captured", "cpu", "instructions")
COUNTS = (100_000, 1_000_000)
IN_FLIGHT = 8


def feed(folder: Path, count: int) -> Path:
    """Intel that no traffic touches, as our messages."""
    path = folder / f"feed-{count}.jsonl"
    if not path.exists():
        meta = '"meta":{"source":"feed","level":"medium"}'
        with path.open("w") as file:
            for number in range(count):
                file.write(f'{{"ioc":"c{number}.bad{number % 7919}.test","type":"domain",{meta}}}\n')
    return path


def arming(folder: Path) -> None:
    """The full set to a Zeek that has just begun: our link, and a bare loop over a WebSocket."""
    for count in COUNTS:
        arming_of(folder, count)


def arming_of(folder: Path, count: int) -> None:
    zeek = LiveZeek(folder / f"bare-{count}").start()
    bare = bare_loop(zeek, count)
    zeek.kill()
    zeek = LiveZeek(folder / f"linked-{count}")
    service = Service(
        folder / f"service-{count}",
        None,
        zeek=[{"url": zeek.url, "name": "edge"}],
        intel={"files": [str(feed(folder, count))]},
        output={"files": {"folder": str(folder / "out")}},
    ).start(ready=False)
    service.wait(lambda: service.get("/readyz")[0] == 200, "ready", 120)
    zeek.start()
    service.wait(lambda: bool(service.status()["sensors"][0]["nodes"]), "connected", 60)
    empty = rss(zeek)
    began = time.perf_counter()
    service.wait(lambda: bool(service.status()["sensors"][0]["armed"]), "armed", 300)
    seconds = time.perf_counter() - began
    print(
        f"arming {count:,}: {seconds:.1f} s, {count / seconds:,.0f}/s, {count / seconds / bare:.2f} of the bare loop "
        f"({bare:,.0f}/s); Zeek {(rss(zeek) - empty) * 1e6 / count:,.0f} bytes an item",
        flush=True,
    )
    service.kill()
    zeek.kill()


def bare_loop(zeek: LiveZeek, count: int) -> float:
    """Items a second of a loop that sends batches made beforehand and counts acknowledgements."""
    batches = []
    entries = [
        {
            "v": f"c{n}.bad{n % 7919}.test",
            "t": "domain",
            "s": "feed",
            "l": "medium",
            "d": "",
            "u": "",
            "i": "",
            "e": 0.0,
            "x": False,
        }
        for n in range(count)
    ]
    at = 0
    while at < count:
        data, size = packed(entries[at : at + 5000])
        batches.append(data.decode())
        at += size
    link = Link(zeek.port)
    began = time.perf_counter()
    acked = sent = 0
    while acked < len(batches):
        while sent < len(batches) and sent - acked < IN_FLIGHT:
            sent += 1
            link.send("arm", sent, batches[sent - 1])
        link.events.clear()
        link.poll(30)
        acked += sum(name == "ThreatHunting::ack" for name, _ in link.events)
    seconds = time.perf_counter() - began
    link.close()
    return count / seconds


def linked(folder: Path, broker: Broker, name: str) -> tuple[Topics, LiveZeek, Service]:
    topics = Topics(broker)
    zeek = LiveZeek(folder / name).start()
    service = Service(
        folder / f"service-{name}",
        topics,
        zeek=[{"url": zeek.url, "name": "edge"}],
        follow=[{"path": str(zeek.folder), "hunt": False}],
        intel={"files": [str(feed(folder, 10_000))]},
    ).start()
    wait_armed(service)
    return topics, zeek, service


def armed(folder: Path, broker: Broker, pushes: int = 200) -> None:
    """From produce to acknowledged by Zeek, as /status tells."""
    topics, zeek, service = linked(folder, broker, "armed")
    before = service.status()["sensors"][0]["nodes"][0]["armed"]
    producer = Producer(broker.client(linger_ms=0))
    waits = []
    for number in range(pushes):
        time.sleep(random.uniform(0, 0.05))
        began = time.perf_counter()
        producer.produce(topics["intelligence"], b'{"ioc":"p%d.test","type":"domain"}' % number)
        producer.flush()
        while service.status()["sensors"][0]["nodes"][0]["armed"] < before + number + 1:
            pass
        waits.append(time.perf_counter() - began)
    tell("Kafka to armed in Zeek", waits)
    service.kill()
    zeek.kill()


def captured(folder: Path, broker: Broker, hits: int = 200) -> None:
    """From a request on the wire to its investigation record in Kafka."""
    topics, zeek, service = linked(folder, broker, "captured")
    topics.arm(*(f"domain hit{n}.example" for n in range(hits)))
    service.wait_armed(10_000 + hits)
    wait_armed(service)
    consumer = Consumer(
        broker.client(group_id="captured", auto_offset_reset="earliest", fetch_wait_max_ms=10)
    )
    consumer.subscribe([topics["investigations"]])
    sent: dict[str, float] = {}
    waits: list[float] = []
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            found = consumer.poll(0.1)
            if found is not None and found.error() is None:
                record = msgspec.json.decode(found.value() or b"{}")
                if (host := record.get("host")) in sent:
                    waits.append(time.time() - sent[host])

    listener = threading.Thread(target=listen)
    listener.start()
    with traffic.web() as port:
        for number in range(hits):
            sent[f"hit{number}.example"] = time.time()
            traffic.get(port, f"hit{number}.example")
            time.sleep(random.uniform(0.02, 0.1))
    deadline = time.monotonic() + 30
    while len(waits) < hits and time.monotonic() < deadline:
        time.sleep(0.1)
    done.set()
    listener.join()
    consumer.close()
    tell(f"request to investigation record in Kafka ({len(waits)} of {hits} came)", waits)
    service.kill()
    zeek.kill()


def cpu(folder: Path, copies: int = 1500, runs: int = 3) -> None:
    """Zeek's processor time on a capture: without the package, with nothing armed, with 100,000 armed."""
    capture = folder / "large.pcap"
    packets = multiply(ROOT / "examples" / "traffic.pcap", capture, copies)
    variants = variants_of(folder, 100_000)
    took: dict[str, list[float]] = {name: [] for name in variants}
    short = ROOT / "examples" / "traffic.pcap"
    arm_only = seconds_of(variants["package, domains armed"], short, folder)
    plain_only = seconds_of(variants["package, nothing armed"], short, folder)
    for _ in range(runs):
        for name, scripts in variants.items():
            took[name].append(seconds_of(scripts, capture, folder))
    took["package, domains armed"] = [one - (arm_only - plain_only) for one in took["package, domains armed"]]
    base = median(took["without the package"])
    print(
        f"capture of {capture.stat().st_size / 1e6:.0f} MB, {packets:,} packets; processor seconds, "
        f"median of {runs}; reading 100,000 items is taken off"
    )
    for name, all_ in took.items():
        print(f"  {name}: {median(all_):.1f} s, {100 * (median(all_) / base - 1):+.1f} %", flush=True)


MIXED = {
    "domain": "c{}.bad.test",
    "addr": "203.0.{}.7",
    "subnet": "198.18.{}.0/24",
    "url": "c{}.bad.test/x",
    "software": "evil/{}",
    "email": "x{}@bad.test",
    "user_name": "evil{}",
    "file_name": "evil{}.exe",
    "cert_hash": "{:040x}",
    "pubkey_hash": "{:064x}",
    "file_hash": "{:040x}",
    "ja3": "{:032x}",
    "ja4": "t13d{}",
    "hassh": "{:032x}",
}
"""A value of every type."""


def variants_of(folder: Path, count: int) -> dict[str, list[str]]:
    """Scripts and settings that the same capture is read with; what is armed is in none."""
    domains = [("domain", f"c{n}.bad{n % 7919}.test") for n in range(count)]
    mixed = [(type, form.format(n)) for type, form in MIXED.items() for n in range(100)]
    armed = {}
    for name, values in (("domains", domains), ("mixed", mixed)):
        items = folder / f"{name}.jsonl"
        entries = [{"v": value, "t": type, "s": "feed", "l": "low"} for type, value in values]
        batches = [json.dumps(entries[at : at + 5000]) for at in range(0, len(entries), 5000)]
        items.write_text("".join(batch + "\n" for batch in batches))
        armed[name] = [str(PACKAGE), f'ThreatHunting::arm_files={{"{items}"}}']
    return {
        "without the package": [],
        "Zeek's own intel scripts alone": ["frameworks/intel/seen"],
        "package, nothing armed": [str(PACKAGE)],
        "package, domains armed": armed["domains"],
        "package, all types armed": armed["mixed"],
    }


def instructions(folder: Path, copies: int = 41, count: int = 5_000) -> None:
    """The same by instructions, of which those for the start and one copy of the traffic are taken off.

    Fewer domains, since reading them takes long under Valgrind: a look-up costs as much among many.
    """
    if shutil.which("valgrind") is None:
        print("instructions: there is no valgrind", flush=True)
        return
    one, many = folder / "one.pcap", folder / "many.pcap"
    multiply(ROOT / "examples" / "traffic.pcap", one, 1)
    packets = multiply(ROOT / "examples" / "traffic.pcap", many, copies)
    print(f"instructions, {packets:,} packets, without start and reading of {count:,} domains")
    base = 0
    for name, scripts in variants_of(folder, count).items():
        counted = instructions_of(scripts, many, folder) - instructions_of(scripts, one, folder)
        base = base or counted
        print(f"  {name}: {counted / 1e6:,.0f} million, {100 * (counted / base - 1):+.1f} %", flush=True)


def instructions_of(scripts: list[str], capture: Path, folder: Path) -> int:
    """Instructions of a Zeek that reads a capture, with the same uids and hashes in every run."""
    where = folder / "counted"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    seeds = ROOT / "tests" / "zeek" / "package" / "seeds"
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program()]
    command += ["-G", str(seeds), "-C", "-r", str(capture), *scripts, "LogAscii::use_json=T"]
    done = subprocess.run(command, cwd=where, env=environment(), capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


def seconds_of(scripts: list[str], capture: Path, folder: Path) -> float:
    """Processor seconds of a Zeek that reads a capture."""
    where = folder / "cpu"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    command = [
        "bash",
        "-c",
        'TIMEFORMAT="%U %S"; time "$@"',
        "time",
        program(),
        "-C",
        "-r",
        str(capture),
        *scripts,
        "LogAscii::use_json=T",
    ]
    done = subprocess.run(command, cwd=where, env=environment(), capture_output=True, text=True, check=True)
    user, system = done.stderr.strip().splitlines()[-1].split()
    return float(user) + float(system)


def multiply(source: Path, target: Path, copies: int) -> int:
    """A capture as so many networks one after the other: other addresses, later times. Returns its packets."""
    data = source.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    packets = []
    at = 24
    while at < len(data):
        seconds, fraction, held, whole = struct.unpack(order + "4I", data[at : at + 16])
        packets.append((seconds, fraction, held, whole, bytearray(data[at + 16 : at + 16 + held])))
        at += 16 + held
    span = packets[-1][0] - packets[0][0] + 1
    with target.open("wb") as file:
        file.write(data[:24])
        for copy in range(copies):
            for seconds, fraction, held, whole, frame in packets:
                if frame[12:14] == b"\x08\x00":
                    for offset in (26, 30):
                        # The second and third octet of both addresses: Zeek is told to ignore checksums.
                        frame[offset + 1] = (copy >> 8) & 0xFF
                        frame[offset + 2] = copy & 0xFF
                file.write(
                    struct.pack(order + "4I", seconds + copy * span // 50, fraction, held, whole) + frame
                )
    return len(packets) * copies


def rss(zeek: LiveZeek) -> float:
    """Resident memory in MB."""
    assert zeek.process is not None
    for line in Path(f"/proc/{zeek.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


def tell(what: str, waits: list[float]) -> None:
    cuts = quantiles(waits, n=100)
    print(
        f"{what}: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, most {max(waits) * 1000:.0f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", choices=[*PARTS, []], default=[])
    asked = parser.parse_args().only or PARTS
    folder = Path(tempfile.mkdtemp(prefix="bench-sensor-", dir=ROOT / ".cache"))
    told = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    print(f"{cpus()} cores, {told.strip().rpartition('/')[2]}", flush=True)
    try:
        with Broker(folder / "kafka", heap_mb=512) as broker:
            parts: dict[str, Callable[[], None]] = {
                "arming": lambda: arming(folder),
                "armed": lambda: armed(folder, broker),
                "captured": lambda: captured(folder, broker),
                "cpu": lambda: cpu(folder),
                "instructions": lambda: instructions(folder),
            }
            for name in asked:
                parts[name]()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
