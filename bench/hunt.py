"""How fast a hunt is, and how much memory it takes, against a plain loop in the same run.

    make bench                  or    python bench/hunt.py [--runs 3] [--records 1000000] [--indicators 1000000]

Inputs are made once in .cache/bench (about 2 GB with the defaults). Runs alternate, so that a slow minute of the
machine meets both sides; the table has medians.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from measure import Run, cpus, run

HERE = Path(__file__).resolve().parent
PLAIN = [sys.executable, str(HERE / "plain_loop.py")]
HUNT = [sys.executable, "-m", "threathunting", "hunt"]
GREP_BYTES = 4_000_000


def make(folder: Path, records: int, indicators: int, gz: bool) -> Path:
    """The inputs in ``folder``, made if they aren't there."""
    if not (folder / ".made").exists():
        print(f"making {folder} ...", file=sys.stderr)
        size = ["--records", str(records), "--indicators", str(indicators)]
        subprocess.run(
            [sys.executable, str(HERE / "generate.py"), str(folder), *size, *(["--gz"] if gz else [])],
            check=True,
        )
        (folder / ".made").touch()
    return folder


def hunt(data: Path, workers: int, out: str, logs: str = "logs") -> tuple[Run, dict[str, Any]]:
    """One hunt, with results written."""
    done = run(
        [
            *HUNT,
            str(data / logs),
            "--intel",
            str(data / "intel.jsonl"),
            "--workers",
            str(workers),
            "--out",
            out,
            "--json",
        ]
    )
    return done, json.loads(done.output)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".cache" / "bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--indicators", type=int, default=1_000_000)
    arguments = parser.parse_args()
    data = make(arguments.folder / "full", arguments.records, arguments.indicators, gz=True)
    tenth = make(arguments.folder / "tenth", arguments.records // 10, arguments.indicators, gz=False)
    logs = sorted(str(path) for path in (data / "logs").iterdir())
    size = sum(Path(path).stat().st_size for path in logs) / 1e6

    rows: dict[str, list[tuple[float, float, float]]] = {}

    def note(name: str, whole: float, scan: float, memory: float) -> None:
        rows.setdefault(name, []).append((whole, scan, memory))
        print(f"{name}: {whole:.2f} s, logs alone {scan:.2f} s, {memory:.0f} MB", file=sys.stderr)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as out:
        for _ in range(arguments.runs):
            done = run([*PLAIN, str(data / "intel.jsonl"), *logs])
            note("plain loop", done.seconds, json.loads(done.output)["logs"], done.peak_mb)
            for workers in (1, 2):
                done, summary = hunt(data, workers, out)
                note(
                    f"hunt, workers={workers}",
                    done.seconds,
                    summary["seconds"] - summary["intel_seconds"],
                    done.peak_mb,
                )
            done, summary = hunt(data, 1, out, "gz")
            note(
                "hunt .gz, workers=1",
                done.seconds,
                summary["seconds"] - summary["intel_seconds"],
                done.peak_mb,
            )
            began = time.perf_counter()
            for path in sorted((data / "gz").iterdir()):
                with Path("/dev/null").open("wb") as null:
                    subprocess.run(["gzip", "-dc", str(path)], stdout=null, check=True)
            seconds = time.perf_counter() - began
            note("zcat alone", seconds, seconds, 0.0)
            done, summary = hunt(tenth, 1, out)
            note(
                "hunt, a tenth of the logs",
                done.seconds,
                summary["seconds"] - summary["intel_seconds"],
                done.peak_mb,
            )

    medians = {
        name: tuple(median(values) for values in zip(*runs, strict=True)) for name, runs in rows.items()
    }
    plain = medians["plain loop"]
    one, two, packed = (
        medians[name] for name in ("hunt, workers=1", "hunt, workers=2", "hunt .gz, workers=1")
    )
    print(
        f"\n{arguments.indicators:,} indicators, 3 x {arguments.records:,} records, {size:,.0f} MB of logs, "
        f"{cpus()} processors, median of {arguments.runs} runs\n"
    )
    print("| | whole process, s | logs alone, s | MB/s of logs | against the loop | peak memory, MB |")
    print("|---|---|---|---|---|---|")
    for name, (whole, scan, memory) in medians.items():
        share = size / 10 if "tenth" in name else size
        speed = f"{plain[1] / scan * (share / size):.2f}" if name.startswith("hunt") else "-"
        print(f"| {name} | {whole:.2f} | {scan:.2f} | {share / scan:,.0f} | {speed} | {memory:,.0f} |")
    print(
        f"\ntwo workers against one: {one[1] / two[1]:.2f} (logs alone), {one[0] / two[0]:.2f} (whole process)"
    )
    print(f".gz against zcat and plain: {packed[1] / (medians['zcat alone'][1] + one[1]):.2f}")
    print(f"memory at ten times the logs: {one[2] / medians['hunt, a tenth of the logs'][2]:.2f}")
    grep(data, arguments.folder)


def grep(data: Path, folder: Path) -> None:
    """Grep -F -f over a part of dns.log, with the domains: once."""
    if shutil.which("grep") is None:
        return
    patterns, part = folder / "patterns", folder / "part"
    with (data / "intel.jsonl").open("rb") as file, patterns.open("wb") as out:
        for line in file:
            message = json.loads(line)
            if message["type"] == "domain":
                out.write(message["ioc"].encode() + b"\n")
    with (data / "logs" / "dns.log").open("rb") as file:
        part.write_bytes(file.read(GREP_BYTES))
    began = time.perf_counter()
    subprocess.run(["grep", "-F", "-f", str(patterns), str(part)], stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - began
    print(f"grep -F -f with the domains alone: {GREP_BYTES / 1e6 / seconds:.1f} MB/s of dns.log")


if __name__ == "__main__":
    main()
