"""Fingerprints of TLS and SSH clients, as sensors compute them."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class ClientHello:
    """What a TLS client says of itself in its first record; ours sends no GREASE and no ALPN."""

    version: int
    ciphers: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]

    @classmethod
    def parse(cls, record: bytes) -> ClientHello:
        """Read a TLS record that holds a whole ClientHello (RFC 8446, section 4.1.2)."""
        hello = record[9:]
        (version,) = struct.unpack_from("!H", hello)
        at = 35 + hello[34]
        (size,) = struct.unpack_from("!H", hello, at)
        ciphers = struct.unpack_from(f"!{size // 2}H", hello, at + 2)
        at += 2 + size
        at += 1 + hello[at] + 2
        extensions = []
        while at < len(hello):
            kind, size = struct.unpack_from("!HH", hello, at)
            extensions.append((kind, hello[at + 4 : at + 4 + size]))
            at += 4 + size
        return cls(version, ciphers, tuple(extensions))

    def ja3(self) -> str:
        """Its JA3 (github salesforce/ja3)."""
        known = dict(self.extensions)
        kinds = [kind for kind, _ in self.extensions]
        parts = ([self.version], self.ciphers, kinds, _words(known[10][2:]), known[11][1:])
        return hashlib.md5(",".join("-".join(map(str, part)) for part in parts).encode()).hexdigest()

    def ja4(self) -> str:
        """Its JA4 (github FoxIO-LLC/ja4), for a client of TLS 1.3 over TCP that names the server."""
        known = dict(self.extensions)
        kinds = sorted(f"{kind:04x}" for kind in known if kind not in (0, 16))
        ciphers = ",".join(sorted(f"{cipher:04x}" for cipher in self.ciphers))
        others = ",".join(kinds) + "_" + ",".join(f"{word:04x}" for word in _words(known[13][2:]))
        hashes = (hashlib.sha256(text.encode()).hexdigest()[:12] for text in (ciphers, others))
        return "_".join((f"t13d{len(self.ciphers):02}{len(known):02}00", *hashes))


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data)


def hassh(said: str) -> str:
    """The HASSH of an OpenSSH client (github salesforce/hassh), from its own debug log."""
    own = said.partition("local client KEXINIT proposal")[2].partition("peer server KEXINIT proposal")[0]
    names = ("KEX algorithms", "ciphers ctos", "MACs ctos", "compression ctos")
    parts = [re.search(rf"{name}: (\S+)", own) for name in names]
    return hashlib.md5(";".join(part[1] for part in parts if part).encode()).hexdigest()
