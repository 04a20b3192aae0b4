"""What all events of a flow share: its id and its two ends."""

from __future__ import annotations

from threathunting.records import Record
from threathunting.sensors.eve.values import Event, address, child, epoch, port, put, text

MAX_FLOWS = 65536
"""Flows whose client is remembered at once; the oldest is forgotten first."""

EPHEMERAL = 32768
"""Clients take their ports from here on (Linux; IANA's range begins later)."""

# fmt: off
BY_FLOW = frozenset((
    "flow", "http", "tls", "ssh", "smtp", "ftp", "ftp_data", "smb", "dcerpc", "modbus", "dnp3", "pgsql",
    "ldap", "pop3", "enip", "doh2",
))
"""Event types whose source is the flow's client, whichever side sent the packet."""

SERVER_PORTS = frozenset((
    20, 21, 22, 25, 53, 67, 69, 80, 88, 110, 111, 123, 135, 139, 143, 161, 162, 389, 443, 445, 465, 500, 502,
    587, 993, 995, 1433, 1883, 1900, 2049, 3128, 3306, 3389, 4500, 5060, 5061, 5353, 5355, 5432, 5900, 8000,
    8080, 8443, 8888,
))
"""Ports on which servers listen, for events of flows of which nothing else is known."""
# fmt: on

_End = tuple[str | None, int | None]
"""One end of a flow: address and port."""


def uid_of(event: Event) -> str | None:
    """The conversation's id: Suricata's ``flow_id`` as decimal text, as it can be searched for in EVE."""
    value = event.get("flow_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


class Ends:
    """Tells which end of an event is the client's.

    Suricata writes the sender of a packet as the source of some events (files, alerts, krb5, quic ...) and
    the client as that of others. Zeek's ``id.orig_h`` is always who opened the connection. The client of a
    flow is learned from the events that tell; before that the direction, and last the ports decide.
    """

    def __init__(self) -> None:
        self._clients: dict[str, _End] = {}

    def base(self, event: Event, kind: str) -> Record:
        """The fields that all of the event's records share: ts, uid, the four of the id, community_id."""
        uid = uid_of(event)
        source = (address(event.get("src_ip")), port(event.get("src_port")))
        destination = (address(event.get("dest_ip")), port(event.get("dest_port")))
        if source[1] is None and destination[1] is None:
            # ICMP: Zeek has type and code in the place of ports.
            source = (source[0], port(event.get("icmp_type")))
            destination = (destination[0], port(event.get("icmp_code")))
        if self._reversed(event, kind, uid, source, destination):
            source, destination = destination, source
        record: Record = {}
        put(record, ts=epoch(event.get("timestamp")), uid=uid)
        for name, value in (
            ("id.orig_h", source[0]),
            ("id.orig_p", source[1]),
            ("id.resp_h", destination[0]),
            ("id.resp_p", destination[1]),
            ("community_id", text(event, "community_id")),
        ):
            if value is not None:
                record[name] = value
        return record

    def _reversed(self, event: Event, kind: str, uid: str | None, source: _End, destination: _End) -> bool:
        """Whether the event's source is the server. Learns the flow's client where the event tells it."""
        told = _told(event, kind, source, destination)
        if told is None:
            client = self._clients.get(uid) if uid is not None else None
            if client in (source, destination):
                return client != source
            return _comes_from_server(source[1], destination[1])
        if kind == "flow":
            # Its last event.
            self._clients.pop(uid or "", None)
        elif uid is not None and uid not in self._clients:
            if len(self._clients) >= MAX_FLOWS:
                del self._clients[next(iter(self._clients))]
            self._clients[uid] = destination if told else source
        return told


def _told(event: Event, kind: str, source: _End, destination: _End) -> bool | None:
    """Whether the event itself says that its source is the server; None where it says nothing."""
    if kind in BY_FLOW:
        return False
    if kind == "dns":
        # Suricata 8 (version 3) names the responder as source, 7 always the client.
        return child(event, "dns").get("type") == "response"
    client = address(child(event, "flow").get("src_ip"))
    if client is not None and source[0] != destination[0] and client in (source[0], destination[0]):
        return client == destination[0]
    direction = event.get("direction")
    return direction == "to_client" if direction in ("to_server", "to_client") else None


def _comes_from_server(source: int | None, destination: int | None) -> bool:
    if source is None or destination is None:
        return False
    if (source in SERVER_PORTS) != (destination in SERVER_PORTS):
        return source in SERVER_PORTS
    return source < EPHEMERAL <= destination
