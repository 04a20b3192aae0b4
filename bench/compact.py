"""Compact arming at ten million indicators, beside native arming at one million, on a real Zeek and a real Kafka.

    make bench-compact        or    THREATHUNTING_ZEEK=/opt/zeek python bench/compact.py [only ...]

Needs what bench/sensor.py needs. `only` names parts: memory, instructions (needs Valgrind), throughput. With
`--scale 0.01` sets are smaller, to try it.
A cluster of manager, logger, proxy and one worker, the service, and the broker share this machine.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from confluent_kafka import Producer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from measure import cpus  # noqa: E402
from sensor import MIXED, instructions_of, multiply  # noqa: E402
from tests.broker import Broker  # noqa: E402
from tests.live import Service, Topics  # noqa: E402
from tests.zeek import traffic  # noqa: E402
from tests.zeek.package.cluster import Cluster  # noqa: E402
from tests.zeek.package.running import PACKAGE, environment, program  # noqa: E402

PARTS = ("memory", "instructions", "throughput")
NATIVE = 1_000_000
COMPACT = 10_000_000
CANDIDATES_A_SECOND = 1_000
LATENCY_SECONDS = 20
FLOOD_A_SECOND = 10_000
FLOOD_SECONDS = 10
RESOLVER = "127.0.53.78"

SCRIPT = """
module ThreatHunting;
redef Log::default_rotation_interval = 0sec;
global waits = open("waits.txt");
global told_counts = open("counts.txt");
global most_open = 0;
global most_waiting = 0;
global count_now: event();
hook answered(label: string, waited: interval, confirmed: bool)
    {
    print waits, fmt("%.6f", waited);
    if ( |open_questions| > most_open ) most_open = |open_questions|;
    if ( held_count > most_waiting ) most_waiting = held_count;
    }
event count_now()
    {
    local told: table[string] of count = copy(tally);
    told["open"] = |open_questions|;
    told["waiting"] = held_count;
    told["most_open"] = most_open;
    told["most_waiting"] = most_waiting;
    most_open = most_waiting = 0;
    print told_counts, to_json(told);
    schedule 200msec { ThreatHunting::count_now() };
    }
event zeek_init() { set_buf(waits, F); set_buf(told_counts, F); event ThreatHunting::count_now(); }
"""


def name_of(number: int) -> str:
    return f"c{number}.bad{number % 7919}.test"


def rss(pid: int) -> float:
    """Resident memory in MB."""
    return float(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1000  # type: ignore[index]


def peak(pid: int) -> float:
    """The most that was ever resident, in MB."""
    return float(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1000  # type: ignore[index]


def processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def produce(topics: Topics, broker: Broker, count: int) -> None:
    """A feed of domains as a SOAR sends them, keyed as ours."""
    settings = {
        "enable.idempotence": "true",
        "linger.ms": 50,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 2_000_000,
    }
    producer = Producer(broker.client(**{key.replace(".", "_"): value for key, value in settings.items()}))
    for number in range(count):
        name = name_of(number)
        value = f'{{"ioc":"{name}","type":"domain","meta":{{"source":"feed","level":"medium"}}}}'
        while True:
            try:
                producer.produce(topics["intelligence"], value, f"domain|{name}|feed")
                break
            except BufferError:
                producer.poll(0.1)
        if not number % 10_000:
            producer.poll(0)
    assert producer.flush(300) == 0


def remove(topics: Topics, broker: Broker, count: int) -> None:
    """Null values for the first of the feed."""
    producer = Producer(broker.client(linger_ms=50))
    for number in range(count):
        producer.produce(topics["intelligence"], None, f"domain|{name_of(number)}|feed")
        producer.poll(0)
    assert producer.flush(60) == 0


@dataclass
class Row:
    """What one way of arming takes."""

    indicators: int
    ready: float = 0.0
    arming: float = 0.0
    spent: str = ""
    resync: float = 0.0
    worker_before: float = 0.0
    worker: float = 0.0
    worker_peak: float = 0.0
    manager: float = 0.0
    service: float = 0.0
    service_peak: float = 0.0
    denied: str = "at once"
    confirmed: str = "at once"
    flood: str = ""
    flood_of_one: str = ""


def sensor(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.status()["sensors"][0]
    return found


def worker(service: Service, other_than: str) -> bool:
    """Whether the worker (of another boot than this) has acknowledged all; the layout's second one never comes."""
    told = sensor(service)
    nodes = [one for one in told["nodes"] if one["name"] == "worker-1" and one["boot"] != other_than]
    return bool(nodes) and bool(nodes[0]["complete"]) and not told["waiting"]


