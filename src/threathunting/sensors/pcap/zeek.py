"""Zeek over a capture: JSON logs with all file hashes and Community IDs; no site policy of the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from threathunting.sensors.pcap.process import SensorError, run_child
from threathunting.sensors.pcap.seeds import seeds

SCRIPT = "capture.zeek"

_SCRIPT = """\
# Made by threathunting. site/local is not loaded: parts of it make DNS look-ups.
@load tuning/json-logs
@load frameworks/files/hash-all-files
@load protocols/conn/community-id-logging
{optional}
@ifdef ( X509::log_x509_in_files_log )
# Gives certificates' SHA-1, by which lists of bad certificates name them.
redef X509::log_x509_in_files_log = T;
@endif
redef HTTP::proxy_headers += {{ "TRUE-CLIENT-IP", "CF-CONNECTING-IP", "X-REAL-IP", "X-CLIENT-IP" }};
event file_new(f: fa_file)
    {{
    Files::add_analyzer(f, Files::ANALYZER_SHA256);
    }}
"""

OPTIONAL_POLICIES = ("protocols/ssh/md5-host-key-logging",)
"""Policy scripts that not every Zeek has."""

PACKAGES = ("ja3", "ja4", "hassh", "zeek-ja3", "zeek-ja4")
"""Packages whose fields plugins know, used where they are installed."""

NO_EVIDENCE = frozenset({"packet_filter.log", "loaded_scripts.log", "stats.log", "capture_loss.log"})
"""Logs of what Zeek itself does."""


def read(program: Path, capture: Path, folder: Path, timeout: float | None) -> tuple[list[Path], list[str]]:
    """Let Zeek read a capture; its logs, and what it complained about. Raises SensorError where it failed."""
    script = folder / SCRIPT
    script.write_text(_SCRIPT.format(optional="\n".join(f"@load {name}" for name in _optional(program))))
    numbers = folder / "seeds"
    numbers.write_text(seeds(capture))
    # -C: captures from the sending host have wrong checksums.
    command: list[str | Path] = [program, "-C", "-G", numbers, "-r", capture, script]
    status, output = run_child("Zeek", command, folder, timeout, environment={"ZEEK_DNS_FAKE": "1"})
    complaints = [line.strip() for line in output.splitlines() if "error" in line]
    logs = sorted(path for path in folder.glob("*.log") if path.name not in NO_EVIDENCE)
    if status != 0:
        reason = complaints[-1] if complaints else f"it ended with status {status}"
        raise SensorError(f"Zeek could not read it: {reason}")
    return logs, complaints


def _optional(program: Path) -> list[str]:
    """The policy scripts and packages to load that this Zeek has."""
    scripts, site = _folder(program, "--script_dir"), _folder(program, "--site_dir")
    found = [name for name in OPTIONAL_POLICIES if scripts and (scripts / "policy" / f"{name}.zeek").exists()]
    return found + [f"packages/{name}" for name in PACKAGES if site and (site / "packages" / name).exists()]


def _folder(program: Path, option: str) -> Path | None:
    """A folder that ``zeek-config``, beside Zeek, tells of; None where it doesn't."""
    config = program.with_name("zeek-config")
    try:
        told = subprocess.run([config, option], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(told.stdout.strip()) if told.stdout.strip() else None
