"""EVE events for the tests, one or more of each type, as Suricata 7 and 8 write them. Written by hand."""

from __future__ import annotations

from typing import Any

CERTIFICATE = (
    "MIICKjCCAdCgAwIBAgIEAMD/7jAKBggqhkjOPQQDAjA5MQswCQYDVQQGEwJVUzETMBEGA1UECgwKTHVyZSwgSW5jLjEVMBMGA1UE"
    "AwwMbHVyZS5leGFtcGxlMCAXDTI2MTEyNDAzNTAzM1oYDzIxMjYxMDMxMDM1MDMzWjA5MQswCQYDVQQGEwJVUzETMBEGA1UECgwK"
    "THVyZSwgSW5jLjEVMBMGA1UEAwwMbHVyZS5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+/8JQGr01VmaPPAWYma8"
    "ePQwkVD9fQ4+rVLrH1e/HXU5QlaIArWv9+2RFn65UuFOV4VwnEsZXGw/e3v885ryiqOBwzCBwDAdBgNVHQ4EFgQUBlZT9GcsJaqK"
    "sy0B8kne3G/wdYkwHwYDVR0jBBgwFoAUBlZT9GcsJaqKsy0B8kne3G/wdYkwDwYDVR0TAQH/BAUwAwEB/zBtBgNVHREEZjBkggxs"
    "dXJlLmV4YW1wbGWCEiouY2RuLmx1cmUuZXhhbXBsZYcEwAACB4cQIAENuAAAAAAAAAAAAAAAB4EQb3BzQGx1cmUuZXhhbXBsZYYW"
    "aHR0cHM6Ly9sdXJlLmV4YW1wbGUveDAKBggqhkjOPQQDAgNIADBFAiEA84EeXzNvbhljLIRjgnNmV8UlghYzZDMxUSi02N/n87wC"
    "IHlLi8hxzniR7WFFR2SX12EXVgbfSip809695876zXHy"
)
"""A certificate of our own (openssl req -x509): CN=lure.example, with names of four kinds."""

FLOW = 1638928396601801

BASE: dict[str, Any] = {
    "timestamp": "2026-03-01T12:00:00.500000+0000",
    "flow_id": FLOW,
    "pcap_cnt": 7,
    "src_ip": "10.0.0.5",
    "src_port": 50123,
    "dest_ip": "192.0.2.7",
    "dest_port": 80,
    "proto": "TCP",
    "pkt_src": "wire/pcap",
    "community_id": "1:SstOIjjOLepdn1pkOn6PP+Hk+MA=",
}


