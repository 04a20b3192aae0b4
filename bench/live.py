"""The live service on a real Kafka: throughput against a bare loop, latencies, time to ready, and memory.

    make bench-live             or    python bench/live.py [--records 3000000] [--runs 3] [only ...]

Needs Java and Maven (`make kafka` fetches the broker). The broker, the service and the loop share this machine;
runs alternate. `only` names parts: throughput, armed, captured, ready, memory.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from live_records import HITS, conversations  # noqa: E402
from measure import cpus  # noqa: E402
from tests.broker import Broker  # noqa: E402
from tests.live import Service, Topics  # noqa: E402

from threathunting.intel import message  # noqa: E402
from threathunting.intel.canonical import indicator  # noqa: E402
from threathunting.intel.types import IndicatorType  # noqa: E402

PARTS = ("throughput", "armed", "captured", "ready", "memory")
PARTITIONS = 4
ARMED = 100_000


def fill(topics: Topics, count: int, step: float) -> int:
    """Write the records of so many conversations, keyed by uid; returns their bytes."""
    producer = Producer(
        topics.broker.client(linger_ms=50, compression_type="lz4", queue_buffering_max_messages=500_000)
    )
    size = 0
    for uid, values in conversations(count, time.time() - count * step, step):
        for value in values:
            size += len(value)
            while True:
                try:
                    producer.produce(topics["records"], value, uid)
                    break
                except BufferError:
                    producer.poll(0.05)
    assert producer.flush(120) == 0
    return size


def arm(topics: Topics, count: int) -> None:
    """Push so many indicators that match nothing, and the one that does."""

    def told() -> Iterator[tuple[str, bytes]]:
        for number in range(count):
            value = f"c{number}.bad{number % 7919}.test"
            body = {
                "ioc": value,
                "type": "domain",
                "meta": {"source": "feed", "level": "medium", "desc": "C2"},
            }
            yield (
                message.key(indicator(IndicatorType.DOMAIN, value), "feed").decode(),
                msgspec.json.encode(body),
            )

    topics.send("intelligence", told())
    topics.arm("domain evil.example")


def service(folder: Path, topics: Topics, name: str = "one", group: str = "hunt", **more: Any) -> Service:
    """A service that reads the topic of records."""
    consume = {"topics": [topics["records"]], "group": group, "flags_topic": topics["conversations"]}
    return Service(folder / f"{name}-{group}", topics, name, consume=consume, **more)


def pin(pid: int, core: int) -> None:
    """Let a process and all its threads run on one core only."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


BARE = """
import sys, time, orjson
from confluent_kafka import Consumer
servers, topic, count, group = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
began, done = None, 0
while done < count:
    messages = consumer.consume(10_000, 0.2)
    if messages and began is None:
        began = time.perf_counter()
    for message in messages:
        if message.error() is None:
            orjson.loads(message.value())
            done += 1
print(time.perf_counter() - began)
consumer.close()
"""


