"""The jars of Apache Kafka, fetched by Maven into this checkout's .cache; and the Java that runs them."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools" / "kafka"
CACHE = ROOT / ".cache"
MIN_JAVA = 17


def version() -> str:
    """The version of Kafka that pom.xml pins."""
    found = re.search(r"<kafka\.version>([^<]+)<", (TOOLS / "pom.xml").read_text())
    assert found is not None
    return found[1]


def folder() -> Path:
    """Where the jars are, or are to be."""
    return CACHE / "kafka" / version()


def problem() -> str | None:
    """Why no broker can be started here, as one sentence; None where one can."""
    java = java_major()
    if java < MIN_JAVA:
        told = f"Java {java} is too old for a Kafka broker" if java else "no Java to run a Kafka broker"
        return f"{told} ('make system' installs one)"
    if not folder().is_dir():
        return f"no jars of Apache Kafka {version()} in .cache ('make kafka' fetches them with Maven)"
    return None


def java_major() -> int:
    """The major version of the ``java`` on PATH; 0 without one."""
    if shutil.which("java") is None:
        return 0
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else 0


def fetch() -> Path:
    """Have Maven copy the jars, unless they are there; several processes may ask at once.

    Nothing outside the checkout is touched. Raises RuntimeError with Maven's last lines.
    """
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        if shutil.which("mvn") is None:
            raise RuntimeError("no 'mvn' on PATH to fetch Apache Kafka with; 'make system' installs it")
        # Only a whole set of jars gets the final name.
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-Dstyle.color=never", "-f", str(TOOLS / "pom.xml")]
        command += [f"-Dmaven.repo.local={CACHE / 'm2'}", f"-DoutputDirectory={partial}"]
        done = subprocess.run(
            [*command, "-DincludeScope=runtime", "dependency:copy-dependencies"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode or not any(partial.glob("kafka_2.13-*.jar")):
            last = "\n".join(done.stdout.strip().splitlines()[-15:])
            raise RuntimeError(f"Maven could not fetch Apache Kafka {version()}:\n{last}")
        partial.rename(target)
    return target
