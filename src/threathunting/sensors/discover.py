"""From the paths that a person names to the units that workers read, and the captures that a sensor reads first."""

from __future__ import annotations

import glob
import mmap
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from threathunting.records import Unit
from threathunting.sensors import log_names
from threathunting.sensors.eve import EveUnit
from threathunting.sensors.forms import EveForm, form_of
from threathunting.sensors.lines import WHOLE, Span, compression, head
from threathunting.sensors.pcap import looks_like_pcap
from threathunting.sensors.zeek_json import JsonForm, JsonLog
from threathunting.sensors.zeek_tsv import Header, TsvForm, TsvLog, header_of

UNIT_BYTES = 16 * 1024 * 1024
"""A plain log is cut into units of about this size. It doesn't depend on the number of workers, so that the
results and their order don't either."""

_HEAD = 8192
_LONG_HEAD = 1 << 20


@dataclass
class Inputs:
    """What there is to read."""

    units: list[Unit] = field(default_factory=list)
    captures: list[Path] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    """Files in folders that are no logs."""
    errors: list[str] = field(default_factory=list)
    """Sentences on what was named and can't be read."""
    files: int = 0


def discover(paths: Iterable[str], known: Collection[str], unit_bytes: int = UNIT_BYTES) -> Inputs:
    """Find out what each path is: a log, a capture, a folder or glob of them.

    ``known`` are the logs that plugins know: only these are believed by file name alone.
    """
    inputs = Inputs()
    met: set[Path] = set()
    for name in paths:
        found = False
        for path, named in _expand(name):
            found = True
            try:
                # A file that is named twice, or lies in a folder that is named too, is one file.
                resolved = path.resolve()
                if resolved not in met:
                    met.add(resolved)
                    _classify(path, named, known, unit_bytes, inputs)
            except OSError as error:
                inputs.errors.append(f"{path} can't be read: {(error.strerror or str(error)).lower()}")
        if not found:
            what = "holds no file" if Path(name).is_dir() else "does not exist"
            inputs.errors.append(f"{name} {what}")
    return inputs


def _expand(name: str) -> Iterator[tuple[Path, bool]]:
    """The files behind a path, sorted, each with whether it was named itself (not found in a folder)."""
    path = Path(name)
    if path.is_dir():
        for found in sorted(path.rglob("*")):
            inner = found.relative_to(path).parts
            if not any(part.startswith(".") for part in inner) and not found.is_dir():
                yield found, False
    elif path.exists() or path.is_symlink():
        yield path, True
    else:
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207 (takes absolute patterns, too)
            yield from _expand(match)


def _classify(path: Path, named: bool, known: Collection[str], unit_bytes: int, inputs: Inputs) -> None:
    size = path.stat().st_size
    if not path.is_file() or (not named and log_names.is_result(path)):
        inputs.passed_over.append(str(path))
        return
    if size == 0:
        inputs.files += 1
        return
    start = _beginning(path)
    units = _units(path, size, start, known, unit_bytes)
    if looks_like_pcap(start):
        inputs.captures.append(path)
    elif units is not None:
        inputs.units += units
    elif named:
        inputs.errors.append(
            f"{path} is neither a Zeek log, a Suricata EVE log nor a capture"
            if start
            else f"{path} is a damaged archive"
        )
        return
    else:
        inputs.passed_over.append(str(path))
        return
    inputs.files += 1


def _units(path: Path, size: int, start: bytes, known: Collection[str], unit_bytes: int) -> list[Unit] | None:
    """The units of a log, or None where the file isn't one."""
    form = form_of(path, start, known)
    packed = compression_of(path) is not None
    match form:
        case TsvForm(header, log):
            headers = _headers(path, packed, header, size > unit_bytes)
            return _split(
                size,
                packed,
                unit_bytes,
                headers,
                lambda span, bytes, header: TsvLog(path, bytes, log, header, span),
            )
        case JsonForm():
            return _split(
                size,
                packed,
                unit_bytes,
                [(0, Header())],
                lambda span, bytes, _: JsonLog(path, bytes, form, span),
            )
        case EveForm():
            return [EveUnit(path, size)]
    return None


def _beginning(path: Path) -> bytes:
    """Enough of a log's first bytes to know it by: there may be hundreds of thousands of files to ask."""
    start = head(path, _HEAD)
    return start if b"\n" in start or len(start) < _HEAD else head(path, _LONG_HEAD)


def compression_of(path: Path) -> str | None:
    """The compression of a file, by its first bytes."""
    with path.open("rb") as file:
        return compression(file.read(8))


def _split(
    size: int,
    packed: bool,
    unit_bytes: int,
    headers: list[tuple[int, Header]],
    make: Callable[[Span, int, Header], Unit],
) -> list[Unit]:
    """Units of about ``unit_bytes``, each with the header in force where it begins."""
    if packed:
        return [make(WHOLE, size, headers[0][1])]
    units = []
    for begin in range(0, size, unit_bytes):
        end = min(begin + unit_bytes, size)
        header = next(header for at, header in reversed(headers) if at <= begin)
        units.append(make(Span(begin, end, size), end - begin, header))
    return units


def _headers(path: Path, packed: bool, first: Header, several: bool) -> list[tuple[int, Header]]:
    """Where in a TSV file which header begins to hold. Only a file that is cut into several units needs more."""
    headers = [(0, first)]
    if packed or not several:
        return headers
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(b"\n#separator")
        while at >= 0:
            header = header_of(data[at + 1 : at + 65536])
            if header is not None:
                headers.append((at + 1, header))
            at = data.find(b"\n#separator", at + 1)
    return headers
