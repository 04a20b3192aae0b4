"""What the commands share: exit statuses, and errors as one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

FAILURE, BAD_INPUT = 1, 2


def console() -> Console:
    """Standard output. Where it is no terminal, lines are as long as they are."""
    # Without emoji=False, rich would make a symbol of the ":100:" in "feed.txt:100: ...".
    return Console(emoji=False) if sys.stdout.isatty() else Console(emoji=False, width=10_000)


def errors_console() -> Console:
    """Standard error, for notes and errors."""
    return Console(stderr=True, emoji=False, soft_wrap=True)


@contextmanager
def sentences(errors: Console) -> Iterator[None]:
    """Turn what goes wrong into one sentence and the right exit status."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read our output has had enough; nothing is to be said, also not by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILURE) from None
    except (FileExistsError, ValueError) as error:
        _say(errors, str(error))
        raise typer.Exit(BAD_INPUT) from None
    except OSError as error:
        _say(
            errors, f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        )
        raise typer.Exit(FAILURE) from None
    except KeyboardInterrupt:
        _say(errors, "interrupted")
        raise typer.Exit(FAILURE) from None


def _say(errors: Console, sentence: str) -> None:
    errors.print(f"error: {sentence}", style="red", highlight=False, markup=False, soft_wrap=True)
