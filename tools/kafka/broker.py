"""An Apache Kafka on loopback, to try things by hand: broker.py fetch|start|stop|status. It is what the tests use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import kafka_jars  # noqa: E402
from tests.broker import Broker  # noqa: E402


def main() -> int:
    """Do what the command line says; status 1 where it can't be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["fetch", "start", "stop", "status"])
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "broker", help="where its data is")
    parser.add_argument("--heap", type=int, default=512, help="MiB of Java heap")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a server property")
    given = parser.parse_args()
    try:
        return run(given)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


def run(given: argparse.Namespace) -> int:
    """Carry the command out. Raises RuntimeError with a sentence."""
    if given.command == "fetch":
        print(f"Apache Kafka {kafka_jars.version()} is in {kafka_jars.fetch().relative_to(ROOT)}")
        return 0
    try:
        broker = Broker.at(given.folder)
    except FileNotFoundError:
        broker = None
    running = broker is not None and broker.pid is not None
    if given.command == "start" and not running:
        if (problem := kafka_jars.problem()) is not None:
            raise RuntimeError(problem)
        properties = dict(text.split("=", 1) for text in given.set)
        again = broker
        broker = Broker(given.folder, properties=properties, heap_mb=given.heap, owned=False)
        if again is not None:
            broker.ports = again.ports
        broker.start()
        running = True
    elif given.command == "stop" and running:
        assert broker is not None
        broker.stop()
        running = False
    if running:
        assert broker is not None
        print(f"Apache Kafka {kafka_jars.version()} answers at {broker.bootstrap()} (process {broker.pid})")
    else:
        print("No broker runs.")
    return int(given.command == "status" and not running)


if __name__ == "__main__":
    sys.exit(main())
