"""Reads intel files as the commands ask for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from threathunting.intel.allowlist import AllowList
from threathunting.intel.formats import Refusal
from threathunting.intel.formats.write import Written, write
from threathunting.intel.load import LoadReport, load
from threathunting.intel.store import Store


def allow_list(files: Sequence[str], warninglists: Sequence[str]) -> AllowList | None:
    """The allow-list of these files and MISP warning lists; None where there are none. ValueError says what's wrong."""
    if not files and not warninglists:
        return None
    allow = AllowList()
    for path in files:
        allow.read(Path(path))
    if warninglists:
        from threathunting.intel.warninglists import add_warninglists

        add_warninglists(allow, warninglists)
    return allow


def read(
    files: Sequence[str],
    allow: Sequence[str] = (),
    warninglists: Sequence[str] = (),
    format: str | None = None,
    all_attributes: bool = False,
    on_refusal: Callable[[Refusal], None] | None = None,
) -> tuple[Store, LoadReport]:
    """A store with what the files hold, and how reading went. ValueError says what can't be read at all."""
    store = Store()
    try:
        report = load(
            files,
            store,
            allow_list(allow, warninglists),
            format=format,
            all_attributes=all_attributes,
            on_refusal=on_refusal,
        )
    except OSError as error:
        raise ValueError(
            f"{error.filename or ', '.join(files)} can't be read: {(error.strerror or str(error)).lower()}"
        ) from None
    return store, report


def convert(
    files: Sequence[str],
    to: str,
    output: Path | None,
    stdout: BinaryIO,
    allow: Sequence[str] = (),
    warninglists: Sequence[str] = (),
    format: str | None = None,
    all_attributes: bool = False,
) -> tuple[LoadReport, Written]:
    """Write all items of the files in another format. A file is replaced in one step, when it is whole."""
    store, report = read(files, allow, warninglists, format, all_attributes)
    if output is None:
        written = write(store.items(), to, stdout)
        stdout.flush()
        return report, written
    waiting = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with waiting.open("wb") as file:
            written = write(store.items(), to, file)
        waiting.replace(output)
    finally:
        waiting.unlink(missing_ok=True)
    return report, written