def measured(folder: Path, broker: Broker, mode: str, count: int) -> Row:
    row = Row(count)
    topics = Topics(broker)
    produce(topics, broker, count)
    nodes = Cluster(folder / mode, "broker", SCRIPT)
    service = Service(
        folder / f"service-{mode}",
        topics,
        zeek=[{"url": f"ws://127.0.0.1:{nodes.port}", "name": "edge", "mode": mode}],
        intel={"store": "disk" if mode == "compact" else "memory"},
    )
    try:
        began = time.monotonic()
        service.start(ready=False)
        service.wait(lambda: service.get("/readyz")[0] == 200, "ready", 1200)
        row.ready = time.monotonic() - began
        for name in ("manager", "logger-1", "proxy-1"):
            nodes.start(name)
        service.wait(lambda: len(sensor(service)["nodes"]) == 1, "connected", 60)
        if mode == "native":
            # The manager has its share before the worker is there; the worker's is what is measured.
            service.wait(lambda: all(node["complete"] for node in sensor(service)["nodes"]), "manager", 600)
        worker_args = ("-i", "lo", "-f", f"udp port 53 and host {RESOLVER}")
        nodes.start("worker-1", *worker_args)
        pid = nodes.nodes["worker-1"].pid
        service.wait(lambda: "worker-1" in {node["name"] for node in sensor(service)["nodes"]}, "there", 60)
        assert service.process is not None
        processes = {"worker": pid, "service": service.process.pid, "manager": nodes.nodes["manager"].pid}
        before = {name: processor(process) for name, process in processes.items()}
        began, row.worker_before = time.monotonic(), rss(pid)
        service.wait(lambda: worker(service, ""), "armed", 1200)
        row.arming = time.monotonic() - began
        row.spent = ", ".join(
            f"{name} {processor(process) - before[name]:.1f} s" for name, process in processes.items()
        )
        time.sleep(5)
        row.worker, row.worker_peak = rss(pid), peak(pid)
        row.manager = rss(nodes.nodes["manager"].pid)
        boot = next(node["boot"] for node in sensor(service)["nodes"] if node["name"] == "worker-1")
        nodes.kill("worker-1")
        began = time.monotonic()
        nodes.start("worker-1", *worker_args)
        service.wait(lambda: worker(service, boot), "armed again", 1200)
        row.resync = time.monotonic() - began
        if mode == "compact":
            asked(row, service, topics, broker, folder / mode / "worker-1" / "waits.txt")
        row.service, row.service_peak = rss(service.process.pid), peak(service.process.pid)
    finally:
        service.kill()
        nodes.stop()
    return row


