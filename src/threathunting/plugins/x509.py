"""X509: names, addresses and fingerprints of certificates (x509.log).

The log has no uid: a certificate belongs to the conversations whose ssl.log names its fingerprint.
"""

from __future__ import annotations

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import common_names, subject_emails

PLUGIN = Plugin(
    module="X509",
    logs=(
        Log(
            name="x509",
            seen=(
                Seen("X509::IN_CERT", IndicatorType.DOMAIN, ("san.dns",)),
                Seen("X509::IN_CERT", IndicatorType.DOMAIN, ("certificate.subject",), common_names),
                Seen("X509::IN_CERT", IndicatorType.EMAIL, ("certificate.subject",), subject_emails),
                Seen("X509::IN_CERT", IndicatorType.CERT_HASH, ("fingerprint",)),
                Seen("X509::IN_FINGERPRINT", IndicatorType.FILE_HASH, ("fingerprint",)),
                Seen("X509::IN_ISSUER", IndicatorType.DOMAIN, ("certificate.issuer",), common_names),
                Seen("X509::IN_ISSUER", IndicatorType.EMAIL, ("certificate.issuer",), subject_emails),
                Seen("X509::IN_SAN_EMAIL", IndicatorType.EMAIL, ("san.email",)),
                Seen("X509::IN_SAN_IP", IndicatorType.ADDR, ("san.ip",)),
                Seen("X509::IN_SAN_URI", IndicatorType.URL, ("san.uri",)),
            ),
            uids=(),
            files=("fingerprint", "id"),
            ecs={
                "fingerprint": "file.hash.sha256",
                "certificate.version": "file.x509.version_number",
                "certificate.serial": "file.x509.serial_number",
                "certificate.subject": "file.x509.subject.distinguished_name",
                "certificate.issuer": "file.x509.issuer.distinguished_name",
                "certificate.not_valid_before": "file.x509.not_before",
                "certificate.not_valid_after": "file.x509.not_after",
                "certificate.key_alg": "file.x509.public_key_algorithm",
                "certificate.sig_alg": "file.x509.signature_algorithm",
                "certificate.key_length": "file.x509.public_key_size",
                "certificate.exponent": "file.x509.public_key_exponent",
                "certificate.curve": "file.x509.public_key_curve",
                "san.dns": "file.x509.alternative_names",
            },
            constants={"event.category": ["file"], "event.type": ["info"]},
        ),
    ),
)
