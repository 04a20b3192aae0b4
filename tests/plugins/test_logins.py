"""Who logs in, and where: SSH, Kerberos, NTLM, RDP, RADIUS, SOCKS, IRC, databases, LDAP, SIP, DHCP."""

from __future__ import annotations

from typing import Any

import pytest

from threathunting.plugins import BUILTIN, Registry

REGISTRY = Registry(BUILTIN)


def seen(log: str, record: dict[str, Any]) -> set[str]:
    return {
        f"{where.split('::')[1]} {type_}:{value}"
        for type_, value, where in REGISTRY.log(log).observables(record)
    }


@pytest.mark.parametrize(
    ("success", "found"),
    [
        (True, {"AUTH_SUCCESSFUL addr:192.0.2.1"}),
        (False, {"AUTH_FAILED addr:192.0.2.1"}),
        (None, set()),
        ("T", set()),
    ],
)
def test_ssh_login(success: object, found: set[str]) -> None:
    assert seen("ssh", {"id.orig_h": "192.0.2.1", "auth_success": success}) == found


def test_ssh_keys_and_versions() -> None:
    assert seen(
        "ssh",
        {
            "host_key": "15:21:af:97:20:52:47:7d:df:2c:26:7f:97:0b:89:f2",
            "host_key_fingerprint": "SHA256:JYrQG3NcMESFIO0m5R7py1cCjU1La0ym",
            "client": "SSH-2.0-OpenSSH_9.6 Debian-1",
            "server": "SSH-2.0-libssh",
            "hassh": "0" * 32,
            "hasshServer": "1" * 32,
        },
    ) == {
        "IN_SERVER_HOST_KEY pubkey_hash:15:21:af:97:20:52:47:7d:df:2c:26:7f:97:0b:89:f2",
        "IN_SERVER_HOST_KEY pubkey_hash:sha256:jyrqg3ncmesfio0m5r7py1ccju1la0ym",
        "IN_CLIENT_VERSION software:ssh-2.0-openssh_9.6 debian-1",
        "IN_CLIENT_VERSION software:openssh_9.6 debian-1",
        "IN_SERVER_VERSION software:ssh-2.0-libssh",
        "IN_SERVER_VERSION software:libssh",
        f"IN_HASSH hassh:{'0' * 32}",
        f"IN_HASSH_SERVER hassh:{'1' * 32}",
    }


@pytest.mark.parametrize(
    ("client", "users"),
    [
        ("Administrator/CORP.EXAMPLE", {"administrator", "administrator@corp.example"}),
        ("web/host.example/CORP.EXAMPLE", {"web/host.example", "web/host.example@corp.example"}),
        ("user", {"user"}),
        ("/CORP.EXAMPLE", set()),
    ],
)
def test_kerberos_clients(client: str, users: set[str]) -> None:
    assert seen("kerberos", {"client": client}) == {f"IN_CLIENT user_name:{user}" for user in users}


def test_kerberos_services() -> None:
    assert seen("kerberos", {"service": "cifs/Files.Example"}) == {"IN_SERVICE domain:files.example"}
    assert seen("kerberos", {"service": "krbtgt/CORP.EXAMPLE"}) == set()
    assert seen("kerberos", {"service": "host"}) == set()


def test_ntlm() -> None:
    assert seen(
        "ntlm",
        {
            "username": "Bob",
            "domainname": "CORP",
            "hostname": "PC1",
            "server_dns_computer_name": "dc.corp.example",
        },
    ) == {
        "IN_USER_NAME user_name:bob",
        "IN_USER_NAME user_name:corp\\bob",
        "IN_DOMAIN_NAME domain:corp",
        "IN_HOST_NAME domain:pc1",
        "IN_SERVER_NAME domain:dc.corp.example",
    }


