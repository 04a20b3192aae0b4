"""From EVE events to records in Zeek's names."""

from __future__ import annotations

import re
from collections.abc import Callable

from threathunting.records import Record
from threathunting.sensors.eve import flows, mail, others, tls, windows
from threathunting.sensors.eve.dns import DnsJoin
from threathunting.sensors.eve.ends import Ends
from threathunting.sensors.eve.files import FileLinks, fileinfo
from threathunting.sensors.eve.http import http
from threathunting.sensors.eve.values import Converted, Event, text

IGNORED = frozenset({"stats", "engine"})
"""Event types that tell of Suricata itself, not of traffic."""

LOGS: dict[str, frozenset[str]] = {
    "flow": frozenset({"conn"}),
    "dns": frozenset({"dns"}),
    "mdns": frozenset({"dns"}),
    "http": frozenset({"http"}),
    "fileinfo": frozenset({"files", "http", "smtp"}),
    "tls": frozenset({"ssl", "x509", "files"}),
    "quic": frozenset({"quic", "ssl"}),
    "ssh": frozenset({"ssh"}),
    "smtp": frozenset({"smtp"}),
    "ftp": frozenset({"ftp"}),
    "ftp_data": frozenset({"ftp"}),
    "smb": frozenset({"smb_files", "smb_mapping", "ntlm", "kerberos", "dce_rpc"}),
    "dcerpc": frozenset({"dce_rpc"}),
    "krb5": frozenset({"kerberos"}),
    "rdp": frozenset({"rdp"}),
    "ldap": frozenset({"ldap", "ldap_search"}),
    "sip": frozenset({"sip"}),
    "tftp": frozenset({"tftp"}),
    "mqtt": frozenset({"mqtt_connect", "mqtt_publish", "mqtt_subscribe"}),
    "dhcp": frozenset({"dhcp"}),
    "snmp": frozenset({"snmp"}),
    "rfb": frozenset({"rfb"}),
    "pgsql": frozenset({"postgresql"}),
}
"""By event type the logs whose records it makes or completes."""

_KIND = re.compile(r"[a-z0-9_]{1,40}")


def logs_of(kind: str) -> frozenset[str]:
    """The logs that events of a type are needed for."""
    if kind in IGNORED:
        return frozenset()
    return LOGS.get(kind) or frozenset({others.OTHER_LOG + kind, "tunnel"})


class EveConverter:
    """Converts a stream of EVE events (Suricata 7 and 8), in order.

    It remembers, within bounds, what later events need: queries that wait for their answers, which end of a
    flow is the client, files of open transactions, FTP users. Nothing in an event makes it raise.

    ``uid`` is Suricata's ``flow_id`` as text: the same for all events of a flow, and in practice unique, as
    it is made of the flow's hash and start time.
    """

    def __init__(self) -> None:
        self._ends = Ends()
        self.dns = DnsJoin()
        """The queries that wait, for readers of input that grows."""
        self._links = FileLinks()
        ftp = others.Ftp()
        self._handlers: dict[str, Callable[[Event, Record], Converted]] = {
            "flow": flows.conn,
            "dns": self.dns.dns,
            "mdns": self.dns.dns,
            "http": lambda event, base: http(event, base, self._links),
            "fileinfo": lambda event, base: fileinfo(event, base, self._links),
            "smtp": lambda event, base: mail.smtp(event, base, self._links),
            "tls": tls.tls,
            "quic": tls.quic,
            "ssh": others.ssh,
            "ftp": ftp.ftp,
            "ftp_data": ftp.ftp_data,
            "smb": windows.smb,
            "dcerpc": windows.dcerpc,
            "krb5": windows.krb5,
            "rdp": windows.rdp,
            "ldap": windows.ldap,
            "sip": others.sip,
            "tftp": others.tftp,
            "mqtt": others.mqtt,
            "dhcp": others.dhcp,
            "snmp": others.snmp,
            "rfb": others.rfb,
            "pgsql": others.pgsql,
        }

    @property
    def evicted(self) -> int:
        """DNS queries that came out without waiting longer for an answer, to make room."""
        return self.dns.evicted

    def convert(self, event: Event) -> list[tuple[str, Record]]:
        """The records of an event, as (log name, record); none where it has no type or tells of Suricata."""
        kind = text(event, "event_type")
        if kind is None or kind in IGNORED or not _KIND.fullmatch(kind):
            return []
        base = self._ends.base(event, kind)
        handler = self._handlers.get(kind)
        if handler is not None:
            return list(handler(event, base))
        return [*others.tunnel(event, base), *others.other(event, base, kind)]

    def flush(self) -> list[tuple[str, Record]]:
        """The records still held at the end of the input: DNS queries without an answer."""
        return list(self.dns.flush())
