"""The commands and the service that the story runs, as a user would, in processes of their own."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from threathunting.service.asking import ask, url_of
from threathunting.service.status import Status

COMMAND = (sys.executable, "-m", "threathunting")
PATIENCE = 60.0
"""Seconds that anything may take; a machine that is busy with other things is slow."""


class Commands:
    """``threathunting`` and its words, run in a folder. OSError where one fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, words: Sequence[str]) -> list[str]:
        """What the command said, as lines."""
        try:
            done = subprocess.run(
                [*COMMAND, *words],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(),
                timeout=PATIENCE,
                text=True,
                errors="replace",
                # Ctrl-C at the terminal is for us to deal with.
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"'threathunting {' '.join(words)}' did not end in {PATIENCE:.0f} s") from None
        if done.returncode:
            raise OSError(
                f"'threathunting {' '.join(words)}' ended with status {done.returncode}: {done.stdout.strip()}"
            )
        return done.stdout.splitlines()


class Service:
    """``threathunting run`` with a configuration file, in the folder where that lies."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it; see ``wait`` for whether it is ready."""
        self._process = subprocess.Popen(
            [*COMMAND, "run", "-c", self._config.name],
            cwd=self._config.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(),
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def said(self) -> list[str]:
        """The lines of its log since the last call."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get())
        return found

    def status(self) -> Status | None:
        """Its state; None where it doesn't answer."""
        try:
            return ask(url_of(self._config))[1]
        except OSError:
            return None

    def wait(self, done: Callable[[Status], bool], what: str, patience: float = PATIENCE) -> Status:
        """Its state, as soon as that is so. OSError where it ends, or where that takes too long."""
        until = time.monotonic() + patience
        while True:
            status = self.status()
            if status is not None and done(status):
                return status
            if self._process is None or self._process.poll() is not None:
                raise OSError("\n".join(["the service has ended:", *self.said()]))
            if time.monotonic() > until:
                raise OSError("\n".join([f"the service is not {what} in {patience:.0f} s:", *self.said()]))
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask it to end, and wait for it; its exit status."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise OSError(f"the service did not end in {PATIENCE:.0f} s") from None
        finally:
            self.close()

    def close(self) -> None:
        """See that it is gone."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._reader is not None:
            self._reader.join(5)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    # Colours are the screen's affair, and a progress bar would stand in nobody's way but ours.
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
