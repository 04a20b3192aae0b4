"""SMTP: envelope and header addresses, relays, mailer (smtp.log)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen, strings
from threathunting.plugins._values import addrs_in, emails_with_marks, host_addrs, host_names
from threathunting.records import Record

HEADERS = ("from", "to", "cc", "date", "subject", "msg_id", "reply_to", "user_agent", "first_received")

_RELAY = re.compile(
    r"\b(?:from|by|helo=?|ehlo=?)[\s(]*([a-z0-9](?:[a-z0-9\-]*[a-z0-9])?(?:\.[a-z0-9\-]+)+)", re.I
)


def relay_names(first: object, second: object) -> Iterable[str]:
    """The relays' names in Received headers: ``from a.example (...) by b.example`` (RFC 5321, 4.4)."""
    if first is None and second is None:
        return ()
    return host_names(
        [name for value in (first, second) for text in strings(value) for name in _RELAY.findall(text)]
    )


def has_message(record: Record) -> bool:
    """Whether a message was seen, not its envelope alone (refused, broken off, or in TLS from there on)."""
    return bool(record.get("fuids")) or any(name in record for name in HEADERS)


def has_no_message(record: Record) -> bool:
    """Whether the envelope is all that was seen."""
    return not has_message(record)


PLUGIN = Plugin(
    module="SMTP",
    logs=(
        Log(
            name="smtp",
            seen=(
                Seen(
                    "SMTP::IN_MAIL_FROM",
                    IndicatorType.EMAIL,
                    ("mailfrom",),
                    emails_with_marks,
                    when=has_message,
                ),
                Seen(
                    "SMTP::IN_RCPT_TO", IndicatorType.EMAIL, ("rcptto",), emails_with_marks, when=has_message
                ),
                Seen(
                    "SMTP::IN_ENVELOPE",
                    IndicatorType.EMAIL,
                    ("mailfrom", "rcptto"),
                    emails_with_marks,
                    when=has_no_message,
                ),
                Seen("SMTP::IN_FROM", IndicatorType.EMAIL, ("from",), emails_with_marks),
                Seen("SMTP::IN_TO", IndicatorType.EMAIL, ("to",), emails_with_marks),
                Seen("SMTP::IN_CC", IndicatorType.EMAIL, ("cc",), emails_with_marks),
                Seen("SMTP::IN_REPLY_TO", IndicatorType.EMAIL, ("reply_to",), emails_with_marks),
                # Zeek's path begins with the two ends of the connection itself.
                Seen("SMTP::IN_RECEIVED_HEADER", IndicatorType.ADDR, ("path",), when=has_message),
                Seen(
                    "SMTP::IN_RELAY", IndicatorType.DOMAIN, ("first_received", "second_received"), relay_names
                ),
                Seen("SMTP::IN_RELAY", IndicatorType.ADDR, ("first_received", "second_received"), addrs_in),
                Seen("SMTP::IN_X_ORIGINATING_IP_HEADER", IndicatorType.ADDR, ("x_originating_ip",)),
                Seen("SMTP::IN_HEADER", IndicatorType.SOFTWARE, ("user_agent",)),
                # No log of Zeek's has the URLs in a mail; Suricata's events do.
                Seen("SMTP::IN_MESSAGE", IndicatorType.URL, ("urls",)),
                Seen("SMTP::IN_HELO", IndicatorType.DOMAIN, ("helo",), host_names),
                Seen("SMTP::IN_HELO", IndicatorType.ADDR, ("helo",), host_addrs),
            ),
            links=("fuids",),
            ecs={
                "mailfrom": "email.sender.address",
                "from": "email.from.address",
                "to": "email.to.address",
                "cc": "email.cc.address",
                "reply_to": "email.reply_to.address",
                "date": "email.origination_timestamp",
                "subject": "email.subject",
                "msg_id": "email.message_id",
                "user_agent": "email.x_mailer",
                "tls": "tls.established",
            },
            constants={
                "event.category": ["email", "network"],
                "event.type": ["info", "protocol"],
                "network.protocol": "smtp",
            },
        ),
    ),
)
