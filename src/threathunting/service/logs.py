"""What the service says on standard error: structured, without secrets, and never a flood."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from threathunting.service.redact import Redactor

WINDOW_SECONDS = 60.0
PASSING = 5
"""Events of one kind that pass in a window."""
KINDS = 1000
"""Kinds of events that are remembered; the one seen longest ago is forgotten."""

Event = MutableMapping[str, Any]

_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Level = Literal["debug", "info", "warning", "error"]


class Limiter:
    """Lets the first 5 of the same events a minute pass, then one a minute that says ``repeated=N``.

    Events are the same where their name and their ``key`` are. A processor of structlog; of threads, too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[tuple[str, str], _Kind] = OrderedDict()

    def __call__(self, _: Any, method: str, event: Event) -> Event:
        """The event, with ``repeated`` where it stands for others. Raises structlog.DropEvent to hold it back."""
        now = self._clock()
        with self._lock:
            kind = self._kind((str(event.get("event")), str(event.get("key"))), now)
            if now - kind.began < WINDOW_SECONDS:
                kind.passed += 1
                if kind.passed > kind.allowed:
                    kind.held += 1
                    kind.last = (method, dict(event))
                    raise structlog.DropEvent
                return event
            # A flood that goes on gets one line a window; once a window holds nothing back, all is as before.
            held, kind.began, kind.passed, kind.held, kind.last = kind.held, now, 1, 0, None
            kind.allowed = 1 if held else PASSING
        return {**event, "repeated": held} if held else event

    def overdue(self, *, all: bool = False) -> list[tuple[str, Event]]:
        """The last event of each kind that was held back, with ``repeated``, where its window is over. Once each."""
        now = self._clock()
        found: list[tuple[str, Event]] = []
        with self._lock:
            for kind in self._kinds.values():
                if kind.last is not None and (all or now - kind.began >= WINDOW_SECONDS):
                    method, event = kind.last
                    found.append((method, {**event, "repeated": kind.held}))
                    kind.began, kind.passed, kind.held, kind.last, kind.allowed = now, 1, 0, None, 1
        return found

    def _kind(self, name: tuple[str, str], now: float) -> _Kind:
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = _Kind(now)
            if len(self._kinds) > KINDS:
                self._kinds.popitem(last=False)
        self._kinds.move_to_end(name)
        return kind


class _Kind:
    def __init__(self, now: float) -> None:
        self.began = now
        self.allowed = PASSING
        self.passed = 0
        self.held = 0
        self.last: tuple[str, Event] | None = None


class Logs:
    """The set-up of structlog for this process. ``redactor`` hides the secrets that it knows."""

    def __init__(self, redactor: Redactor | None = None, stream: TextIO | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._stream = _Steady(stream or sys.stderr)
        self._limiter = Limiter()
        self._handler: logging.Handler | None = None
        self._renderers: list[Any] = []

    def set_up(self, format: Literal["console", "json"] = "console", level: Level = "info") -> None:
        """Take effect, for every logger there is and will be; may be called again while running."""
        self._renderers = self._rendering(format)
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                self._limiter,
                structlog.processors.add_log_level,
                *self._renderers,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(self._stream),  # type: ignore[arg-type]
            cache_logger_on_first_use=False,
        )
        if self._handler is None:
            self._handler = _ToStructlog(logging.WARNING)
            logging.getLogger().addHandler(self._handler)

    def flush(self, *, all: bool = False) -> None:
        """Say what was held back and is due; with ``all`` also what isn't yet. To be called every some seconds."""
        for method, event in self._limiter.overdue(all=all):
            shown: Any = {**event, "level": method}
            for processor in self._renderers:
                shown = processor(None, method, shown)
            print(shown, file=self._stream, flush=True)

    def close(self) -> None:
        """Say all that was held back, and leave structlog as it was."""
        self.flush(all=True)
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler = None
        structlog.reset_defaults()

    def _rendering(self, format: str) -> list[Any]:
        if format == "json":
            stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
            rendered: Any = structlog.processors.JSONRenderer()
        else:
            stamp = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
            rendered = structlog.dev.ConsoleRenderer(
                colors=self._stream.isatty(),
                # The one for rich would show the variables of every frame, and what secrets these hold.
                exception_formatter=structlog.dev.plain_traceback,
            )
        return [
            stamp,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            self._without_secrets,
            *([_printable] if format == "console" else []),
            rendered,
        ]

    def _without_secrets(self, _: Any, __: str, event: Event) -> Event:
        return {key: self.redactor.value(value) for key, value in event.items()}


def _printable(_: Any, __: str, event: Event) -> Event:
    """What comes from the network must not steer a terminal."""
    return {
        key: value.translate(_UNPRINTABLE)
        if isinstance(value, str)
        else value
        if isinstance(value, bool | int | float) or value is None
        else str(value).translate(_UNPRINTABLE)
        for key, value in event.items()
    }


class _Steady:
    """A stream that may break (a closed pipe, a full disk) without stopping the service."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            pass

    def isatty(self) -> bool:
        return self._stream.isatty()


class _ToStructlog(logging.Handler):
    """Passes on what libraries log in Python's own way."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None
        )
