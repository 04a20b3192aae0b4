"""Reading intel files into a store, and telling what came of each entry."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from threathunting.intel.allowlist import AllowList
from threathunting.intel.entries import IntelStore
from threathunting.intel.formats import FORMATS, Context, Format, Refusal, Told, by_name, misp, sniff
from threathunting.intel.formats._open import CompressedDataError, opened
from threathunting.intel.message import Add, Remove
from threathunting.intel.types import IndicatorType, Item

STDIN = "-"
KEPT_REFUSALS = 1000

_MANIFEST = "manifest.json"
_COMPRESSED = (".gz", ".zst")


@dataclass
class FileReport:
    """What one file was taken for; ``format`` is None where it was told to be none."""

    path: str
    format: str | None
    read: int = 0
    refused: int = 0


@dataclass
class LoadReport:
    """What came of loading. Every entry read was armed, removed, there already, or refused."""

    read: int = 0
    armed: Counter[str] = field(default_factory=Counter)
    """Items armed or renewed, by type. A second source of an indicator is a second item."""
    removed: int = 0
    duplicates: int = 0
    """Items that stood in the store already, and removals of what didn't."""
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    """The first 1,000 of what was refused."""
    files: list[FileReport] = field(default_factory=list)
    on_refusal: Callable[[Refusal], None] | None = field(default=None, repr=False)
    """Called with every refusal as it comes."""

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal, and keep it while there is room."""
        self.read += 1
        self.refused += 1
        if self.on_refusal is not None:
            self.on_refusal(refusal)
        if len(self.refusals) < KEPT_REFUSALS:
            self.refusals.append(refusal)


def load(
    paths: Iterable[str | Path],
    store: IntelStore,
    allow: AllowList | None = None,
    *,
    format: str | None = None,
    source: str | None = None,
    told_at: float | None = None,
    all_attributes: bool = False,
    default_expire: float | None = None,
    on_refusal: Callable[[Refusal], None] | None = None,
) -> LoadReport:
    """Load intel files into ``store``.

    A path is a file (plain, gzip or zstd), a folder (all files below it, or the MISP feed whose
    ``manifest.json`` it holds), or ``-`` for standard input.

    - ``format``: the name of one; else each file's is told from its beginning.
    - ``source``: where an entry has none; else the file's name without its ending.
    - ``told_at``: seconds since the epoch that ``expire`` counts from; else when the file was last modified.
    - ``default_expire``: seconds from ``told_at``, where an entry has no end; else it has none.
    - ``all_attributes``: also take MISP's attributes without ``to_ids``.
    - ``on_refusal``: called with every refusal as it comes; the report keeps the first 1,000.

    Raises ValueError for an unknown format, and OSError (with path and reason) for what can't be read.
    """
    wanted = by_name(format) if format is not None else None
    report = LoadReport(on_refusal=on_refusal)
    loader = _Loader(store, allow, report, default_expire)
    for path in _files(paths):
        with _open(path) as raw:
            at = told_at if told_at is not None else _modified(path)
            context = Context(str(path), at, source or _stem(path), all_attributes)
            loader.file(raw, context, wanted)
    return report


class _Loader:
    def __init__(
        self, store: IntelStore, allow: AllowList | None, report: LoadReport, default_expire: float | None
    ) -> None:
        self._store = store
        self._allow = allow
        self._report = report
        self._default_expire = default_expire

    def file(self, raw: BinaryIO, context: Context, wanted: Format | None) -> None:
        """Load one file. What can't be unpacked to its end is a refusal; what came before it stays."""
        report = self._report
        entry = FileReport(context.path, None if wanted is None else wanted.name)
        report.files.append(entry)
        read, refused = report.read, report.refused
        try:
            head, stream = opened(raw)
            format = wanted or sniff(Path(context.path).name, head)
            if format is None:
                report.refuse(Refusal(context.path, 0, _unknown(head), ""))
            else:
                entry.format = format.name
                self._entries(format.read(stream, context), context)
        except CompressedDataError as error:
            report.refuse(Refusal(context.path, 0, str(error), ""))
        entry.read, entry.refused = report.read - read, report.refused - refused

    def _entries(self, entries: Iterator[Told | Refusal], context: Context) -> None:
        report, allow, add = self._report, self._allow, self._store.add
        ended = self._ending(context.told_at)
        armed = dict.fromkeys(IndicatorType, 0)  # a million updates of a Counter by name take a second
        try:
            for entry in entries:
                if isinstance(entry, Refusal):
                    report.refuse(entry)
                    continue
                line, change = entry
                if not isinstance(change, Add):
                    self._remove(change)
                    continue
                indicator, item = change
                if ended is not None:
                    item = ended(item)
                if allow is not None and (reason := allow.refuses(indicator, item.subdomains)) is not None:
                    reason = f"{indicator.type.value} {reason}"
                    report.refuse(Refusal(context.path, line, reason, indicator.value))
                    continue
                try:
                    if add(indicator, item):
                        armed[indicator.type] += 1
                    else:
                        report.duplicates += 1
                        report.read += 1
                except OverflowError as error:
                    report.refuse(Refusal(context.path, line, str(error), indicator.value))
        finally:
            report.read += sum(armed.values())
            report.armed.update({type.value: count for type, count in armed.items() if count})

    def _remove(self, change: Remove) -> None:
        self._report.read += 1
        if self._store.remove(change.indicator, change.source):
            self._report.removed += 1
        else:
            self._report.duplicates += 1

    def _ending(self, told_at: float) -> Callable[[Item], Item] | None:
        if self._default_expire is None:
            return None
        end = told_at + self._default_expire
        known: dict[Item, Item] = {}

        def ended(item: Item) -> Item:
            if item.expires is not None:
                return item
            found = known.get(item)
            if found is None:
                if len(known) >= 4096:
                    known.clear()
                found = known[item] = msgspec.structs.replace(item, expires=end)
            return found

        return ended


def _unknown(head: bytes) -> str:
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive; unpack it first"
    return f"no known intel format (known: {', '.join(format.name for format in FORMATS)})"


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in paths:
        yield from _in_folder(Path(path)) if Path(path).is_dir() else (Path(path),)


def _in_folder(folder: Path) -> Sequence[Path]:
    manifest = folder / _MANIFEST
    if manifest.is_file():
        with manifest.open("rb") as file:
            if misp.is_manifest(file.read(4096)):
                return [manifest]
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            found += _in_folder(path)
        elif path.is_file():
            found.append(path)
    return found


def _open(path: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if str(path) == STDIN else path.open("rb")


def _modified(path: Path) -> float:
    return time.time() if str(path) == STDIN else path.stat().st_mtime


def _stem(path: Path) -> str:
    if str(path) == STDIN:
        return "stdin"
    while path.suffix in _COMPRESSED:
        path = path.with_suffix("")
    return path.stem or path.name
