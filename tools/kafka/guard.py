"""Run a broker that ends when nobody uses it any more: guard.py LOCK COMMAND...

Users hold a shared lock on the file LOCK. The kernel drops it with them, however they end; the guard then
gets the exclusive lock, and ends the broker.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def die_with_the_guard() -> None:
    """In the broker, before it starts: be killed when the guard is."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for_users_to_end(lock: str, broker: subprocess.Popen[bytes]) -> None:
    """Kill the broker once no user holds the lock."""
    with open(lock) as file:  # noqa: PTH123
        fcntl.flock(file, fcntl.LOCK_EX)
        broker.kill()


def main() -> int:
    """Run the command until it ends by itself, by a signal to the process group, or for want of users."""
    # A SIGTERM to the group is for the broker, which ends in its own time.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    broker = subprocess.Popen(sys.argv[2:], preexec_fn=die_with_the_guard)  # noqa: PLW1509
    threading.Thread(target=wait_for_users_to_end, args=(sys.argv[1], broker), daemon=True).start()
    status = broker.wait()
    sys.stdout.flush()
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