def bare(topics: Topics, count: int, core: int, group: str) -> float:
    """Records a second of a loop that consumes and decodes, pinned to a core, from its first batch on."""
    done = subprocess.run(
        [
            "taskset",
            "-c",
            str(core),
            sys.executable,
            "-c",
            BARE,
            topics.broker.bootstrap(),
            topics["records"],
            str(count),
            group,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return count / float(done.stdout)


def hunted(services: Sequence[Service], count: int) -> float:
    """Records a second of the services together, from when all of them work until all records are hunted."""

    def read() -> list[int]:
        pages = [one.get("/status") for one in services]
        return [msgspec.json.decode(body)["records"] for code, body in pages if code == 200]

    while len(first := read()) < len(services) or 0 in first:
        time.sleep(0.01)
    began = time.perf_counter()
    while (now := sum(read())) < count:
        time.sleep(0.02)
    return (now - sum(first)) / (time.perf_counter() - began)


def throughput(folder: Path, broker: Broker, records: int, runs: int) -> None:
    """One instance on one core, and two, against the bare loop on one core."""
    topics = Topics(broker, records=PARTITIONS)
    arm(topics, ARMED)
    size = fill(topics, records // 4, 0.001)
    print(
        f"{records:,} records, {size / records:.0f} bytes each, {PARTITIONS} partitions, "
        f"1 in {HITS} conversations captured, {ARMED:,} indicators",
        flush=True,
    )
    cores = sorted(os.sched_getaffinity(0))
    loops, ones, twos, peak = [], [], [], 0.0
    for run in range(runs):
        loops.append(bare(topics, records, cores[0], f"bare{run}"))
        one = service(folder, topics, group=f"one{run}").start(ready=False)
        assert one.process is not None
        pin(one.process.pid, cores[0])
        ones.append(hunted([one], records))
        peak = max(peak, rss(one))
        one.stop()
        pair = [service(folder, topics, name, f"two{run}").start(ready=False) for name in ("a", "b")]
        for number, each in enumerate(pair):
            assert each.process is not None
            pin(each.process.pid, cores[number % len(cores)])
        twos.append(hunted(pair, records))
        for each in pair:
            each.stop()
        print(
            f"  run {run + 1}: bare {loops[-1]:,.0f}/s, one {ones[-1]:,.0f}/s, two {twos[-1]:,.0f}/s",
            flush=True,
        )
    print(f"bare consume + orjson.loads, one core: {median(loops):,.0f} records/s")
    print(
        f"one instance, one core: {median(ones):,.0f} records/s, "
        f"{median(ones) / median(loops):.2f} of bare, {peak:.0f} MB"
    )
    print(f"two instances: {median(twos):,.0f} records/s, {median(twos) / median(ones):.2f} of one")


def armed(folder: Path, broker: Broker, pushes: int = 300) -> None:
    """From produce to armed, as /status tells."""
    topics = Topics(broker)
    arm(topics, ARMED)
    with service_of_intel(folder, topics) as one:
        one.wait_armed(ARMED + 1, 60)
        producer = Producer(broker.client(linger_ms=0))
        waits = []
        for number in range(pushes):
            time.sleep(random.uniform(0, 0.05))
            began = time.perf_counter()
            producer.produce(topics["intelligence"], b'{"ioc":"p%d.test","type":"domain"}' % number)
            producer.flush()
            while one.status()["indicators"] < ARMED + 2 + number:
                pass
            waits.append(time.perf_counter() - began)
    tell("intel push to armed", waits)


def service_of_intel(folder: Path, topics: Topics) -> Service:
    """A service whose only input is an empty folder."""
    logs = folder / "empty"
    logs.mkdir(exist_ok=True)
    return Service(folder / f"intel-{topics.prefix}", topics, follow=[{"path": str(logs)}])


def captured(
    folder: Path, broker: Broker, seconds: float = 30.0, rate: int = 2000, warm: float = 5.0
) -> None:
    """From a record in to its investigation record out, read committed, at a steady rate of records.

    Those of the first ``warm`` seconds are not counted: the broker has never seen a transaction before.
    """
    topics = Topics(broker, records=PARTITIONS)
    arm(topics, ARMED)
    with service(folder, topics, group="latency"):
        consumer = Consumer(
            broker.client(
                group_id="latency-of-results",
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                fetch_wait_max_ms=10,
            )
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
                    if "status_code" in record and sent[record["uid"]] - began > warm:
                        waits.append(time.time() - sent[record["uid"]])

        producer = Producer(broker.client(linger_ms=0))
        began = time.time()
        listener = threading.Thread(target=listen)
        listener.start()
        for number, (uid, values) in enumerate(conversations(int(seconds * rate / 4), began, 4 / rate)):
            sent[uid] = time.time()
            for value in values:
                producer.produce(topics["records"], value, uid)
            producer.poll(0)
            time.sleep(max(began + number * 4 / rate - time.time(), 0))
        producer.flush()
        time.sleep(2)
        done.set()
        listener.join()
        consumer.close()
    tell(f"record in to investigation out, at {rate:,} records/s", waits)


def ready(folder: Path, broker: Broker, items: int = 1_000_000) -> None:
    """From the start of the process to ready, with a million items on the topic."""
    topics = Topics(broker)
    arm(topics, items)
    began = time.perf_counter()
    with service_of_intel(folder, topics) as one:
        seconds = time.perf_counter() - began
        assert one.status()["indicators"] == items + 1
        print(
            f"start to ready with {items:,} items on the topic: {seconds:.1f} s, {rss(one):.0f} MB",
            flush=True,
        )


def memory(folder: Path, broker: Broker, rate: int = 1000) -> None:
    """An hour's worth of records in fast forward: the process's memory at every tenth of it."""
    count = 3600 * rate
    topics = Topics(broker, records=PARTITIONS)
    arm(topics, ARMED)
    filler = threading.Thread(target=fill, args=(topics, count // 4, 4 / rate))
    with service(folder, topics, group="memory") as one:
        filler.start()
        marks: list[str] = []
        while len(marks) < 10:
            done = one.status()
            if done["records"] >= count * (len(marks) + 1) // 10:
                marks.append(f"{rss(one):.0f}")
            time.sleep(0.2)
        filler.join()
        print(
            f"memory over an hour of {rate:,} records/s in fast forward ({count:,} records): {', '.join(marks)} MB; "
            f"window {done['window_records']:,} records, {done['window_bytes'] / 1e6:.0f} MB",
            flush=True,
        )


def rss(one: Service) -> float:
    """Resident memory in MB."""
    assert one.process is not None
    for line in Path(f"/proc/{one.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


def tell(what: str, waits: list[float]) -> None:
    cuts = quantiles(waits, n=100)
    print(
        f"{what}: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, most {max(waits) * 1000:.0f} ms "
        f"({len(waits):,} times)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--records", type=int, default=3_000_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-live-", dir=ROOT / ".cache"))
    print(f"{cpus()} cores", flush=True)
    try:
        with Broker(folder / "kafka", heap_mb=1024) as broker:
            parts: dict[str, Callable[[], None]] = {
                "throughput": lambda: throughput(folder, broker, asked.records, asked.runs),
                "armed": lambda: armed(folder, broker),
                "captured": lambda: captured(folder, broker),
                "ready": lambda: ready(folder, broker),
                "memory": lambda: memory(folder, broker),
            }
            for name in asked.only or PARTS:
                parts[name]()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
