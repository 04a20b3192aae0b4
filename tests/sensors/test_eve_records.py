"""EVE events as Zeek's records: what each type gives, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sensors import eve_events as eve
from tests.sensors.eve_events import CERTIFICATE, FLOW, event, response
from threathunting.sensors.eve import EveConverter

Records = list[tuple[str, dict[str, Any]]]

SHA256 = "ac235787ee92fead86c0ecb40436b91408d3ac68a0367ce44ea5a2a7467b25ab"
SHA1 = "af6d132e074f304f17634eb483e00fb56f271fad"


def convert(*events: dict[str, Any]) -> Records:
    converter = EveConverter()
    return [record for one in events for record in converter.convert(one)] + converter.flush()


def only(log: str, *events: dict[str, Any]) -> dict[str, Any]:
    """The one record of a log that some events give."""
    found = [record for name, record in convert(*events) if name == log]
    assert len(found) == 1, found
    return found[0]


COMMON = {
    "ts": 1772366400.5,
    "uid": str(FLOW),
    "id.orig_h": "10.0.0.5",
    "id.orig_p": 50123,
    "id.resp_h": "192.0.2.7",
    "id.resp_p": 80,
    "community_id": "1:SstOIjjOLepdn1pkOn6PP+Hk+MA=",
}


def test_flow_is_a_connection() -> None:
    assert convert(eve.FLOW_EVENT) == [
        (
            "conn",
            COMMON
            | {
                "ts": 1772366398.0,
                "duration": 2.25,
                "proto": "tcp",
                "service": "ssl",
                "orig_bytes": 1529,
                "resp_bytes": 1006,
                "orig_pkts": 6,
                "resp_pkts": 4,
                "conn_state": "SF",
                "orig_l2_addr": "00:00:5e:00:53:01",
                "resp_l2_addr": "00:00:5e:00:53:02",
                "vlan": 12,
                "inner_vlan": 34,
            },
        )
    ]


@pytest.mark.parametrize(
    ("client", "server", "answers", "state"),
    [
        ("1b", "1b", 4, "SF"),
        ("02", "00", 0, "S0"),
        ("03", "00", 0, "SH"),
        ("06", "00", 0, "RSTOS0"),
        ("02", "14", 1, "REJ"),
        ("1a", "1a", 4, "S1"),
        ("1b", "1a", 4, "S2"),
        ("1a", "1b", 4, "S3"),
        ("1e", "1b", 4, "RSTO"),
        ("1a", "1e", 4, "RSTR"),
        ("18", "18", 4, "OTH"),
        ("zz", "18", 4, "OTH"),
    ],
)
def test_connection_state_is_inferred_from_flags(client: str, server: str, answers: int, state: str) -> None:
    flow = eve.FLOW_EVENT | {"tcp": {"tcp_flags_ts": client, "tcp_flags_tc": server}}
    flow["flow"] = flow["flow"] | {"pkts_toclient": answers}
    assert only("conn", flow)["conn_state"] == state


def test_flows_without_ports() -> None:
    flow = event("flow", {"pkts_toclient": 0}, proto="IPv6-ICMP", icmp_type=128, icmp_code=0)
    del flow["src_port"], flow["dest_port"]
    flow |= {"src_ip": "2001:0db8:0000:0000:0000:0000:0000:0001", "app_proto": "failed", "parent_id": 99}
    record = only("conn", flow)
    assert record["id.orig_h"] == "2001:db8::1"
    assert (record["id.orig_p"], record["id.resp_p"], record["proto"]) == (128, 0, "icmp")
    assert record["tunnel_parents"] == ["99"]
    assert "service" not in record
    assert only("conn", event("flow", {"pkts_toclient": 1}, proto="UDP"))["conn_state"] == "SF"
    assert only("conn", event("flow", {"pkts_toclient": 0}, proto="UDP"))["conn_state"] == "S0"


def test_http() -> None:
    assert only("http", eve.HTTP) == COMMON | {
        "trans_depth": 1,
        "method": "POST",
        "host": "lure.example:8080",
        "uri": "/gate.php?q='a b",
        "original_uri": "/gate.php?q=%27a%20b",
        "referrer": "http://start.example/",
        "version": "1.1",
        "user_agent": "curl/8",
        "origin": "http://start.example",
        "username": "mallory",
        "request_body_len": 12,
        "response_body_len": 4671,
        "status_code": 200,
        "proxied": ["X-FORWARDED-FOR -> 198.51.100.9, 10.0.0.1", "VIA -> 1.1 proxy.example"],
    }


def test_http_without_all_headers() -> None:
    body = {"hostname": "2001:db8::7", "http_port": 8080, "url": "/", "xff": "198.51.100.9"}
    record = only("http", event("http", body | {"true_client_ip": "198.51.100.8"}))
    assert record["host"] == "[2001:db8::7]:8080"
    assert record["proxied"] == ["X-FORWARDED-FOR -> 198.51.100.9", "TRUE-CLIENT-IP -> 198.51.100.8"]
    assert only("http", event("http", {"hostname": "a.example"}))["host"] == "a.example"
    assert only("http", event("http", {"url": "/"}, xff="198.51.100.9"))["proxied"] == [
        "X-FORWARDED-FOR -> 198.51.100.9"
    ]


def test_http_2_takes_the_host_from_the_pseudo_header() -> None:
    headers = [{"name": ":authority", "value": "lure.example"}, {"name": ":path", "value": "/"}]
    body = {"version": "2", "url": "/", "http2": {"stream_id": 1}, "request_headers": headers}
    record = only("http", event("http", body))
    assert (record["host"], record["version"]) == ("lure.example", "2")


def test_http_request_that_was_not_seen_has_no_uri() -> None:
    record = only("http", event("http", {"url": "/libhtp::request_uri_not_seen", "status": 200}))
    assert "uri" not in record
    assert record["status_code"] == 200


def test_bad_escapes_come_out_as_zeek_writes_them() -> None:
    assert only("http", event("http", {"url": "/%ff%zz"}))["uri"] == "/\\xff%zz"


def test_file() -> None:
    record = only("files", eve.FILE)
    assert record.pop("fuid").startswith("F")
    assert record == COMMON | {
        "source": "HTTP",
        "is_orig": False,
        "seen_bytes": 4660,
        "total_bytes": 4660,
        "md5": "ea68d7b329e282f1eb39ddcc94209304",
        "sha1": "507f9d9b1ee7bcfb0b1fa5e48e0e48057c0c07b0",
        "sha256": "2a11b17c0678db02767b7a8972c385ea4f868f62b498be8073b5d6e890908317",
    }


@pytest.mark.parametrize("change", [{"state": "TRUNCATED"}, {"gaps": True}, {"state": None}])
def test_file_that_was_not_seen_whole_has_no_hashes(change: dict[str, Any]) -> None:
    record = only("files", eve.FILE | {"fileinfo": eve.FILE["fileinfo"] | change})
    assert record.keys().isdisjoint({"md5", "sha1", "sha256", "total_bytes"})
    assert record["seen_bytes"] == 4660


@pytest.mark.parametrize(
    ("app", "http", "filename", "kept"),
    [
        ("http", {"url": "/a%20b/c.exe?x=1"}, "/a b/c.exe", False),
        ("http", {"url": "http://h.example/c.exe"}, "/c.exe", False),
        ("http", {"url": "/download?id=3"}, "evil.exe", True),
        ("http", {}, "evil.exe", True),
        ("smtp", None, "invoice.exe", True),
        ("smb", None, "\\dir\\evil.exe", True),
        ("nfs", None, "/export/evil.exe", True),
    ],
)
def test_file_name_made_of_the_url_is_left_out(app: str, http: Any, filename: str, kept: bool) -> None:
    info = eve.FILE["fileinfo"] | {"filename": filename}
    record = only("files", eve.FILE | {"fileinfo": info, "http": http, "app_proto": app})
    assert record.get("filename") == (filename if kept else None)


def test_files_are_named_by_the_transaction_that_is_told_after_them() -> None:
    upload = eve.FILE | {"src_ip": "10.0.0.5", "src_port": 50123, "dest_ip": "192.0.2.7", "dest_port": 80}
    upload["fileinfo"] = upload["fileinfo"] | {"filename": "evil.exe"}
    records = convert(eve.FILE, upload, eve.HTTP)
    download_id, upload_id = records[0][1]["fuid"], records[1][1]["fuid"]
    http = records[2][1]
    assert (http["resp_fuids"], http["orig_fuids"]) == ([download_id], [upload_id])
    assert http["orig_filenames"] == ["evil.exe"]
    assert "resp_filenames" not in http
    # Read again, a file has the same id; told after its transaction, only the uid joins them.
    assert convert(eve.HTTP, eve.FILE)[1][1]["fuid"] == download_id


def test_tls_and_its_certificates() -> None:
    records = convert(eve.TLS)
    assert [log for log, _ in records] == ["ssl", "x509", "files", "files", "x509", "files"]
    ssl, x509, own, issuer, client_x509, client = [record for _, record in records]
    common = COMMON | {"id.resp_p": 443}
    assert ssl == common | {
        "version": "TLSv12",
        "server_name": "www.lure.example",
        "next_protocol": "h2",
        "subject": "CN=lure.example,O=Lure\\, Inc.,C=US",
        "issuer": "emailAddress=ops@lure.example,CN=lure.example,O=Lure\\, Inc.,C=US",
        "client_subject": "CN=client",
        "client_issuer": "CN=ca",
        "ja3": "ccc4531e0fdf771be227dc8cba58b91e",
        "ja3s": "0debd3853f330c574b05e0b6d882dc27",
        "ja4": "t12i550500_3970cc3bc6d2_31498302a1f1",
        "cert_chain_fps": [SHA256, SHA256],
        "client_cert_chain_fps": [SHA256],
    }
    assert x509 == {
        "ts": 1772366400.5,
        "fingerprint": SHA256,
        "host_cert": True,
        "client_cert": False,
        "certificate.subject": "CN=lure.example,O=Lure\\, Inc.,C=US",
        "certificate.issuer": "emailAddress=ops@lure.example,CN=lure.example,O=Lure\\, Inc.,C=US",
        "certificate.serial": "C0FFEE",
        "certificate.not_valid_before": 1767225600.0,
        "certificate.not_valid_after": 1798761600.0,
        "san.dns": ["lure.example", "*.cdn.lure.example"],
        "san.email": ["ops@lure.example"],
        "san.uri": ["https://lure.example/x"],
        "san.ip": ["192.0.2.7", "2001:db8::7"],
    }
    assert (client_x509["host_cert"], client_x509["client_cert"]) == (False, True)
    assert own["mime_type"] == "application/x-x509-user-cert"
    assert issuer["mime_type"] == "application/x-x509-ca-cert"
    assert (own["sha1"], own["sha256"], own["is_orig"], client["is_orig"]) == (SHA1, SHA256, False, True)
    assert len({own["fuid"], issuer["fuid"], client["fuid"]}) == 3


def test_tls_without_chain_has_the_fingerprint_that_suricata_tells() -> None:
    body = {name: value for name, value in eve.TLS["tls"].items() if name not in ("chain", "client")}
    body["subjectaltname"] = ["lure.example", "https://lure.example/x", "[192, 0, 2, 7]"]
    records = dict(convert(event("tls", body)))
    assert records.keys() == {"ssl", "x509"}
    assert records["ssl"]["cert_chain_fps"] == [SHA1]
    assert records["x509"]["fingerprint"] == SHA1
    assert records["x509"]["san.dns"] == ["lure.example"]
    body["certificate"] = CERTIFICATE
    assert dict(convert(event("tls", body)))["x509"]["fingerprint"] == SHA256


def test_quic_is_in_both_logs() -> None:
    records = dict(convert(eve.QUIC))
    assert records["quic"]["server_name"] == records["ssl"]["server_name"] == "lure.example"
    assert records["ssl"]["ja4"] == "q13d0310h3_55b375c5d22e_cd85d2d88918"
    assert [log for log, _ in convert(event("quic", {"version": "1"}))] == ["quic"]


def test_mail() -> None:
    assert only("smtp", eve.SMTP) == COMMON | {
        "id.resp_p": 25,
        "trans_depth": 1,
        "helo": "mail.start.example",
        "mailfrom": "bad@lure.example",
        "rcptto": ["you@start.example"],
        "date": "Tue, 2 Mar 2026 13:57:49 +0100",
        "from": "Bad <bad@lure.example>",
        "to": ["You <you@start.example>"],
        "cc": ["else@start.example"],
        "reply_to": "other@lure.example",
        "msg_id": "<1@lure.example>",
        "subject": "invoice",
        "x_originating_ip": "198.51.100.77",
        "first_received": eve.SMTP["email"]["received"][0],
        "second_received": eve.SMTP["email"]["received"][1],
        "user_agent": "Mailer 1",
        "urls": ["http://lure.example/x"],
        "attachments": ["invoice.exe"],
        "path": ["192.0.2.7", "10.0.0.5", "198.51.100.3", "2001:db8::99"],
    }


def test_mail_without_a_message_has_no_path() -> None:
    record = only("smtp", event("smtp", {"helo": "x", "mail_from": "a@b.example SIZE=3", "rcpt_to": ["<>"]}))
    assert record["mailfrom"] == "a@b.example SIZE=3"
    assert record.keys().isdisjoint({"path", "rcptto", "from"})


def test_mail_names_its_attachments() -> None:
    file = eve.FILE | {"app_proto": "smtp", "http": None}
    records = convert(file, eve.SMTP)
    assert records[1][1]["fuids"] == [records[0][1]["fuid"]]


SMALL: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (
        eve.SSH,
        "ssh",
        {
            "version": 2,
            "client": "SSH-2.0-OpenSSH_9.6",
            "server": "SSH-2.0-dropbear",
            "hassh": "a" * 32,
            "hasshServer": "b" * 32,
        },
    ),
    (
        eve.SMB_CREATE,
        "smb_files",
        {"action": "SMB::FILE_OPEN", "name": "dir\\evil.exe", "path": "\\\\srv\\c$", "size": 4096},
    ),
    (eve.SMB_RENAME, "smb_files", {"action": "SMB::FILE_RENAME", "name": "b.exe", "prev_name": "a.txt"}),
    (eve.SMB_TREE, "smb_mapping", {"path": "\\\\srv\\c$", "share_type": "FILE"}),
    (
        eve.SMB_LOGIN,
        "ntlm",
        {"username": "mallory", "hostname": "LAPTOP", "domainname": "CORP", "success": False},
    ),
    (eve.SMB_LOGIN, "kerberos", {"request_type": "AP", "service": "cifs/srv.corp.example"}),
    (
        eve.DCERPC,
        "dce_rpc",
        {"endpoint": "12345778-1234-abcd-ef00-0123456789ab", "operation": "opnum 15"},
    ),
    (
        eve.KRB5,
        "kerberos",
        {
            "request_type": "TGS",
            "client": "mallory/CORP.EXAMPLE",
            "service": "krbtgt/CORP.EXAMPLE",
            "success": True,
            "cipher": "aes256-cts-hmac-sha1-96",
            "id.orig_h": "10.0.0.5",
            "id.resp_p": 88,
        },
    ),
    (
        eve.KRB5_ERROR,
        "kerberos",
        {"request_type": "AS", "success": False, "error_msg": "KDC_ERR_PREAUTH_REQUIRED"},
    ),
    (
        eve.RDP,
        "rdp",
        {
            "client_name": "LAPTOP",
            "client_build": "Windows 10",
            "keyboard_layout": "US",
            "desktop_width": 1280,
            "client_channels": ["rdpdr"],
        },
    ),
    (eve.RDP_COOKIE, "rdp", {"cookie": "mallory"}),
    (
        eve.LDAP_BIND,
        "ldap",
        {"message_id": 1, "version": 3, "opcode": "bind", "object": "cn=mallory", "result": "success"},
    ),
    (
        eve.LDAP_SEARCH,
        "ldap_search",
        {"base_object": "dc=corp,dc=example", "attributes": ["mail"], "result_count": 1, "result": "success"},
    ),
    (eve.FTP_DATA, "ftp", {"command": "RETR", "arg": "evil.exe"}),
    (
        eve.SIP,
        "sip",
        {"method": "INVITE", "uri": "sip:a@start.example", "status_code": 200, "status_msg": "OK"},
    ),
    (eve.TFTP, "tftp", {"wrq": True, "fname": "boot.img", "mode": "octet"}),
    (
        eve.MQTT_CONNECT,
        "mqtt_connect",
        {
            "proto_name": "MQTT",
            "proto_version": "5.0",
            "client_id": "bot-7",
            "username": "mallory",
            "will_topic": "t",
            "connect_status": "Accepted",
        },
    ),
    (eve.MQTT_PUBLISH, "mqtt_publish", {"topic": "cmd", "payload": "go", "qos": "at least once"}),
    (eve.MQTT_SUBSCRIBE, "mqtt_subscribe", {"action": "MQTT::SUBSCRIBE", "topics": ["cmd"]}),
    (eve.MQTT_UNSUBSCRIBE, "mqtt_subscribe", {"action": "MQTT::UNSUBSCRIBE", "topics": ["cmd"]}),
    (
        eve.DHCP,
        "dhcp",
        {
            "uids": [str(FLOW)],
            "id.orig_h": "10.0.0.5",
            "server_addr": "10.0.0.1",
            "mac": "00:00:5e:00:53:01",
            "host_name": "laptop",
            "assigned_addr": "10.0.0.5",
            "lease_time": 3600.0,
            "msg_types": ["ACK"],
        },
    ),
    (eve.SNMP, "snmp", {"version": "2c", "community": "public"}),
    (
        eve.RFB,
        "rfb",
        {
            "client_major_version": "003",
            "authentication_method": "VNC",
            "auth": True,
            "share_flag": True,
            "desktop_name": "desk",
            "width": 1280,
        },
    ),
    (eve.PGSQL, "postgresql", {"user": "mallory", "database": "crm", "application_name": "psql"}),
    (eve.PGSQL_QUERY, "postgresql", {"frontend": "simple_query", "frontend_arg": "select 1", "rows": 1}),
    (eve.WEBSOCKET, "suricata_websocket", {"websocket.opcode": "text"}),
    (
        eve.ALERT,
        "suricata_alert",
        {"alert.signature_id": 1000001, "alert.metadata.tag": ["x"], "id.orig_h": "10.0.0.5"},
    ),
    (eve.ALERT, "tunnel", {"id.orig_h": "203.0.113.1", "tunnel_type": "Tunnel::GRE", "uid": str(FLOW)}),
    (eve.ANOMALY, "suricata_anomaly", {"anomaly.event": "INVALID_REPLY", "id.orig_h": "10.0.0.5"}),
]


@pytest.mark.parametrize(("one", "log", "fields"), SMALL)
def test_the_other_protocols(one: dict[str, Any], log: str, fields: dict[str, Any]) -> None:
    record = only(log, one)
    assert {name: record.get(name) for name in fields} == fields


def test_ftp_names_the_user_and_hides_the_password() -> None:
    user, password, retrieve = [record for _, record in convert(eve.FTP_USER, eve.FTP_PASS, eve.FTP_RETR)]
    assert (user["user"], user["reply_code"]) == ("mallory", 331)
    assert (password["password"], password["user"]) == ("<hidden>", "mallory")
    assert "secret" not in str(password)
    assert (retrieve["user"], retrieve["arg"], retrieve["reply_code"]) == ("mallory", "evil.exe", 150)
    assert retrieve["data_channel.resp_p"] == 40001
    anonymous = event("ftp", {"command": "USER", "command_data": "anonymous"})
    guest = event("ftp", {"command": "PASS", "command_data": "me@start.example"})
    assert convert(anonymous, guest)[1][1]["password"] == "me@start.example"


def test_ends_are_the_same_in_all_events_of_a_flow() -> None:
    # A file that the client sent, of a flow whose ports tell nothing; the http event tells who the client is.
    odd = {"src_port": 40001, "dest_port": 40000}
    http = eve.HTTP | odd
    to_server = eve.FILE | {"src_ip": "10.0.0.5", "dest_ip": "192.0.2.7"} | odd
    to_client = eve.FILE | {"src_port": 40000, "dest_port": 40001}
    alert = event("alert", {}, direction="to_client", **response(src_port=40000, dest_port=40001))
    records = convert(http, to_server, to_client, alert)
    assert {(record["id.orig_h"], record["id.orig_p"]) for _, record in records} == {("10.0.0.5", 40001)}
    assert [record.get("is_orig") for _, record in records[1:3]] == [True, False]


@pytest.mark.parametrize("kind", ["stats", "engine", "", "no such:type", None, 7])
def test_what_tells_of_suricata_or_of_nothing_gives_nothing(kind: Any) -> None:
    assert convert({"event_type": kind, "stats": {}}) == []


def test_uid_is_the_flow_id_as_it_can_be_searched_for() -> None:
    assert only("ssh", eve.SSH)["uid"] == "1638928396601801"
    assert only("ssh", eve.SSH | {"flow_id": "77"})["uid"] == "77"
    assert "uid" not in only("ssh", eve.SSH | {"flow_id": True})
