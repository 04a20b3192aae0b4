"""FILE: hashes and names of files carried by any protocol (files.log), and their kind (pe.log, ocsp.log)."""

from __future__ import annotations

from collections.abc import Iterable

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen, strings
from threathunting.records import Record

CERTIFICATE_TYPES = frozenset(
    {"application/x-x509-user-cert", "application/x-x509-ca-cert", "application/pkix-cert"}
)
"""What Zeek calls certificates; it logs them as files only with ``X509::log_x509_in_files_log``."""


def is_certificate(record: Record) -> bool:
    """Whether the file is a certificate."""
    kind = record.get("mime_type")
    return isinstance(kind, str) and kind in CERTIFICATE_TYPES


def is_smb(record: Record) -> bool:
    """Whether the file went over SMB."""
    return record.get("source") == "SMB"


def is_not_smb(record: Record) -> bool:
    """Whether the file went over another protocol than SMB."""
    return record.get("source") != "SMB"


def base_names(filename: object) -> Iterable[str]:
    """The last component of a path in SMB."""
    return [text.rpartition("\\")[2] for text in strings(filename)]


PLUGIN = Plugin(
    module="FILE",
    logs=(
        Log(
            name="files",
            seen=(
                *(
                    Seen("Files::IN_HASH", IndicatorType.FILE_HASH, (algorithm,))
                    for algorithm in ("md5", "sha1", "sha256")
                ),
                *(
                    Seen("X509::IN_CERT", IndicatorType.CERT_HASH, (algorithm,), when=is_certificate)
                    for algorithm in ("md5", "sha1", "sha256")
                ),
                Seen("Files::IN_NAME", IndicatorType.FILE_NAME, ("filename",), when=is_not_smb),
                # SMB names whole paths.
                Seen("SMB::IN_FILE_NAME", IndicatorType.FILE_NAME, ("filename",), base_names, when=is_smb),
                Seen("SMB::IN_PATH", IndicatorType.FILE_NAME, ("filename",), when=is_smb),
            ),
            # conn_uids is of Zeek before 5.1.
            uids=("uid", "conn_uids"),
            links=("fuid", "parent_fuid"),
            files=("fuid",),
            ecs={
                "duration": "event.duration",
                "filename": "file.name",
                "mime_type": "file.mime_type",
                "total_bytes": "file.size",
                "md5": "file.hash.md5",
                "sha1": "file.hash.sha1",
                "sha256": "file.hash.sha256",
            },
            constants={"event.category": ["file"], "event.type": ["info"]},
        ),
        Log(
            name="pe",
            uids=(),
            files=("id",),
            ecs={"machine": "file.pe.architecture"},
            constants={"event.category": ["file"], "event.type": ["info"]},
        ),
        Log(
            name="ocsp",
            uids=(),
            files=("id",),
            constants={"event.category": ["file"], "event.type": ["info"]},
        ),
    ),
)
