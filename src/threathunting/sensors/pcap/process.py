"""Running a sensor: a child process that is never left behind and whose every end is told in a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OUTPUT = "sensor-output.txt"
"""File in the working folder that gets what the sensor prints."""

MAX_OUTPUT = 4 * 1024 * 1024
"""Bytes of it that are looked at: its end, where a sensor says why it gave up."""

POLL = 0.5
"""Seconds between looks at whether a sensor has given up."""


class SensorError(OSError):
    """A sensor could not read a capture; the text is one sentence for people."""


def run_child(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    timeout: float | None,
    *,
    environment: Mapping[str, str] | None = None,
    hopeless: bytes | None = None,
) -> tuple[int, str]:
    """Run ``command`` in ``folder``; its exit status and what it printed.

    It is killed when ``timeout`` seconds have passed, when it prints ``hopeless`` (its status is 1 then), and
    when we are interrupted. Raises SensorError where it can't be started, takes too long or is killed by
    another.
    """
    output = folder / OUTPUT
    with output.open("wb") as out:
        try:
            # In a session of its own, Ctrl-C at the terminal reaches us alone, and we end it.
            child = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise SensorError(f"{name} ({command[0]}) can't be started: {error.strerror}") from None
        try:
            status = _wait(child, output, timeout, hopeless)
        except subprocess.TimeoutExpired:
            raise SensorError(f"{name} was stopped: it was not done after {timeout:g} seconds") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if status < 0:
        why = " (out of memory?)" if -status == signal.SIGKILL else ""
        raise SensorError(f"{name} was ended by {signal.Signals(-status).name}{why} before it was done")
    with output.open("rb") as printed:
        printed.seek(max(output.stat().st_size - MAX_OUTPUT, 0))
        return status, printed.read().decode("utf-8", "replace")


def _wait(child: subprocess.Popen[bytes], output: Path, timeout: float | None, hopeless: bytes | None) -> int:
    """Wait for the end. A sensor that gave up but doesn't end (Suricata: for a minute) counts as ended."""
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        left = POLL if until is None else min(POLL, until - time.monotonic())
        try:
            return child.wait(max(left, 0.01))
        except subprocess.TimeoutExpired:
            if until is not None and time.monotonic() >= until:
                raise
            if hopeless is not None and hopeless in output.read_bytes()[-MAX_OUTPUT:]:
                return 1
