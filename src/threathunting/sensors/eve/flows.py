"""``flow``: conn.log."""

from __future__ import annotations

from threathunting.records import Record
from threathunting.sensors.eve.values import (
    Converted,
    Event,
    child,
    epoch,
    port,
    put,
    text,
    texts,
    whole,
)

SERVICES = {
    "tls": "ssl",
    "krb5": "krb",
    "dcerpc": "dce_rpc",
    "pgsql": "postgresql",
    "http2": "http",
    "doh2": "http",
}
"""Zeek's names of services that Suricata calls otherwise."""

FIN, SYN, RST = 0x01, 0x02, 0x04


def conn(event: Event, base: Record) -> Converted:
    """``flow``: conn.log. Bytes are those of whole frames; the state is inferred (see ``conn_state``)."""
    flow = child(event, "flow")
    start, end = epoch(flow.get("start")), epoch(flow.get("end"))
    if start is not None:
        base["ts"] = start
        if end is not None and end >= start:
            base["duration"] = end - start
    app = text(event, "app_proto")
    vlan = (
        [tag for tag in event["vlan"] if port(tag) is not None] if isinstance(event.get("vlan"), list) else []
    )
    parent = event.get("parent_id")
    put(
        base,
        proto=proto(event),
        service=SERVICES.get(app, app) if app not in (None, "failed", "unknown") else None,
        orig_bytes=whole(flow, "bytes_toserver"),
        resp_bytes=whole(flow, "bytes_toclient"),
        orig_pkts=whole(flow, "pkts_toserver"),
        resp_pkts=whole(flow, "pkts_toclient"),
        conn_state=conn_state(event, flow),
        orig_l2_addr=next(iter(texts(child(event, "ether"), "src_macs")), None),
        resp_l2_addr=next(iter(texts(child(event, "ether"), "dest_macs")), None),
        vlan=vlan[0] if vlan else None,
        inner_vlan=vlan[1] if len(vlan) > 1 else None,
        tunnel_parents=[str(parent)] if isinstance(parent, int) and not isinstance(parent, bool) else None,
    )
    yield "conn", base


def proto(event: Event) -> str | None:
    """The transport protocol as Zeek names it."""
    name = text(event, "proto")
    if name is None:
        return None
    return "icmp" if name.upper() in ("ICMP", "IPV6-ICMP") else name.lower()


def conn_state(event: Event, flow: Event) -> str | None:
    """Zeek's connection state, as far as TCP flags and packet counts tell: never SHR, RSTRH or history."""
    answered = bool(whole(flow, "pkts_toclient"))
    name = proto(event)
    if name == "udp":
        return "SF" if answered else "S0"
    if name != "tcp":
        return "OTH" if name else None
    tcp = child(event, "tcp")
    client, server = _flags(tcp, "tcp_flags_ts"), _flags(tcp, "tcp_flags_tc")
    if client is None or server is None or not client & SYN:
        return "OTH"
    if not answered:
        return "RSTOS0" if client & RST else "SH" if client & FIN else "S0"
    if not server & SYN:
        return "REJ" if server & RST else "OTH"
    if client & RST:
        return "RSTO"
    if server & RST:
        return "RSTR"
    ended = {(True, True): "SF", (True, False): "S2", (False, True): "S3"}
    return ended.get((bool(client & FIN), bool(server & FIN)), "S1")


def _flags(tcp: Event, name: str) -> int | None:
    """TCP flags, which EVE has as hexadecimal text."""
    try:
        return int(text(tcp, name) or "", 16)
    except ValueError:
        return None
