"""In which form a file's lines are, told by its first lines and its name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

from threathunting.sensors import log_names
from threathunting.sensors.batches import repaired
from threathunting.sensors.eve import looks_like_eve
from threathunting.sensors.zeek_json import JsonForm, flat
from threathunting.sensors.zeek_tsv import TsvForm, header_of


@dataclass(frozen=True)
class EveForm:
    """Suricata's EVE."""


def form_of(path: PurePath, start: bytes, known: Collection[str]) -> TsvForm | JsonForm | EveForm | None:
    """The form of a log whose first bytes are ``start``, or None where it is none.

    ``known`` are the logs that plugins know: only these are believed by file name alone.
    """
    name = log_names.from_file_name(path)
    header = header_of(start)
    if header is not None:
        return TsvForm(header, header.path or name or log_names.UNKNOWN)
    line = _first_object(start)
    if line is None:
        return None
    if looks_like_eve(line):
        return EveForm()
    record = repaired(line)
    nested = isinstance(record.get("id"), dict)
    log = log_names.from_fields(flat(record))
    by_path = isinstance(record.get("_path"), str)
    if name not in known and log == log_names.UNKNOWN:
        name = log_names.from_first_words(path, known) or name
    told_by_name = name in known or (name is not None and log == log_names.UNKNOWN)
    whole = name if told_by_name and not by_path else None
    if whole is None and log == log_names.UNKNOWN and not by_path and name is None and "ts" not in record:
        return None
    return JsonForm(whole, by_path, nested, name or log_names.UNKNOWN)


def _first_object(start: bytes) -> bytes | None:
    """The first line that is a JSON object; None where the first lines of a file have none."""
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{") and b"\n" not in start:
        return b"{}"
    for line in start.split(b"\n")[:100]:
        try:
            repaired(line)
        except ValueError:
            continue
        return line
    return None
