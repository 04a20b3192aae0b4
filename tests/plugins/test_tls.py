"""SSL and X509."""

from __future__ import annotations

from typing import Any

from threathunting.plugins import Registry, ssl, x509

REGISTRY = Registry([ssl.PLUGIN, x509.PLUGIN])


def seen(log: str, record: dict[str, Any]) -> set[str]:
    return {f"{where} {type_}:{value}" for type_, value, where in REGISTRY.log(log).observables(record)}


def test_ssl() -> None:
    sha256 = "a" * 64
    assert seen(
        "ssl",
        {
            "server_name": "A.Example",
            "cert_chain_fps": [sha256],
            "client_cert_chain_fps": [],
            "ja3": "0" * 32,
            "ja3s": "1" * 32,
            "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1",
            "subject": "CN=b.example,O=B",
            "issuer": "emailAddress=ca@c.example,CN=C CA",
        },
    ) == {
        "SSL::IN_SERVER_NAME domain:a.example",
        f"SSL::IN_CERT_CHAIN cert_hash:{sha256}",
        f"SSL::IN_CERT_CHAIN file_hash:{sha256}",
        f"SSL::IN_JA3 ja3:{'0' * 32}",
        f"SSL::IN_JA3S ja3:{'1' * 32}",
        "SSL::IN_JA4 ja4:t13d1516h2_8daaf6152771_e5627efa2ab1",
        "X509::IN_CERT domain:b.example",
        "X509::IN_ISSUER email:ca@c.example",
        "X509::IN_ISSUER domain:c ca",
    }


def test_x509() -> None:
    sha256 = "a" * 64
    assert seen(
        "x509",
        {
            "fingerprint": sha256,
            "certificate.subject": "emailAddress=a@b.example,CN=b.example",
            "certificate.issuer": "CN=Some CA",
            "san.dns": ["*.b.example", "b.example"],
            "san.email": ["c@b.example"],
            "san.ip": ["192.0.2.1", "2001:DB8::1"],
            "san.uri": ["https://b.example/x"],
        },
    ) == {
        f"X509::IN_CERT cert_hash:{sha256}",
        f"X509::IN_FINGERPRINT file_hash:{sha256}",
        "X509::IN_CERT email:a@b.example",
        "X509::IN_CERT domain:b.example",
        "X509::IN_CERT domain:*.b.example",
        "X509::IN_ISSUER domain:some ca",
        "X509::IN_SAN_EMAIL email:c@b.example",
        "X509::IN_SAN_IP addr:192.0.2.1",
        "X509::IN_SAN_IP addr:2001:db8::1",
        "X509::IN_SAN_URI url:b.example/x",
    }


def test_a_certificate_is_a_file_of_the_conversation() -> None:
    log = REGISTRY.log("ssl")
    assert "cert_chain_fps" in log.links
    # Older Zeek names certificates by fuid: `cert_chain_fuids` there, `id` in x509.log.
    assert "cert_chain_fuids" in log.links
    assert REGISTRY.log("x509").files == ("fingerprint", "id")
    assert REGISTRY.log("x509").uids == ()
