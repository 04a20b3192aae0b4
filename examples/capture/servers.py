"""The hosts of the story, what they hold, and the servers that run on them."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from lab import QUIET, RESOLVER, Host, Lab

ACTORS = str(Path(__file__).resolve().parent / "actors.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python that Debian's packages belong to."""

DNS = Host("dns.office.example", RESOLVER)
MAIL = Host("mail.office.example", "10.20.0.25")
WWW = Host("www.office.example", "10.20.0.80")
BASTION = Host("ssh.office.example", "10.20.0.22")
ANNA = Host("anna.office.example", "10.20.0.101", "2001:db8:20::101")
BEN = Host("ben.office.example", "10.20.0.102", "2001:db8:20::102")
CHRIS = Host("chris.office.example", "10.20.0.103", dns_over_tcp=True)

NEWS = Host("news.example", "192.0.2.10", "2001:db8:10::10")
SHOP = Host("shop.example", "192.0.2.20")
MIRROR = Host("mirror.example", "192.0.2.30")
EDGE = Host("edge.cdn.example", "192.0.2.80")
PARTNER = Host("mx.partner.example", "192.0.2.25")

BULK = Host("edge7.bulk-hosting.test", "198.51.100.7", "2001:db8:bad::7")
C2 = Host("sync.telemetry-node.test", "198.51.100.23", "2001:db8:bad::23")
DROP = Host("drop.bulk-hosting.test", "198.51.100.90")
SPAMMER = Host("mx.invoiceportal.test", "203.0.113.9")
GUESSER = Host("scan45.bulk-hosting.test", "203.0.113.45")

HOSTS: tuple[Host, ...] = (DNS, MAIL, WWW, BASTION, ANNA, BEN, CHRIS, NEWS, SHOP, MIRROR, EDGE, PARTNER)
HOSTS += (BULK, C2, DROP, SPAMMER, GUESSER)

PASSWORD = "Winter-2026"
FTP_USER, FTP_PASSWORD = "dropbox17", "q3"
DROPPER = b"".join(
    [b"#!/bin/sh\n# A harmless file of an example. It does nothing.\nexit 0\n"]
    + [f"# padding {hashlib.sha256(str(line).encode()).hexdigest()}\n".encode() for line in range(160)]
)


@dataclass(frozen=True)
class Secrets:
    """What is made anew for each capture, and stays in its temporary folder."""

    folder: Path

    @property
    def c2_certificate(self) -> Path:
        """The C2's self-signed certificate, with its key."""
        return self.folder / "c2.pem"

    @property
    def ca(self) -> Path:
        """The benign sites' certificate authority."""
        return self.folder / "ca.pem"

    def host_key(self, host: Host) -> Path:
        """A host's SSH key."""
        return self.folder / f"ssh-{host.v4}"

    @property
    def client_key(self) -> Path:
        """The key that people and the implant log in with."""
        return self.folder / "ssh-client"


def make_secrets(folder: Path) -> Secrets:
    """Keys and certificates."""
    secrets = Secrets(folder)
    key, certificate = folder / "key", folder / "certificate"
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90"
    made = f"-keyout {key} -out {certificate}"
    names = f"subjectAltName=DNS:{C2.name},DNS:relay.telemetry-node.test"
    tool(f"{new} {made} -subj /CN={C2.name} -addext {names}")
    secrets.c2_certificate.write_text(certificate.read_text() + key.read_text())
    tool(f"{new} -keyout {folder}/ca.key -out {secrets.ca} -subj '/O=Example Trust/CN=Example CA'")
    for host in (NEWS, SHOP):
        names = f"subjectAltName=DNS:{host.name},DNS:www.{host.name}"
        signed = f"-CA {secrets.ca} -CAkey {folder}/ca.key"
        tool(f"{new} {signed} {made} -subj /O=Example/CN={host.name} -addext {names}")
        (folder / f"{host.name}.pem").write_text(certificate.read_text() + key.read_text())
    for path in (secrets.host_key(BASTION), secrets.host_key(C2), secrets.client_key):
        tool(f"ssh-keygen -q -t ed25519 -N '' -C '' -f {path}")
    return secrets


