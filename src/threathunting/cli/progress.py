"""Progress on a terminal's standard error: how far, how fast, how long yet."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_REDRAW_SECONDS = 0.1


class Bar:
    """A bar per pass. Draws only on a terminal, and without a thread of its own: workers are forked meanwhile."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        """Draw on ``console``, which is standard error."""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task: int | None = None
        self._drawn = 0.0

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, what: str, total: int) -> None:
        """See ``hunt.engine.Progress``."""
        if self._task is not None:
            self._bar.remove_task(self._task)  # type: ignore[arg-type]
        self._task = self._bar.add_task(what, total=total)
        self._bar.refresh()

    def advance(self, size: int) -> None:
        """See ``hunt.engine.Progress``."""
        if self._task is not None:
            self._bar.advance(self._task, size)  # type: ignore[arg-type]
            now = time.monotonic()
            if now - self._drawn > _REDRAW_SECONDS:
                self._drawn = now
                self._bar.refresh()
