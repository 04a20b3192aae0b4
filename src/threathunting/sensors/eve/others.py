"""The smaller protocols, each a handful of fields, and events for which Zeek has no log."""

from __future__ import annotations

from threathunting.records import Record
from threathunting.sensors.eve.values import (
    Converted,
    Event,
    address,
    child,
    digits,
    first,
    flag,
    flattened,
    objects,
    put,
    text,
    texts,
    whole,
)

OTHER_LOG = "suricata_"
"""How the logs begin that hold what Zeek has no log for: ``suricata_alert``, ``suricata_anomaly`` ..."""

SNMP_VERSIONS = {1: "1", 2: "2c", 3: "3"}
RFB_METHODS = {0: "Invalid", 1: "None", 2: "VNC", 16: "Tight", 18: "TLS", 30: "Apple Remote Desktop"}
MQTT_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}

MAX_FTP_USERS = 8192
ANONYMOUS = frozenset({"anonymous", "ftp", "guest"})
"""Users whose password Zeek logs too (``FTP::guest_ids``)."""


def ssh(event: Event, base: Record) -> Converted:
    """Convert an ssh event: banners and HASSH fingerprints. Log-in results and host keys are not in EVE."""
    client, server = child(child(event, "ssh"), "client"), child(child(event, "ssh"), "server")
    number = text(server, "proto_version") or text(client, "proto_version")
    put(
        base,
        version={"2": 2, "1": 1}.get((number or "")[:1]),
        client=_banner(client),
        server=_banner(server),
        hassh=text(child(client, "hassh"), "hash"),
        hasshServer=text(child(server, "hassh"), "hash"),
        hasshAlgorithms=text(child(client, "hassh"), "string"),
        hasshServerAlgorithms=text(child(server, "hassh"), "string"),
    )
    yield "ssh", base


def _banner(side: Event) -> str | None:
    number, software = text(side, "proto_version"), text(side, "software_version")
    return None if software is None else f"SSH-{number or '2.0'}-{software}"


class Ftp:
    """Converts ftp events; remembers each session's user, whom Zeek names on every command."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}

    def ftp(self, event: Event, base: Record) -> Converted:
        """Convert an ftp event: a command and its reply."""
        told = child(event, "ftp")
        command, argument = text(told, "command"), text(told, "command_data")
        uid = base.get("uid")
        if command == "USER" and argument is not None and uid is not None:
            if uid not in self._users and len(self._users) >= MAX_FTP_USERS:
                del self._users[next(iter(self._users))]
            self._users[uid] = argument
        user = self._users.get(uid) if uid is not None else argument if command == "USER" else None
        if command == "PASS":
            put(base, password=argument if user is not None and user.lower() in ANONYMOUS else "<hidden>")
            argument = None
        put(
            base,
            user=user,
            command=command,
            arg=argument,
            reply_code=digits(first(texts(told, "completion_code"))),
            reply_msg=first(texts(told, "reply")),
        )
        port = whole(told, "dynamic_port")
        if port is not None:
            base["data_channel.resp_p"] = port
        yield "ftp", base

    def ftp_data(self, event: Event, base: Record) -> Converted:
        """Convert an ftp_data event: the data connection of a command."""
        told = child(event, "ftp_data")
        put(base, command=text(told, "command"), arg=text(told, "filename"))
        yield "ftp", base


def sip(event: Event, base: Record) -> Converted:
    """Convert a sip event: sip.log. From, To and Call-ID are not in EVE."""
    told = child(event, "sip")
    put(
        base,
        method=text(told, "method"),
        uri=text(told, "uri"),
        status_code=digits(text(told, "code")),
        status_msg=text(told, "reason"),
    )
    yield "sip", base


def tftp(event: Event, base: Record) -> Converted:
    """Convert a tftp event, to the names of Zeek's spicy-tftp package."""
    told = child(event, "tftp")
    kind = text(told, "packet")
    put(
        base,
        wrq=kind == "write" if kind in ("read", "write") else None,
        fname=text(told, "file"),
        mode=text(told, "mode"),
    )
    yield "tftp", base


def mqtt(event: Event, base: Record) -> Converted:
    """Convert an mqtt event: mqtt_connect, mqtt_publish, mqtt_subscribe. Pings and the like give nothing."""
    told = child(event, "mqtt")
    connect, accepted = child(told, "connect"), child(told, "connack")
    if connect or accepted:
        record = dict(base)
        version = whole(connect, "protocol_version")
        code = whole(accepted, "return_code")
        put(
            record,
            proto_name=text(connect, "protocol_string"),
            proto_version=None if version is None else MQTT_VERSIONS.get(version, str(version)),
            client_id=text(connect, "client_id"),
            username=text(connect, "username"),
            will_topic=text(child(connect, "will"), "topic"),
            will_payload=text(child(connect, "will"), "message"),
            connect_status=None if code is None else "Accepted" if code == 0 else f"Refused ({code})",
        )
        yield "mqtt_connect", record
    if publish := child(told, "publish"):
        record = dict(base)
        put(
            record,
            topic=text(publish, "topic"),
            payload=text(publish, "message"),
            retain=flag(publish, "retain"),
            qos=_qos(publish),
        )
        yield "mqtt_publish", record
    for name, action in (("subscribe", "MQTT::SUBSCRIBE"), ("unsubscribe", "MQTT::UNSUBSCRIBE")):
        if request := child(told, name):
            record = dict(base)
            topics = [topic for one in objects(request, "topics") if (topic := text(one, "topic"))]
            put(record, action=action, topics=topics or texts(request, "topics"))
            yield "mqtt_subscribe", record