@pytest.mark.parametrize(
    ("log", "record", "found"),
    [
        (
            "rdp",
            {"cookie": "CORP\\Bob", "client_name": "PC1"},
            {"IN_COOKIE user_name:corp\\bob", "IN_COOKIE user_name:bob", "IN_CLIENT_NAME domain:pc1"},
        ),
        (
            "radius",
            {"username": "bob@corp", "framed_addr": "192.0.2.1", "tunnel_client": "203.0.113.1"},
            {
                "IN_USER_NAME user_name:bob@corp",
                "IN_USER_NAME user_name:bob",
                "IN_FRAMED_ADDR addr:192.0.2.1",
                "IN_TUNNEL_CLIENT addr:203.0.113.1",
            },
        ),
        (
            "socks",
            {"request.name": "a.example", "bound.host": "192.0.2.1", "user": "bob"},
            {"IN_REQUEST domain:a.example", "IN_BOUND addr:192.0.2.1", "IN_USER_NAME user_name:bob"},
        ),
        ("socks", {"request.host": "192.0.2.7"}, {"IN_REQUEST addr:192.0.2.7"}),
        ("irc", {"command": "NICK", "value": "Bot1"}, {"IN_USER_NAME user_name:bot1"}),
        (
            "irc",
            {"command": "JOIN", "value": "#c", "nick": "bot1", "user": "x"},
            {"IN_USER_NAME user_name:bot1", "IN_USER_NAME user_name:x"},
        ),
        ("irc", {"dcc_file_name": "a.exe"}, {"IN_FILE_NAME file_name:a.exe"}),
        ("mysql", {"cmd": "login", "arg": "root"}, {"IN_USER_NAME user_name:root"}),
        ("mysql", {"cmd": "query", "arg": "select 1"}, set()),
        (
            "postgresql",
            {"user": "bob", "application_name": "psql"},
            {"IN_USER_NAME user_name:bob", "IN_APPLICATION_NAME software:psql"},
        ),
        (
            "ldap",
            {"opcode": "bind simple", "object": "CN=Bob,DC=corp"},
            {"IN_BIND user_name:cn=bob,dc=corp", "IN_BIND user_name:bob"},
        ),
        (
            "ldap",
            {"opcode": "bind simple", "object": "CORP\\Bob"},
            {"IN_BIND user_name:corp\\bob", "IN_BIND user_name:bob"},
        ),
        ("ldap", {"opcode": "modify", "object": "CN=Bob"}, set()),
        (
            "dhcp",
            {
                "client_addr": "192.0.2.1",
                "server_addr": "192.0.2.2",
                "host_name": "PC1",
                "client_fqdn": "pc1.example.",
            },
            {
                "IN_CLIENT_ADDR addr:192.0.2.1",
                "IN_SERVER_ADDR addr:192.0.2.2",
                "IN_HOST_NAME domain:pc1",
                "IN_HOST_NAME domain:pc1.example",
            },
        ),
        (
            "websocket",
            {"host": "a.example:8080", "uri": "/ws", "user_agent": "x"},
            {
                "IN_HOST_HEADER domain:a.example",
                "IN_URL url:a.example:8080/ws",
                "IN_USER_AGENT_HEADER software:x",
            },
        ),
        ("quic", {"server_name": "a.example"}, {"IN_SERVER_NAME domain:a.example"}),
        (
            "tunnel",
            {"id.orig_h": "192.0.2.1", "id.resp_h": "192.0.2.2"},
            {"IN_ORIG addr:192.0.2.1", "IN_RESP addr:192.0.2.2"},
        ),
        (
            "software",
            {"host": "192.0.2.1", "name": "Evil", "unparsed_version": "Evil/1.0"},
            {"IN_HOST addr:192.0.2.1", "IN_NAME software:evil", "IN_VERSION software:evil/1.0"},
        ),
    ],
)
def test_other_logs(log: str, record: dict[str, Any], found: set[str]) -> None:
    assert seen(log, record) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            '"Bob" <sip:bob@a.example:5060>;tag=1',
            {"email:bob@a.example", "user_name:bob", "domain:a.example"},
        ),
        ("<sips:+4912345@192.0.2.1>", {"email:+4912345@192.0.2.1", "user_name:+4912345", "addr:192.0.2.1"}),
        ("sip:a.example", {"domain:a.example"}),
        (
            "sip:bob:secret@[2001:db8::1]:5060",
            {"email:bob@[2001:db8::1]", "user_name:bob", "addr:2001:db8::1"},
        ),
        ("anonymous", set()),
    ],
)
def test_sip_parties(text: str, found: set[str]) -> None:
    assert seen("sip", {"request_from": text}) == {f"IN_FROM {one}" for one in found}


def test_sip_path() -> None:
    assert seen("sip", {"request_path": ["SIP/2.0/UDP 192.0.2.1:5060", "SIP/2.0/TCP a.example"]}) == {
        "IN_VIA addr:192.0.2.1"
    }
