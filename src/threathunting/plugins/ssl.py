"""SSL: server name, client and server fingerprints, certificate chains and names (ssl.log)."""

from __future__ import annotations

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen
from threathunting.plugins._values import common_names, subject_emails

PLUGIN = Plugin(
    module="SSL",
    logs=(
        Log(
            name="ssl",
            seen=(
                Seen("SSL::IN_SERVER_NAME", IndicatorType.DOMAIN, ("server_name",)),
                # To Zeek a certificate is a file as well, and its fingerprint that file's hash.
                *(
                    Seen(where, type_, (field,))
                    for where, field in (
                        ("SSL::IN_CERT_CHAIN", "cert_chain_fps"),
                        ("SSL::IN_CLIENT_CERT_CHAIN", "client_cert_chain_fps"),
                    )
                    for type_ in (IndicatorType.CERT_HASH, IndicatorType.FILE_HASH)
                ),
                # Subjects are here where the site logs them; x509.log always has them.
                Seen("X509::IN_CERT", IndicatorType.DOMAIN, ("subject",), common_names),
                Seen("X509::IN_CERT", IndicatorType.EMAIL, ("subject",), subject_emails),
                Seen("X509::IN_ISSUER", IndicatorType.DOMAIN, ("issuer",), common_names),
                Seen("X509::IN_ISSUER", IndicatorType.EMAIL, ("issuer",), subject_emails),
                Seen("SSL::IN_CLIENT_CERT", IndicatorType.DOMAIN, ("client_subject",), common_names),
                Seen("SSL::IN_CLIENT_CERT", IndicatorType.EMAIL, ("client_subject",), subject_emails),
                # Fields of the packages ja3 and ja4.
                Seen("SSL::IN_JA3", IndicatorType.JA3, ("ja3",)),
                Seen("SSL::IN_JA3S", IndicatorType.JA3, ("ja3s",)),
                Seen("SSL::IN_JA4", IndicatorType.JA4, ("ja4",)),
            ),
            # The fuids are of Zeek before 4.1, where x509.log had them as `id`.
            links=("cert_chain_fps", "client_cert_chain_fps", "cert_chain_fuids", "client_cert_chain_fuids"),
            ecs={
                "version": "tls.version",
                "cipher": "tls.cipher",
                "curve": "tls.curve",
                "server_name": "tls.client.server_name",
                "resumed": "tls.resumed",
                "established": "tls.established",
                "next_protocol": "tls.next_protocol",
                "subject": "tls.server.subject",
                "issuer": "tls.server.issuer",
                "client_subject": "tls.client.subject",
                "client_issuer": "tls.client.issuer",
                "ja3": "tls.client.ja3",
                "ja3s": "tls.server.ja3s",
            },
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "tls",
            },
        ),
    ),
)