def write_sites(root: Path) -> None:
    """The pages and files of every web site."""
    words = ("market", "weather", "harbour", "bridge", "council", "museum", "river", "festival")
    story = "".join(f"<p>{' '.join(words[i % 8 :] + words[: i % 8])}.</p>\n" for i in range(24))
    page = (
        "<html><head><title>{0}</title><link rel=stylesheet href=/style.css></head>"
        "<body><h1>{0}</h1>\n{1}</body></html>\n"
    )
    for site in (NEWS, SHOP, WWW, MIRROR):
        folder = root / site.name
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(page.format(site.name, story))
        (folder / "style.css").write_text("body { font: 16px serif; margin: 2em }\n" * 20)
        (folder / "logo.png").write_bytes(_picture(64))
    (root / NEWS.name / "gate.php.html").write_text(page.format("How a gate works", story))
    (root / MIRROR.name / "files").mkdir()
    (root / MIRROR.name / "files" / "tools_2.4.tar.gz").write_bytes(
        zlib.compress(story.encode() * 8, wbits=31)
    )
    (root / "download.invoiceportal.test" / "files").mkdir(parents=True)
    (root / "download.invoiceportal.test" / "files" / "viewer-setup.bin").write_bytes(DROPPER)
    (root / "default" / "backup").mkdir(parents=True)
    (root / "default" / "backup" / "forecast.csv").write_text("region,quarter,amount\nnorth,Q3,1200\n" * 40)
    (root / "default" / "config").write_text("interval=60\njitter=5\n")
    (root / "default" / "index.html").write_text(page.format("Welcome", story[:900]))


def start_servers(lab: Lab, secrets: Secrets) -> None:
    """Every server of the story."""
    folder = secrets.folder
    records = [f"--host-record={host.name},{host.v4}" + (f",{host.v6}" if host.v6 else "") for host in HOSTS]
    records += [
        "--host-record=a1.updates-cdn.test,198.51.100.23",
        "--host-record=notupdates-cdn.test,192.0.2.30",
        "--host-record=invoiceportal.example,192.0.2.10",
        f"--cname=download.invoiceportal.test,{BULK.name}",
        f"--cname=www.{SHOP.name},{SHOP.name}",
        f"--cname=intranet.office.example,{WWW.name}",
    ]
    own = "--no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file --local-ttl=300"
    lab.serve(DNS, "dnsmasq", *own.split(), "--local=/example/", "--local=/test/", *records, ports=[53])

    sink = f"-m aiosmtpd -n -c aiosmtpd.handlers.Sink -l {MAIL.v4}:25"
    lab.serve(MAIL, SYSTEM_PYTHON, *sink.split(), ports=[25])

    for host in (NEWS, SHOP, MIRROR, WWW, BULK):
        _web(lab, host, host.v4, 80)
    for host, newest in ((NEWS, "1.3"), (SHOP, "1.2")):
        _web(lab, host, host.v4, 443, str(folder / f"{host.name}.pem"), newest)
    _web(lab, NEWS, str(NEWS.v6), 80)
    _web(lab, C2, C2.v4, 8080)
    _web(lab, C2, str(C2.v6), 80)
    _web(lab, C2, C2.v4, 443, str(secrets.c2_certificate), "1.2")
    lab.serve(C2, SYSTEM_PYTHON, ACTORS, "udp", C2.v4, "40123", ports=[40123])

    (folder / "exfil").mkdir()
    ftp = f"-m pyftpdlib -i {DROP.v4} -p 21 -w -u {FTP_USER} -P {FTP_PASSWORD} -d {folder}/exfil"
    lab.serve(DROP, SYSTEM_PYTHON, *ftp.split(), ports=[21])

    for host, user in ((BASTION, "backup"), (C2, "relay")):
        _sshd(lab, secrets, host, user)


def _sshd(lab: Lab, secrets: Secrets, host: Host, user: str) -> None:
    hashed = tool(f"openssl passwd -6 {PASSWORD}").strip()
    lab.account(host, user, hashed)
    keys = secrets.folder / "authorized_keys"
    shutil.copyfile(f"{secrets.client_key}.pub", keys)
    keys.chmod(0o644)
    settings = (
        f"ListenAddress {host.v4}",
        f"HostKey {secrets.host_key(host)}",
        f"AuthorizedKeysFile {keys}",
        "PidFile none",
        "UsePAM no",
        "UseDNS no",
        "StrictModes no",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication no",
    )
    config = secrets.folder / f"sshd-{host.v4}"
    config.write_text("\n".join(settings) + "\n")
    # sshd notes failed logins under /var/log and keeps a folder under /run: not in the system's ones.
    own = "mount -t tmpfs none /var/log; mount -t tmpfs none /run; mkdir /run/sshd;"
    lab.serve(host, "/usr/sbin/sshd", "-D", "-e", "-f", str(config), ports=[22], setup=own)


def _web(lab: Lab, host: Host, address: str, port: int, *tls: str) -> None:
    root = str(lab.folder / "www")
    lab.serve(host, SYSTEM_PYTHON, ACTORS, "web", address, str(port), root, *tls, ports=[port])


def _picture(size: int) -> bytes:
    """A PNG of coloured stripes."""
    rows = b"".join(
        b"\0" + bytes((x * y * 7 + channel * 40) % 256 for x in range(size) for channel in range(3))
        for y in range(size)
    )
    chunks = (
        (b"IHDR", struct.pack("!IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    packed = (
        struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tool(command: str) -> str:
    """What a command of this machine prints."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, env=QUIET, check=True)
    return done.stdout
