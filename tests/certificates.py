"""PEM files for TLS on loopback."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


class Certificates:
    """``ca``, ``broker`` (key and chain in one, as Kafka wants it), ``client`` and ``client_key``, in a folder.

    ``encrypted_key`` is the client's key, locked by ``key_password``.
    """

    key_password = "Pass-of-the-key"

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self.broker = folder / "broker.pem"
        self.client = folder / "client.pem"
        self.client_key = folder / "client.key"
        self.encrypted_key = folder / "client.locked.key"

    def made(self) -> Certificates:
        """This, with its files; those that are there stay."""
        if self.encrypted_key.exists():
            return self
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        broker = authority.issue_cert("127.0.0.1", "localhost")
        chain = b"".join(blob.bytes() for blob in broker.cert_chain_pems)
        self.broker.write_bytes(pkcs8(broker) + chain)
        client = authority.issue_cert("hunter@soc.test", common_name="hunter")
        self.client.write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems))
        self.client_key.write_bytes(pkcs8(client))
        self.encrypted_key.write_bytes(pkcs8(client, self.key_password))
        return self


def pkcs8(certificate: trustme.LeafCert, password: str | None = None) -> bytes:
    """The private key in the one PEM form that Kafka reads."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    locked: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