def _qos(publish: Event) -> str | None:
    return {0: "at most once", 1: "at least once", 2: "exactly once"}.get(whole(publish, "qos") or 0)


def dhcp(event: Event, base: Record) -> Converted:
    """Convert a dhcp event: dhcp.log, a record a message (Zeek sums up an exchange)."""
    told = child(event, "dhcp")
    kind = text(told, "dhcp_type")
    is_reply = text(told, "type") == "reply"
    lease = whole(told, "lease_time")
    put(
        base,
        uids=[base["uid"]] if "uid" in base else None,
        client_addr=_used(told, "client_ip"),
        server_addr=base.get("id.resp_h") if is_reply else None,
        mac=text(told, "client_mac"),
        host_name=text(told, "hostname"),
        requested_addr=_used(told, "requested_ip"),
        assigned_addr=_used(told, "assigned_ip"),
        lease_time=None if lease is None else float(lease),
        msg_types=None if kind is None else [kind.upper()],
        client_software=text(told, "vendor_class_identifier"),
    )
    yield "dhcp", base


def _used(told: Event, name: str) -> str | None:
    value = address(told.get(name))
    return None if value in ("0.0.0.0", "::") else value


def snmp(event: Event, base: Record) -> Converted:
    """Convert an snmp event: snmp.log."""
    told = child(event, "snmp")
    put(
        base,
        version=SNMP_VERSIONS.get(whole(told, "version") or 0),
        community=text(told, "community"),
        usm=text(told, "usm"),
        trap_address=address(told.get("trap_address")),
        pdu_type=text(told, "pdu_type"),
        variables=texts(told, "vars"),
    )
    yield "snmp", base


def rfb(event: Event, base: Record) -> Converted:
    """Convert an rfb event (VNC): rfb.log."""
    told = child(event, "rfb")
    login, screen = child(told, "authentication"), child(told, "framebuffer")
    result = text(login, "security_result")
    method = whole(login, "security_type")
    put(
        base,
        client_major_version=text(child(told, "client_protocol_version"), "major"),
        client_minor_version=text(child(told, "client_protocol_version"), "minor"),
        server_major_version=text(child(told, "server_protocol_version"), "major"),
        server_minor_version=text(child(told, "server_protocol_version"), "minor"),
        authentication_method=None if method is None else RFB_METHODS.get(method, str(method)),
        auth=None if result is None else result == "OK",
        share_flag=flag(told, "screen_shared"),
        desktop_name=text(screen, "name"),
        width=whole(screen, "width"),
        height=whole(screen, "height"),
    )
    yield "rfb", base


def pgsql(event: Event, base: Record) -> Converted:
    """Convert a pgsql event: postgresql.log."""
    request, response = child(child(event, "pgsql"), "request"), child(child(event, "pgsql"), "response")
    startup = child(request, "startup_parameters")
    options = objects(startup, "optional_parameters")
    query = text(request, "simple_query")
    put(
        base,
        user=text(startup, "user"),
        database=first(value for option in options if (value := text(option, "database"))),
        application_name=first(value for option in options if (value := text(option, "application_name"))),
        frontend="simple_query" if query is not None else text(request, "message"),
        frontend_arg=query,
        backend=text(response, "command_completed") or text(response, "message"),
        rows=whole(response, "data_rows"),
    )
    yield "postgresql", base


def tunnel(event: Event, base: Record) -> Converted:
    """tunnel.log of an event that names the tunnel which its packet came through."""
    told = child(event, "tunnel")
    ends: Record = {"id.orig_h": address(told.get("src_ip")), "id.resp_h": address(told.get("dest_ip"))}
    if None in ends.values():
        return
    record: Record = {name: base[name] for name in ("ts", "uid") if name in base}
    ends |= {"id.orig_p": whole(told, "src_port"), "id.resp_p": whole(told, "dest_port")}
    put(record, **ends, tunnel_type=f"Tunnel::{text(told, 'proto') or 'IP'}", action="Tunnel::DISCOVER")
    yield "tunnel", record


def other(event: Event, base: Record, kind: str) -> Converted:
    """An event for which Zeek has no log: its fields by dotted names, captured with its conversation."""
    put(base, app_proto=text(event, "app_proto"))
    base.update(flattened(child(event, kind), f"{kind}."))
    yield OTHER_LOG + kind, base
