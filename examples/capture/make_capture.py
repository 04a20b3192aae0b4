#!/usr/bin/env python3
r"""Play a small intrusion among benign noise, and capture it: ``traffic.pcap`` and the intel on it.

Real servers and clients run in network namespaces (``lab.py``) that have no way to a real network.
Needs Linux, root, and on Debian 12 or later:

    apt-get install -y --no-install-recommends curl dnsmasq-base ethtool iproute2 iputils-ping \
        openssh-client openssh-server openssl procps python3-aiosmtpd python3-pyftpdlib sshpass tcpdump

Where installing a server starts it (it does where systemd runs), stop it again. Then, from anywhere:

    python3 examples/capture/make_capture.py [FOLDER]

FOLDER is ``examples`` unless given. It takes half a minute. Keys, certificates and times are new each time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import intel_files
import story
from fingerprints import ClientHello
from lab import QUIET, Lab
from servers import (
    ACTORS,
    C2,
    DROPPER,
    FTP_USER,
    HOSTS,
    SYSTEM_PYTHON,
    Secrets,
    make_secrets,
    start_servers,
    tool,
    write_sites,
)

COMMANDS = (
    *("curl", "dnsmasq", "ethtool", "getent", "hostname", "ip", "mount", "openssl", "ping", "ss", "ssh"),
    *("ssh-keygen", "sshd", "sshpass", "sysctl", "tcpdump", "unshare"),
)


def main() -> None:
    """Build the lab, play the story, write the capture and the intel."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    if missing := what_is_missing():
        sys.exit(f"make_capture: {missing}")
    with tempfile.TemporaryDirectory(prefix="threathunting-lab-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        secrets = make_secrets(folder)
        write_sites(folder / "www")
        with Lab(HOSTS, folder) as lab:
            start_servers(lab, secrets)
            recorder = lab.capture(folder / "traffic.pcap")
            hassh = story.play(lab, secrets)
            time.sleep(1.5)
            lab.stop(recorder)
        shutil.copyfile(folder / "traffic.pcap", target / "traffic.pcap")
        facts = gather(secrets) | {"hassh": hassh}
    intel_files.write(target, facts)
    print(f"{target / 'traffic.pcap'}: {(target / 'traffic.pcap').stat().st_size} bytes")


def what_is_missing() -> str:
    """One sentence on what this machine lacks, or nothing."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "needs root on Linux (it makes network namespaces)"
    lacking = [name for name in COMMANDS if shutil.which(name, path=QUIET["PATH"]) is None]
    for module in ("aiosmtpd", "pyftpdlib"):
        found = subprocess.run([SYSTEM_PYTHON, "-c", f"import {module}"], capture_output=True, check=False)
        if found.returncode != 0:
            lacking.append(f"python3-{module}")
    return f"lacks {', '.join(lacking)} (its first lines say what to install)" if lacking else ""


def gather(secrets: Secrets) -> dict[str, str]:
    """What the intel needs to know of this very capture."""
    pem = secrets.c2_certificate.read_text().partition("-----BEGIN PRIVATE KEY")[0]
    certificate = ssl.PEM_cert_to_DER_cert(pem)
    hello = ClientHello.parse(bytes.fromhex(tool(f"{SYSTEM_PYTHON} {ACTORS} clienthello {C2.name}").strip()))
    keys = {
        kind: tool(f"ssh-keygen -l -E {kind} -f {secrets.host_key(C2)}.pub").split()[1]
        for kind in ("md5", "sha256")
    }
    return {
        "dropper_sha256": hashlib.sha256(DROPPER).hexdigest(),
        "attachment_sha1": hashlib.sha1(story.attachment()).hexdigest(),
        "certificate_sha1": hashlib.sha1(certificate).hexdigest(),
        "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
        "host_key_md5": keys["md5"].removeprefix("MD5:"),
        "host_key_sha256": keys["sha256"],
        "ja3": hello.ja3(),
        "ja4": hello.ja4(),
        "lure": story.LURE,
        "implant": story.IMPLANT,
        "ftp_user": FTP_USER,
    }


if __name__ == "__main__":
    main()
