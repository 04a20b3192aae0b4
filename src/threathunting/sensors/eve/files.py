"""``fileinfo``: files.log."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from urllib.parse import unquote

from threathunting.records import Record
from threathunting.sensors.eve.values import Converted, Event, child, flag, put, text, whole

MAX_TRANSACTIONS = 8192
"""Transactions whose files wait for the transaction's own event; the oldest is forgotten first."""

MAX_FILES = 32
"""Files of one transaction that are linked."""

SOURCES = {"ftp-data": "FTP_DATA", "http2": "HTTP", "doh2": "HTTP"}
"""Zeek's names of sources that aren't Suricata's in upper case."""


class FileLinks:
    """Remembers files until the transaction that carried them is told, so that it can name them.

    Suricata tells of a file before or after its transaction. Where after, only the uid joins the two.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, int], list[Record]] = OrderedDict()

    def add(self, transaction: int | None, file: Record) -> None:
        """Remember a files.log record of a transaction."""
        uid = file.get("uid")
        if uid is None or transaction is None:
            return
        files = self._files.setdefault((uid, transaction), [])
        if len(files) < MAX_FILES:
            files.append(file)
        if len(self._files) > MAX_TRANSACTIONS:
            self._files.popitem(last=False)

    def take(self, uid: object, transaction: int | None) -> Record:
        """The fields by which http.log names its files; empty where none is known."""
        fields: Record = {}
        for file in self.files(uid, transaction):
            side = "orig" if file.get("is_orig") else "resp"
            fields.setdefault(f"{side}_fuids", []).append(file["fuid"])
            if "filename" in file:
                fields.setdefault(f"{side}_filenames", []).append(file["filename"])
        return fields

    def files(self, uid: object, transaction: int | None) -> list[Record]:
        """The files of a transaction, which are forgotten."""
        if not isinstance(uid, str) or transaction is None:
            return []
        return self._files.pop((uid, transaction), [])


def fileinfo(event: Event, base: Record, links: FileLinks) -> Converted:
    """Convert a fileinfo event. Hashes of files that weren't seen whole are left out: they are of no file."""
    info = child(event, "fileinfo")
    app = text(event, "app_proto") or ""
    complete = text(info, "state") == "CLOSED" and flag(info, "gaps") is not True
    transaction = whole(info, "tx_id")
    base["fuid"] = fuid(event, info)
    put(
        base,
        source=SOURCES.get(app, app.upper()),
        filename=_file_name(event, info),
        is_orig=_sent_by_client(event, base),
        seen_bytes=whole(info, "size"),
        total_bytes=whole(info, "size") if complete else None,
        md5=text(info, "md5") if complete else None,
        sha1=text(info, "sha1") if complete else None,
        sha256=text(info, "sha256") if complete else None,
    )
    links.add(transaction, base)
    yield "files", base


def fuid(event: Event, info: Event) -> str:
    """The file's id, made of what tells it apart, so that reading the same event again gives the same id."""
    parts = [event.get("flow_id")]
    parts += [info.get(name) for name in ("tx_id", "file_id", "filename", "size", "start", "sha256", "state")]
    parts += [event.get("src_ip"), event.get("src_port")]
    return named_fuid(*parts)


def named_fuid(*parts: object) -> str:
    """An id of a file from what identifies it."""
    return "F" + hashlib.blake2s(repr(parts).encode("utf-8", "backslashreplace"), digest_size=9).hexdigest()


def _sent_by_client(event: Event, base: Record) -> bool | None:
    """Whether the client sent the file. A fileinfo's source is the file's sender."""
    ports = event.get("src_port"), base.get("id.orig_p"), base.get("id.resp_p")
    return None if ports[1] is None or ports[1] == ports[2] else ports[0] == ports[1]


def _file_name(event: Event, info: Event) -> str | None:
    """The file's name. Where none was given, Suricata takes the URL's path, which is left out as by Zeek."""
    name = text(info, "filename")
    url = text(child(event, "http"), "url")
    if name is None or (url is None and not child(event, "http")):
        return name
    path = (url or "").partition("?")[0]
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return None if name.startswith("/") or name in (path, unquote(path), url) else name
