"""Every protocol with captures of our own: what its plugin looks for, and that its record is captured."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.zeek.package.running import Item, Records, item, run
from tests.zeek.package.traffic import Capture, Says

pytestmark = pytest.mark.zeek

SERVER = "192.0.2.9"


def lines(*said: str) -> list[Says]:
    """A dialogue of lines, each beginning with who says it."""
    return [(line[0], line[1:].encode() + b"\r\n") for line in said]


def hunted(
    capture: Capture, tmp_path: Path, *items: Item
) -> tuple[list[tuple[str, str]], dict[str, Records]]:
    pcap = str(capture.write(tmp_path / "x.pcap"))
    found = run(tmp_path / "z", items, "-r", pcap)
    return sorted((one["seen.where"], one["seen.indicator"]) for one in found.get("intel", [])), found


def test_ftp(tmp_path: Path) -> None:
    capture = Capture()
    says = lines(
        "<220 ready", ">USER mallory", "<331 password", ">PASS x", "<230 in",
        ">RETR /pub/evil.exe", "<550 no", ">DELE other.txt", "<250 gone", ">QUIT", "<221 bye",
    )  # fmt: skip
    capture.tcp(SERVER, 21, says)
    items = [item("user_name", "mallory"), item("file_name", "evil.exe"), item("file_name", "other.txt")]
    said, found = hunted(capture, tmp_path, *items, item("url", f"{SERVER}/pub/evil.exe"))
    assert {
        ("FTP::IN_USER_NAME", "mallory"),
        ("FTP::IN_FILE_NAME", "evil.exe"),
        ("FTP::IN_FILE_NAME", "other.txt"),
    } < set(said)
    assert ("FTP::IN_URL", f"{SERVER}/pub/evil.exe") in said
    assert [record["command"] for record in found["ftp-investigation"]] == ["RETR", "DELE"]
    assert len(found["conn-investigation"]) == 1


def test_smtp(tmp_path: Path) -> None:
    capture = Capture()
    greeting = ["<220 mail.example", ">EHLO relay.evil.example", "<250 hello"]
    refused = ["mallory@evil.example", "victim@example.org"]
    envelope = [
        f">MAIL FROM:<{refused[0]}>",
        "<250 ok",
        f">RCPT TO:<{refused[1]}>",
        "<550 no",
        ">QUIT",
        "<221 bye",
    ]
    capture.tcp(SERVER, 25, lines(*greeting, *envelope))
    mail = [
        "From: A <a@evil.example>",
        "Cc: C <c@evil.example>",
        "Reply-To: R <r@evil.example>",
        "Subject: s",
        "",
        "see http://evil.example/x",
        "or <http://evil.example/y>, or",
        "http://evil.example/z.",
    ]
    data = [
        ">MAIL FROM:<a@evil.example>",
        "<250 ok",
        ">RCPT TO:<v@example.org>",
        "<250 ok",
        ">DATA",
        "<354 go",
    ]
    capture.tcp(
        SERVER,
        25,
        lines(*greeting, *data, *(f">{line}" for line in mail), ">.", "<250 ok", ">QUIT", "<221 bye"),
        at=5,
    )
    items = [item("email", f"{who}@evil.example") for who in ("mallory", "c", "r")]
    items += [
        item("domain", "evil.example", x=True),
        *(item("url", f"evil.example/{what}") for what in "xyz"),
    ]
    said, found = hunted(capture, tmp_path, *items)
    assert said == [
        ("SMTP::IN_CC", "c@evil.example"),
        ("SMTP::IN_ENVELOPE", "mallory@evil.example"),
        ("SMTP::IN_HELO", "relay.evil.example"),
        ("SMTP::IN_HELO", "relay.evil.example"),
        ("SMTP::IN_MESSAGE", "evil.example/x"),
        ("SMTP::IN_MESSAGE", "evil.example/y"),
        ("SMTP::IN_MESSAGE", "evil.example/z"),
        ("SMTP::IN_REPLY_TO", "r@evil.example"),
    ]
    assert len(found["smtp-investigation"]) == 2


def test_sip(tmp_path: Path) -> None:
    capture = Capture()
    request = (
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.8:5060;branch=z\r\n"
        "From: <sip:mallory@voip.evil.example>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 1@x\r\n"
        "CSeq: 1 INVITE\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
    )
    answer = request.replace("INVITE sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK").replace(
        "User-Agent: friendly-scanner\r\n", ""
    )
    capture.udp(SERVER, 5060, [(">", request.encode()), ("<", answer.encode())])
    items = [
        item("user_name", "mallory"),
        item("domain", "evil.example", x=True),
        item("addr", "203.0.113.8"),
    ]
    items += [item("software", "friendly-scanner"), item("email", "bob@example.org")]
    said, found = hunted(capture, tmp_path, *items)
    assert set(said) == {
        ("SIP::IN_FROM", "mallory"),
        ("SIP::IN_FROM", "voip.evil.example"),
        ("SIP::IN_TO", "bob@example.org"),
        ("SIP::IN_URI", "bob@example.org"),
        ("SIP::IN_USER_AGENT_HEADER", "friendly-scanner"),
        ("SIP::IN_VIA", "203.0.113.8"),
    }
    assert [record["method"] for record in found["sip-investigation"]] == ["INVITE"]


def test_rdp(tmp_path: Path) -> None:
    capture = Capture()
    cookie = b"Cookie: mstshash=CORP\\mallory\r\n"
    asked = (
        struct.pack("!BBHHB", 6 + len(cookie) + 8, 0xE0, 0, 0, 0) + cookie + struct.pack("<BBHI", 1, 0, 8, 1)
    )
    told = struct.pack("!BBHHB", 14, 0xD0, 0, 0x1234, 0) + struct.pack("<BBHI", 2, 0, 8, 1)
    says = [
        (who, struct.pack("!BBH", 3, 0, 4 + len(data)) + data) for who, data in ((">", asked), ("<", told))
    ]
    capture.tcp(SERVER, 3389, says)
    said, found = hunted(capture, tmp_path, item("user_name", "mallory", "A", "medium"))
    assert said == [("RDP::IN_COOKIE", "mallory")]
    [record] = found["rdp-investigation"]
    assert record["threathunting_level"] == "medium"


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return bytes([tag]) + size + body


def test_kerberos(tmp_path: Path) -> None:
    """An error tells client and service in the clear (RFC 4120, 5.9.1)."""

    def integer(value: int) -> bytes:
        return der(0x02, bytes([value]))

    def names(kind: int, *texts: bytes) -> bytes:
        return der(0x30, der(0xA0, integer(kind)), der(0xA1, der(0x30, *(der(0x1B, text) for text in texts))))

    realm, moment = der(0x1B, b"EVIL.EXAMPLE"), der(0x18, b"20260101000000Z")
    options = der(0x03, b"\0\0\0\0\0")
    body = der(
        0x30,
        der(0xA0, options),
        der(0xA1, names(1, b"mallory")),
        der(0xA2, realm),
        der(0xA3, names(2, b"cifs", b"files.evil.example")),
        der(0xA5, moment),
        der(0xA7, integer(7)),
        der(0xA8, der(0x30, integer(18))),
    )
    asked = der(0x6A, der(0x30, der(0xA1, integer(5)), der(0xA2, integer(10)), der(0xA4, body)))
    told = der(
        0x7E,
        der(
            0x30,
            der(0xA0, integer(5)),
            der(0xA1, integer(30)),
            der(0xA4, moment),
            der(0xA5, integer(1)),
            der(0xA6, integer(6)),
            der(0xA7, realm),
            der(0xA8, names(1, b"mallory")),
            der(0xA9, realm),
            der(0xAA, names(2, b"cifs", b"files.evil.example")),
        ),
    )
    capture = Capture()
    capture.udp(SERVER, 88, [(">", asked), ("<", told)])
    items = [
        item("user_name", "mallory"),
        item("user_name", "mallory@evil.example"),
        item("domain", "files.evil.example"),
    ]
    said, found = hunted(capture, tmp_path, *items)
    assert said == [
        ("KERBEROS::IN_CLIENT", "mallory"),
        ("KERBEROS::IN_CLIENT", "mallory@EVIL.EXAMPLE"),
        ("KERBEROS::IN_SERVICE", "files.evil.example"),
    ]
    assert len(found["kerberos-investigation"]) == 1


def again(capture: Path, target: Path, old: bytes, new: bytes, later: int) -> Path:
    """A capture, and after it the same from another client."""
    data = capture.read_bytes()
    packets, place = [], 24
    while place < len(data):
        seconds, micros, kept, _ = struct.unpack_from("<IIII", data, place)
        packets.append((seconds, micros, data[place + 16 : place + 16 + kept]))
        place += 16 + kept
    with target.open("wb") as file:
        file.write(data[:24])
        for shift, replace in ((0, False), (later, True)):
            for seconds, micros, packet in packets:
                one = packet.replace(old, new) if replace else packet
                file.write(struct.pack("<IIII", seconds + shift, micros, len(one), len(one)) + one)
    return target


@pytest.mark.shared
def test_certificates_are_told_again_in_compliance_mode(shared, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    [capture] = (shared("pcaps") / "certificate-with-sct").glob("*.pcap")
    twice = again(
        capture, tmp_path / "twice.pcap", bytes([192, 168, 6, 107]), bytes([192, 168, 6, 108]), 1000
    )
    items = [item("addr", "192.168.6.108")]
    found = run(tmp_path / "z", items, "-r", str(twice), "ThreatHunting::compliance=T")
    assert [record["id.orig_h"] for record in found["ssl-investigation"]] == ["192.168.6.108"]
    assert {record["fingerprint"] for record in found["x509-investigation"]} == set(
        found["ssl-investigation"][0]["cert_chain_fps"]
    )
    assert "x509" not in found
    # Else x509.log has them, and is left as it is.
    found = run(tmp_path / "y", items, "-r", str(twice))
    assert len(found["x509"]) == 3
    assert "x509-investigation" not in found


@pytest.mark.shared
@pytest.mark.parametrize("compliance", ["F", "T"])
def test_ja4_as_its_package_sets_it(compliance: str, shared, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    [capture] = (shared("pcaps") / "certificate-with-sct").glob("*.pcap")
    ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"
    script = f"""
    redef record SSL::Info += {{ ja4: string &log &optional; ja3: string &log &optional; }};
    hook SSL::log_policy(rec: SSL::Info, id: Log::ID, filter: Log::Filter) &priority=10 {{ rec$ja4 = "{ja4}"; }}
    event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time,
        client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec)
        {{ c$ssl$ja3 = "{"a" * 32}"; }}
    """
    args = ("-r", str(capture), f"ThreatHunting::compliance={compliance}")
    found = run(tmp_path / "z", [item("ja4", ja4, "A", "high"), item("ja3", "a" * 32)], *args, script=script)
    assert sorted((one["seen.where"], one["seen.indicator_type"]) for one in found["intel"]) == [
        ("SSL::IN_JA3", "Intel::JA3"),
        ("SSL::IN_JA4", "Intel::JA4"),
    ]
    [record] = found["ssl-investigation"]
    assert (record["ja4"], record["threathunting_level"]) == (ja4, "high")