def asked(row: Row, service: Service, topics: Topics, broker: Broker, waits: Path) -> None:
    """What comes of questions: of values that have left, of armed ones, and in floods."""
    count = row.indicators
    left = min(CANDIDATES_A_SECOND * LATENCY_SECONDS, count // 20)
    flooding = min(FLOOD_A_SECOND * FLOOD_SECONDS, count // 20)
    gone = left + flooding
    remove(topics, broker, gone)
    service.wait(lambda: service.status()["indicators"] == count - gone, "removed", 120)
    service.wait(lambda: not sensor(service)["waiting"], "told", 120)
    row.denied = latency(waits, range(left))
    row.flood = flood(service, waits.parent, [name_of(number) for number in range(left, gone)])
    row.confirmed = latency(waits, range(gone, count))
    row.flood_of_one = flood(service, waits.parent, [name_of(gone)] * flooding)


def latency(waits: Path, numbers: range) -> str:
    """Ask for names, as far as there are any each another one, and read how long answers about them took."""
    before = len(waits.read_text().split())
    total = CANDIDATES_A_SECOND * LATENCY_SECONDS
    chosen = random.Random(7).sample(numbers, min(total, len(numbers)))
    rate = converse([name_of(number) for number in chosen], CANDIDATES_A_SECOND)
    time.sleep(4)
    found = [float(line) for line in waits.read_text().split()[before:]]
    cuts = quantiles(found, n=100)
    return (
        f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms, most {max(found) * 1000:.0f} ms "
        f"({len(found):,} answers, {rate:,.0f} candidates/s)"
    )


def flood(service: Service, folder: Path, names: Sequence[str]) -> str:
    """Each name asked for and answered in a conversation of its own, at ten times the rate; what came of it."""
    before, at, seen = counts(folder)[-1], len(counts(folder)), service.status()["sightings"]
    rate = converse(names, FLOOD_A_SECOND)
    ended = over = time.monotonic()
    sightings = -1
    while time.monotonic() - over < 5:
        time.sleep(0.5)
        now, last = counts(folder)[-1], sightings
        sightings = service.status()["sightings"]
        if now["open"] or now["waiting"] or sightings != last:
            over = time.monotonic()
    told = counts(folder)[at:]
    what = ("asked", "denied", "confirmed", "unverified", "held", "sampled", "released")
    came = {name: now.get(name, 0) - before.get(name, 0) for name in what}
    return (
        f"{rate:,.0f} conversations/s for {len(names) / rate:.0f} s: "
        f"{', '.join(f'{name} {count:,}' for name, count in came.items() if count)}; "
        f"at most {max(one['most_open'] for one in told):,} questions open and "
        f"{max(one['most_waiting'] for one in told):,} records waiting; {sightings - seen:,} sightings reached the "
        f"service, the last {over - ended:.0f} s after the flood"
    )


def counts(folder: Path) -> list[dict[str, int]]:
    """What the worker has counted every 200 ms."""
    return [json.loads(line) for line in (folder / "counts.txt").read_text().splitlines()]


def converse(names: Sequence[str], rate: float) -> float:
    """Ask for the names and answer, each in a conversation of its own, so many a second; how many it were."""
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((RESOLVER, 53))
        for at, name in enumerate(names):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                query = traffic.query(name, at & 0xFFFF)
                client.sendto(query, (RESOLVER, 53))
                server.sendto(traffic.answer(query), ("127.0.0.1", client.getsockname()[1]))
            if (ahead := at / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead)
    return len(names) / (time.monotonic() - began)


def memory(folder: Path, scale: float, modes: list[str]) -> None:
    """Memory, arming, resync and latency, in one table."""
    rows = {}
    for mode in modes:
        count = NATIVE if mode == "native" else COMPACT
        with Broker(folder / f"kafka-{mode}", heap_mb=1024) as broker:
            rows[mode] = measured(folder, broker, mode, int(count * scale))
        shutil.rmtree(folder / f"kafka-{mode}", ignore_errors=True)
    lines: list[tuple[str, Callable[[Row], str]]] = [
        ("indicators", lambda row: f"{row.indicators:,}"),
        ("worker: RSS over unarmed", lambda row: f"{row.worker - row.worker_before:+,.0f} MB"),
        ("worker: RSS, and at most", lambda row: f"{row.worker:,.0f} MB, {row.worker_peak:,.0f} MB"),
        ("manager: RSS", lambda row: f"{row.manager:,.0f} MB"),
        ("arming a worker", lambda row: f"{row.arming:.1f} s, {row.indicators / row.arming:,.0f}/s"),
        ("processor time of that", lambda row: row.spent),
        ("a worker killed, begun anew, armed", lambda row: f"{row.resync:.1f} s"),
        ("service: RSS, and at most", lambda row: f"{row.service:,.0f} MB, {row.service_peak:,.0f} MB"),
        ("service: from start to ready, by Kafka", lambda row: f"{row.ready:.0f} s"),
        ("from seen to answered, no longer armed", lambda row: row.denied),
        ("from seen to answered, armed: each a sighting", lambda row: row.confirmed),
        ("a flood of names that are no longer armed", lambda row: row.flood),
        ("a flood of one armed name", lambda row: row.flood_of_one),
    ]
    print(f"| | {' | '.join(rows)} |\n|---|{'---|' * len(rows)}")
    for what, told in lines:
        print(f"| {what} | {' | '.join(told(row) for row in rows.values())} |", flush=True)


TIMED = """
global began: interval;
function used(): interval { local s = get_proc_stats(); return s$user_time + s$system_time; }
event network_time_init() { began = used(); }
event zeek_done() &priority=-100000
    { local f = open("took.txt"); print f, interval_to_double(used() - began); close(f); }
"""

FULL = """
event zeek_init() &priority=-1000
    {
    local setup = "{\\"exact\\": %(size)d, \\"subdomains\\": %(few)d, \\"rate\\": 0.000001}";
    ThreatHunting::begin_filters("bench", 1, setup);
    local n = 0;
    while ( n < %(count)d )
        {
        local values: vector of string = vector();
        while ( |values| < 5000 && n < %(count)d )
            {
            values += fmt("c%%d.bad%%d.test", n, n %% 7919);
            ++n;
            }
        ThreatHunting::add_to_filters("bench", n, 1, "domain", join_string_vec(values, "\\n"));
        }
    ThreatHunting::end_filters("bench", 1, n);
    }
"""


FILLED = """
event zeek_init() &priority=-1000
    {
    ThreatHunting::begin_filters("bench", 1, %(setup)s);
    for ( kind, values in table(%(values)s) )
        ThreatHunting::add_to_filters("bench", ++batch, 1, kind, values);
    ThreatHunting::end_filters("bench", 1, %(count)d);
    }
"""


def instructions(folder: Path, scale: float, copies: int = 41, count: int = 5_000) -> None:
    """What reading a capture costs, without start and filling: without the package, and with the filter.

    That is as large as it is for all, but holds fewer values, since filling it takes long under Valgrind. A look-up
    costs as much: Zeek takes all hashes of a value before it looks at one of them.
    """
    if shutil.which("valgrind") is None:
        print("instructions: there is no valgrind", flush=True)
        return
    one, many = folder / "one.pcap", folder / "many.pcap"
    multiply(ROOT / "examples" / "traffic.pcap", one, 1)
    packets = multiply(ROOT / "examples" / "traffic.pcap", many, copies)
    size = int(COMPACT * scale)
    setup = f'{{"exact": {size}, "subdomains": {max(size // 10, 1)}, "rate": 0.000001}}'
    kinds = {
        "domains": {"domain": [name_of(number) for number in range(count)]},
        "all types": {
            type: [form.format(number) for number in range(100)]
            for type, form in MIXED.items()
            if type != "subnet"
        },
    }
    variants = {"without the package": list[str]()}
    for name, values in kinds.items():
        script = folder / f"{name.replace(' ', '-')}.zeek"
        joined = ", ".join(f'["{kind}"] = {json.dumps(chr(10).join(of))}' for kind, of in values.items())
        told = {"setup": json.dumps(setup), "values": joined, "count": sum(map(len, values.values()))}
        script.write_text("global batch = 0;\n" + FILLED % told)
        variants[f"filters for {size:,}, {name}"] = [str(PACKAGE), str(script)]
    print(f"instructions, {packets:,} packets, without start and filling")
    base = 0
    for name, scripts in variants.items():
        counted = instructions_of(scripts, many, folder) - instructions_of(scripts, one, folder)
        base = base or counted
        print(f"  {name}: {counted / 1e6:,.0f} million, {100 * (counted / base - 1):+.1f} %", flush=True)


def throughput(folder: Path, scale: float, pairs: int = 15, copies: int = 150, count: int = 200_000) -> None:
    """Processor seconds from a large capture's first packet to its last log: without the package, and with the filter.

    In turns, since the speed of a machine changes by more than what is measured. The filter is as in ``instructions``.
    """
    capture = folder / "large.pcap"
    packets = multiply(ROOT / "examples" / "traffic.pcap", capture, copies)
    size = int(COMPACT * scale)
    full = TIMED + FULL % {"size": size, "count": min(count, size), "few": max(size // 10, 1)}
    plain, filtered = [], []
    for number in range(2 * pairs):
        if number % 4 in (0, 3):
            plain.append(seconds(capture, folder / "timed", TIMED, []))
        else:
            filtered.append(seconds(capture, folder / "timed", full, [str(PACKAGE)]))
    ratios = sorted(with_it / without for with_it, without in zip(filtered, plain, strict=True))
    print(f"processor seconds of {packets:,} packets, median of {pairs}, in turns")
    print(f"  without the package: {median(plain):.2f} s")
    print(f"  a filter for {size:,}, domains: {median(filtered):.2f} s")
    told = [f"{100 * (ratios[at] - 1):+.1f} %" for at in (pairs // 2, pairs // 4, -1 - pairs // 4)]
    print(f"  with it / without: {told[0]} (quartiles {told[1]}, {told[2]})", flush=True)


def seconds(capture: Path, where: Path, script: str, scripts: list[str]) -> float:
    """What reading a capture takes, in a folder of its own."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    (where / "timed.zeek").write_text(script)
    command = [program(), "-C", "-r", str(capture), "LogAscii::use_json=T", *scripts, "timed.zeek"]
    subprocess.run(command, cwd=where, env=environment(), capture_output=True, check=True)
    return float((where / "took.txt").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--mode", choices=["native", "compact"], action="append")
    given = parser.parse_args()
    (ROOT / ".cache").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-compact-", dir=ROOT / ".cache"))
    told = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    print(f"{cpus()} cores, {told.strip().rpartition('/')[2]}", flush=True)
    try:
        for name in given.only or PARTS:
            if name == "memory":
                memory(folder, given.scale, given.mode or ["native", "compact"])
            elif name == "instructions":
                instructions(folder, given.scale)
            else:
                throughput(folder, given.scale)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