def event(kind: str, body: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An event of a type, with ``body`` under the type's name and ``fields`` beside it."""
    made = BASE | {"event_type": kind}
    if body is not None:
        made[kind] = body
    return made | fields


def response(**fields: Any) -> dict[str, Any]:
    """Fields of an event whose source is the server."""
    return {"src_ip": "192.0.2.7", "src_port": 80, "dest_ip": "10.0.0.5", "dest_port": 50123} | fields


FLOW_EVENT = event(
    "flow",
    {
        "pkts_toserver": 6,
        "pkts_toclient": 4,
        "bytes_toserver": 1529,
        "bytes_toclient": 1006,
        "start": "2026-03-01T11:59:58.000000+0000",
        "end": "2026-03-01T12:00:00.250000+0000",
        "age": 2,
        "state": "closed",
        "reason": "timeout",
        "alerted": False,
    },
    app_proto="tls",
    vlan=[12, 34],
    ether={"dest_macs": ["00:00:5e:00:53:02"], "src_macs": ["00:00:5e:00:53:01"]},
    tcp={"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b", "syn": True, "state": "closed"},
)

UDP = {"proto": "UDP", "dest_port": 53}
ANSWERS = [
    {"rrname": "lure.example", "rrtype": "CNAME", "ttl": 30, "rdata": "cdn.lure.example"},
    {"rrname": "cdn.lure.example", "rrtype": "A", "ttl": 60, "rdata": "192.0.2.7"},
    {
        "rrname": "cdn.lure.example",
        "rrtype": "AAAA",
        "ttl": 60,
        "rdata": "2001:0db8:0000:0000:0000:0000:0000:0007",
    },
]
QUERY_V2 = event(
    "dns",
    {
        "version": 2,
        "type": "query",
        "id": 4711,
        "rrname": "lure.example",
        "rrtype": "A",
        "tx_id": 0,
        "opcode": 0,
    },
    **UDP,
)
ANSWER_V2 = event(
    "dns",
    {
        "version": 2,
        "type": "answer",
        "id": 4711,
        "flags": "8180",
        "qr": True,
        "rd": True,
        "ra": True,
        "opcode": 0,
        "rrname": "lure.example",
        "rrtype": "A",
        "rcode": "NOERROR",
        "answers": ANSWERS,
    },
    timestamp="2026-03-01T12:00:00.750000+0000",
    **UDP,
)
QUERY_V3 = event(
    "dns",
    {
        "version": 3,
        "type": "request",
        "tx_id": 0,
        "id": 4711,
        "flags": "100",
        "rd": True,
        "opcode": 0,
        "rcode": "NOERROR",
        "queries": [{"rrname": "lure.example", "rrtype": "A"}],
    },
    **UDP,
)
ANSWER_V3 = event(
    "dns",
    {
        "version": 3,
        "type": "response",
        "tx_id": 1,
        "id": 4711,
        "flags": "8180",
        "qr": True,
        "rd": True,
        "ra": True,
        "opcode": 0,
        "rcode": "NOERROR",
        "queries": [{"rrname": "lure.example", "rrtype": "A"}],
        "answers": ANSWERS,
    },
    timestamp="2026-03-01T12:00:00.750000+0000",
    proto="UDP",
    **response(src_port=53),
)
MDNS = event(
    "mdns",
    {
        "type": "response",
        "queries": [],
        "answers": [{"rrname": "_ssh._tcp.local", "ptr": "nas._ssh._tcp.local"}],
    },
    **UDP,
)

HTTP = event(
    "http",
    {
        "hostname": "lure.example",
        "http_port": 8080,
        "url": "/gate.php?q=%27a%20b",
        "http_user_agent": "curl/8",
        "http_content_type": "text/html",
        "http_refer": "http://start.example/",
        "http_method": "POST",
        "protocol": "HTTP/1.1",
        "status": 200,
        "length": 4671,
        "request_headers": [
            {"name": "Host", "value": "lure.example:8080"},
            {"name": "Content-Length", "value": "12"},
            {"name": "X-Forwarded-For", "value": "198.51.100.9, 10.0.0.1"},
            {"name": "Via", "value": "1.1 proxy.example"},
            {"name": "Authorization", "value": "Basic bWFsbG9yeTpzZWNyZXQ="},
            {"name": "Origin", "value": "http://start.example"},
        ],
        "response_headers": [{"name": "Server", "value": "nginx"}],
    },
    tx_id=0,
)
FILE = event(
    "fileinfo",
    {
        "filename": "/gate.php",
        "gaps": False,
        "state": "CLOSED",
        "md5": "ea68d7b329e282f1eb39ddcc94209304",
        "sha1": "507f9d9b1ee7bcfb0b1fa5e48e0e48057c0c07b0",
        "sha256": "2a11b17c0678db02767b7a8972c385ea4f868f62b498be8073b5d6e890908317",
        "stored": False,
        "size": 4660,
        "tx_id": 0,
    },
    http={"hostname": "lure.example", "url": "/gate.php?q=%27a%20b"},
    app_proto="http",
    **response(),
)
TLS = event(
    "tls",
    {
        "subject": "C=US, O=Lure, Inc., CN=lure.example",
        "issuerdn": "C=US, O=Lure, Inc., CN=lure.example, Email=ops@lure.example",
        "serial": "00:C0:FF:EE",
        "fingerprint": "af:6d:13:2e:07:4f:30:4f:17:63:4e:b4:83:e0:0f:b5:6f:27:1f:ad",
        "sni": "www.lure.example",
        "version": "TLS 1.2",
        "notbefore": "2026-01-01T00:00:00",
        "notafter": "2027-01-01T00:00:00",
        "chain": [CERTIFICATE, CERTIFICATE],
        "ja3": {"hash": "ccc4531e0fdf771be227dc8cba58b91e", "string": "771,255"},
        "ja3s": {"hash": "0debd3853f330c574b05e0b6d882dc27", "string": "771,49200"},
        "ja4": "t12i550500_3970cc3bc6d2_31498302a1f1",
        "client_alpns": ["h2"],
        "server_alpns": ["h2"],
        "client": {"subject": "CN=client", "issuerdn": "CN=ca", "chain": [CERTIFICATE]},
    },
    dest_port=443,
)
SMTP = event(
    "smtp",
    {"helo": "mail.start.example", "mail_from": "<bad@lure.example>", "rcpt_to": ["<you@start.example>"]},
    email={
        "status": "PARSE_DONE",
        "from": "Bad <bad@lure.example>",
        "to": ["You <you@start.example>"],
        "cc": ["else@start.example"],
        "reply_to": "other@lure.example",
        "subject": "invoice",
        "message_id": "<1@lure.example>",
        "x_mailer": "Mailer 1",
        "x_originating_ip": "[198.51.100.77]",
        "date": "Tue, 2 Mar 2026 13:57:49 +0100",
        "received": [
            "from [10.9.9.9] (gw.lure.example [198.51.100.3]) by mail.start.example; now",
            "from laptop ([IPv6:2001:db8::99]) by gw.lure.example",
        ],
        "attachment": ["invoice.exe"],
        "url": ["http://lure.example/x"],
    },
    tx_id=0,
    dest_port=25,
)
SSH = event(
    "ssh",
    {
        "client": {"proto_version": "2.0", "software_version": "OpenSSH_9.6", "hassh": {"hash": "a" * 32}},
        "server": {"proto_version": "2.0", "software_version": "dropbear", "hassh": {"hash": "b" * 32}},
    },
    dest_port=22,
)
SMB_CREATE = event(
    "smb",
    {
        "command": "SMB2_COMMAND_CREATE",
        "status": "STATUS_SUCCESS",
        "filename": "dir\\evil.exe",
        "disposition": "FILE_OPEN",
        "access": "normal",
        "size": 4096,
        "share": "\\\\srv\\c$",
    },
    dest_port=445,
)
SMB_LOGIN = event(
    "smb",
    {
        "command": "SMB2_COMMAND_SESSION_SETUP",
        "status": "STATUS_LOGON_FAILURE",
        "ntlmssp": {"domain": "CORP", "user": "mallory", "host": "LAPTOP"},
        "kerberos": {"realm": "CORP.EXAMPLE", "snames": ["cifs", "srv.corp.example"]},
    },
    dest_port=445,
)
SMB_TREE = event(
    "smb",
    {
        "command": "SMB2_COMMAND_TREE_CONNECT",
        "status": "STATUS_SUCCESS",
        "share": "\\\\srv\\c$",
        "share_type": "FILE",
    },
    dest_port=445,
)
SMB_RENAME = event(
    "smb", {"command": "SMB2_COMMAND_SET_INFO", "rename": {"from": "a.txt", "to": "b.exe"}}, dest_port=445
)
DCERPC = event(
    "dcerpc",
    {"request": "REQUEST", "opnum": 15, "interfaces": [{"uuid": "12345778-1234-abcd-ef00-0123456789ab"}]},
    dest_port=135,
)
KRB5 = event(
    "krb5",
    {
        "msg_type": "KRB_TGS_REP",
        "cname": "mallory",
        "realm": "CORP.EXAMPLE",
        "sname": "krbtgt/CORP.EXAMPLE",
        "encryption": "aes256-cts-hmac-sha1-96",
    },
    **response(src_port=88),
)
KRB5_ERROR = event(
    "krb5",
    {
        "msg_type": "KRB_ERROR",
        "failed_request": "KRB_AS_REQ",
        "error_code": "KDC_ERR_PREAUTH_REQUIRED",
        "cname": "<empty>",
        "realm": "CORP.EXAMPLE",
    },
    **response(src_port=88),
)
RDP = event(
    "rdp",
    {
        "tx_id": 2,
        "event_type": "connect_request",
        "client": {
            "client_name": "LAPTOP",
            "build": "Windows 10",
            "keyboard_layout": "US",
            "desktop_width": 1280,
        },
        "channels": ["rdpdr"],
    },
    dest_port=3389,
)
RDP_COOKIE = event("rdp", {"tx_id": 0, "event_type": "initial_request", "cookie": "mallory"}, dest_port=3389)
LDAP_BIND = event(
    "ldap",
    {
        "request": {
            "operation": "bind_request",
            "message_id": 1,
            "bind_request": {"version": 3, "name": "cn=mallory", "sasl": {"mechanism": "NTLM"}},
        },
        "responses": [{"operation": "bind_response", "bind_response": {"result_code": "success"}}],
    },
)
LDAP_SEARCH = event(
    "ldap",
    {
        "request": {
            "operation": "search_request",
            "message_id": 2,
            "search_request": {"base_object": "dc=corp,dc=example", "attributes": ["mail"]},
        },
        "responses": [
            {"operation": "search_result_entry", "search_result_entry": {"base_object": "cn=a"}},
            {"operation": "search_result_done", "search_result_done": {"result_code": "success"}},
        ],
    },
)
FTP_USER = event(
    "ftp", {"command": "USER", "command_data": "mallory", "completion_code": ["331"]}, dest_port=21
)
FTP_PASS = event(
    "ftp", {"command": "PASS", "command_data": "secret", "completion_code": ["230"]}, dest_port=21
)
FTP_RETR = event(
    "ftp",
    {
        "command": "RETR",
        "command_data": "evil.exe",
        "completion_code": ["150", "226"],
        "reply": ["Opening", "Done"],
        "dynamic_port": 40001,
    },
    dest_port=21,
)
FTP_DATA = event("ftp_data", {"filename": "evil.exe", "command": "RETR"})
SIP = event(
    "sip",
    {"method": "INVITE", "uri": "sip:a@start.example", "code": "200", "reason": "OK"},
    dest_port=5060,
)
TFTP = event("tftp", {"packet": "write", "file": "boot.img", "mode": "octet"}, dest_port=69)
MQTT_CONNECT = event(
    "mqtt",
    {
        "connect": {
            "protocol_string": "MQTT",
            "protocol_version": 5,
            "client_id": "bot-7",
            "username": "mallory",
            "will": {"topic": "t", "message": "m"},
        },
        "connack": {"return_code": 0},
    },
)
MQTT_PUBLISH = event("mqtt", {"publish": {"topic": "cmd", "message": "go", "qos": 1, "retain": False}})
MQTT_SUBSCRIBE = event("mqtt", {"subscribe": {"topics": [{"topic": "cmd", "qos": 0}]}})
MQTT_UNSUBSCRIBE = event("mqtt", {"unsubscribe": {"topics": ["cmd"]}})
DHCP = event(
    "dhcp",
    {
        "type": "reply",
        "id": 1,
        "client_mac": "00:00:5e:00:53:01",
        "assigned_ip": "10.0.0.5",
        "client_ip": "0.0.0.0",
        "dhcp_type": "ack",
        "lease_time": 3600,
        "hostname": "laptop",
    },
    src_ip="10.0.0.1",
    src_port=67,
    dest_ip="10.0.0.5",
    dest_port=68,
    proto="UDP",
)
SNMP = event(
    "snmp", {"version": 2, "community": "public", "pdu_type": "get_request", "vars": ["1.3.6"]}, dest_port=161
)
RFB = event(
    "rfb",
    {
        "server_protocol_version": {"major": "003", "minor": "008"},
        "client_protocol_version": {"major": "003", "minor": "008"},
        "authentication": {"security_type": 2, "security_result": "OK"},
        "screen_shared": True,
        "framebuffer": {"width": 1280, "height": 800, "name": "desk"},
    },
    dest_port=5900,
)
PGSQL = event(
    "pgsql",
    {
        "request": {
            "startup_parameters": {
                "user": "mallory",
                "optional_parameters": [{"database": "crm"}, {"application_name": "psql"}],
            }
        },
        "response": {"message": "authentication_ok"},
    },
)
PGSQL_QUERY = event(
    "pgsql",
    {"request": {"simple_query": "select 1"}, "response": {"data_rows": 1, "command_completed": "SELECT 1"}},
)
QUIC = event(
    "quic",
    {
        "version": "1",
        "sni": "lure.example",
        "ua": "Chrome/120",
        "ja3": {"hash": "c" * 32, "string": "771"},
        "ja4": "q13d0310h3_55b375c5d22e_cd85d2d88918",
    },
    proto="UDP",
    dest_port=443,
)
WEBSOCKET = event("websocket", {"fin": True, "opcode": "text", "payload_printable": "hi"})
ALERT = event(
    "alert",
    {"action": "allowed", "gid": 1, "signature_id": 1000001, "signature": "test", "metadata": {"tag": ["x"]}},
    flow={"pkts_toserver": 1, "src_ip": "10.0.0.5", "dest_ip": "192.0.2.7"},
    tunnel={"src_ip": "203.0.113.1", "dest_ip": "203.0.113.2", "proto": "GRE", "depth": 1},
    app_proto="http",
    **response(),
)
ANOMALY = event("anomaly", {"type": "applayer", "event": "INVALID_REPLY"}, **response())
STATS = {"timestamp": BASE["timestamp"], "event_type": "stats", "stats": {"uptime": 1}}

ALL = [value for name, value in list(globals().items()) if isinstance(value, dict) and "event_type" in value]
"""Every event above."""
