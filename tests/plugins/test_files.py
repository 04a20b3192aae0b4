"""FILE, SMB and FTP."""

from __future__ import annotations

from typing import Any

from threathunting.plugins import Registry, file, ftp, smb

REGISTRY = Registry([file.PLUGIN, smb.PLUGIN, ftp.PLUGIN])


def seen(log: str, record: dict[str, Any]) -> set[str]:
    return {f"{where} {type_}:{value}" for type_, value, where in REGISTRY.log(log).observables(record)}


def test_hashes_of_a_file() -> None:
    record = {"source": "HTTP", "md5": "A" * 32, "sha1": "b" * 40, "sha256": "c" * 64, "filename": "X.exe"}
    assert seen("files", record) == {
        f"Files::IN_HASH file_hash:{'a' * 32}",
        f"Files::IN_HASH file_hash:{'b' * 40}",
        f"Files::IN_HASH file_hash:{'c' * 64}",
        "Files::IN_NAME file_name:x.exe",
    }


def test_a_certificate_is_a_file_and_a_certificate() -> None:
    record = {"source": "SSL", "mime_type": "application/x-x509-user-cert", "sha1": "b" * 40}
    assert seen("files", record) == {
        f"Files::IN_HASH file_hash:{'b' * 40}",
        f"X509::IN_CERT cert_hash:{'b' * 40}",
    }


def test_a_file_over_smb_has_a_path_for_a_name() -> None:
    assert seen("files", {"source": "SMB", "filename": "\\Dir\\X.exe"}) == {
        "SMB::IN_FILE_NAME file_name:x.exe",
        "SMB::IN_PATH file_name:\\dir\\x.exe",
    }


def test_smb_files() -> None:
    record = {"name": "\\dir\\a.exe", "path": "\\\\srv\\share", "prev_name": "b.tmp"}
    assert seen("smb_files", record) == {
        "SMB::IN_ACCESSED_FILE file_name:a.exe",
        "SMB::IN_ACCESSED_FILE file_name:\\dir\\a.exe",
        "SMB::IN_ACCESSED_FILE file_name:dir\\a.exe",
        "SMB::IN_ACCESSED_FILE file_name:\\\\srv\\share\\dir\\a.exe",
        "SMB::IN_PREVIOUS_NAME file_name:b.tmp",
    }


def test_smb_shares_elsewhere() -> None:
    assert seen("smb_mapping", {"path": "\\\\Srv.Example\\IPC$"}) == {"SMB::IN_SHARE domain:srv.example"}
    assert seen("smb_mapping", {"path": "\\\\192.0.2.1\\x", "id.resp_h": "192.0.2.9"}) == {
        "SMB::IN_SHARE addr:192.0.2.1"
    }
    assert seen("smb_mapping", {"path": "\\\\192.0.2.1\\x", "id.resp_h": "192.0.2.1"}) == set()


def test_ftp() -> None:
    record = {
        "user": "Bob",
        "command": "RETR",
        "arg": "ftp://192.0.2.1/pub/a.exe",
        "data_channel.orig_h": "192.0.2.1",
        "data_channel.resp_h": "203.0.113.1",
        "id.orig_h": "192.0.2.1",
        "id.resp_h": "192.0.2.2",
    }
    assert seen("ftp", record) == {
        "FTP::IN_USER_NAME user_name:bob",
        "FTP::IN_URL url:192.0.2.1/pub/a.exe",
        "FTP::IN_FILE_NAME file_name:a.exe",
        "FTP::IN_FILE_NAME file_name:pub/a.exe",
        "FTP::IN_FILE_NAME file_name:/pub/a.exe",
        "FTP::IN_DATA_CHANNEL addr:203.0.113.1",
    }
    assert seen("ftp", {"command": "stor", "arg": "a.exe"}) == {
        "FTP::IN_FILE_NAME file_name:a.exe",
        "FTP::IN_FILE_NAME file_name:/a.exe",
    }
    assert seen("ftp", {"command": "PORT", "arg": "192,0,2,1,4,5"}) == set()
