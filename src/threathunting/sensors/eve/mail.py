"""``smtp``: smtp.log."""

from __future__ import annotations

import re

from threathunting.records import Record
from threathunting.sensors.eve.files import FileLinks
from threathunting.sensors.eve.values import Converted, Event, address, child, first, put, text, texts, whole

_ADDRESS = re.compile(
    r"(?<![\w.:])((?:\d{1,3}\.){3}\d{1,3}|(?:IPv6:)?[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:.]*)(?![\w:])", re.I
)


def smtp(event: Event, base: Record, links: FileLinks) -> Converted:
    """Convert an smtp event: the envelope, and what EVE has of the message (``email``).

    ``urls`` (in the body) and ``attachments`` (names) are ours: Zeek has no such fields.
    """
    envelope, email = child(event, "smtp"), child(event, "email")
    transaction = whole(event, "tx_id")
    received = texts(email, "received")
    put(
        base,
        trans_depth=None if transaction is None else transaction + 1,
        helo=text(envelope, "helo"),
        mailfrom=_bare(text(envelope, "mail_from")),
        rcptto=[bare for recipient in texts(envelope, "rcpt_to") if (bare := _bare(recipient))],
        date=text(email, "date"),
        to=texts(email, "to"),
        cc=texts(email, "cc"),
        bcc=texts(email, "bcc"),
        reply_to=text(email, "reply_to"),
        msg_id=text(email, "message_id"),
        in_reply_to=text(email, "in_reply_to"),
        subject=text(email, "subject"),
        x_originating_ip=_in_brackets(text(email, "x_originating_ip")),
        first_received=first(received),
        second_received=first(received[1:]),
        user_agent=text(email, "user_agent") or text(email, "x_mailer"),
        urls=texts(email, "url"),
        attachments=texts(email, "attachment"),
        fuids=[file["fuid"] for file in links.files(base.get("uid"), transaction)],
    )
    # 'from' is a word of Python's.
    put(base, **{"from": text(email, "from")})
    if email:
        base["path"] = _path(base, received)
    yield "smtp", base


def _bare(recipient: str | None) -> str | None:
    """An envelope address without its angle brackets and parameters."""
    if recipient is None:
        return None
    start, opened, rest = recipient.partition("<")
    return (rest.partition(">")[0] if opened else start).strip() or None


def _in_brackets(value: str | None) -> str | None:
    return None if value is None else address(value.strip().strip("[]"))


def _path(base: Record, received: list[str]) -> list[str]:
    """The relays, last first: the connection's ends, and the sender that each Received header tells."""
    path = [base[end] for end in ("id.resp_h", "id.orig_h") if end in base]
    for header in received:
        relay = _relay(header)
        if relay is not None and (not path or path[-1] != relay):
            path.append(relay)
    return path


def _relay(header: str) -> str | None:
    """The address of the host that a relay got the message from: the second in the header, or the only one.

    The first of two is what the host called itself: ``from [10.0.0.5] (gw.example [192.0.2.1])``.
    """
    found = [
        ip
        for text in _ADDRESS.findall(header)
        if (ip := address(text.lower().removeprefix("ipv6:"))) is not None
    ]
    return found[1] if len(found) > 1 else first(found)
