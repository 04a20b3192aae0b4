"""Certificates: hashes and alternative names read from DER, whatever the DER is."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from tests.sensors.eve_events import CERTIFICATE
from threathunting.sensors.eve.certificate import from_base64
from threathunting.sensors.eve.tls import zeek_name

DER = base64.b64decode(CERTIFICATE)


def test_hashes_and_names() -> None:
    read = from_base64(CERTIFICATE)
    assert read is not None
    assert read.md5 == "4ad32ea03687d8d868b9dca29251e90d"
    assert read.sha1 == "af6d132e074f304f17634eb483e00fb56f271fad"
    assert read.sha256 == "ac235787ee92fead86c0ecb40436b91408d3ac68a0367ce44ea5a2a7467b25ab"
    assert read.size == 558
    assert read.dns == ("lure.example", "*.cdn.lure.example")
    assert read.email == ("ops@lure.example",)
    assert read.uri == ("https://lure.example/x",)
    assert read.ip == ("192.0.2.7", "2001:db8::7")


def test_what_is_no_certificate() -> None:
    assert from_base64("") is None
    assert from_base64("***") is None
    text = from_base64(base64.b64encode(b"hello").decode())
    assert text is not None
    assert text.dns == ()


@given(st.integers(0, len(DER) - 1), st.binary(max_size=6), st.integers(0, len(DER)))
def test_damage_gives_fewer_names_and_never_an_error(at: int, put: bytes, end: int) -> None:
    damaged = (DER[:at] + put + DER[at + len(put) :])[:end]
    read = from_base64(base64.b64encode(damaged).decode())
    assert (read is None) == (damaged == b"")


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert from_base64(base64.b64encode(data).decode()) is not None


def test_names_in_zeeks_form() -> None:
    assert zeek_name("C=US, O=Let's Encrypt, CN=R3") == "CN=R3,O=Let's Encrypt,C=US"
    assert zeek_name("O=A, Inc., CN=a+b") == "CN=a\\+b,O=A\\, Inc."
    assert zeek_name("CN=x, 2.5.4.99=y") == "2.5.4.99=y,CN=x"
    assert zeek_name("no name") == "no name="
    assert zeek_name(None) is None
