"""The files that are held open, so many at once, and those that can't be read."""

from __future__ import annotations

from collections.abc import Callable, Container

from threathunting.sensors.follow.content import Source, opened
from threathunting.sensors.follow.generation import Generation
from threathunting.sensors.follow.register import Register
from threathunting.sensors.follow.state import Id

MAX_OPEN = 256
"""Files held open at once, but for those that could not be opened again."""

MANY = 200
"""New files that are opened in one step; and files of before a restart, beyond ``MAX_OPEN``."""


class OpenFiles:
    """Opens files, and closes those in which there is nothing to read. Raises nothing: errors are kept."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.unreadable: dict[str, str] = {}
        """Sentences on files that can't be read, by path."""

    def open(self, path: str, id: Id) -> Source | None:
        """The file that was listed with this id; None where it is gone, was replaced, or can't be read."""
        try:
            source = opened(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.fail(path, error)
            return None
        try:
            if source.stat()[0] == id:
                return source
        except OSError as error:
            self.fail(path, error)
        source.close()
        return None

    def guarded(self, generation: Generation, step: Callable[..., None], *args: object) -> None:
        """Do a step on a file; if that can't be read, let go of it and try again later."""
        try:
            step(generation, *args)
        except OSError as error:
            self.fail(generation.path, error)
            generation.close()

    def fail(self, path: str, error: OSError) -> None:
        """A file can't be read."""
        self.unreadable[path] = f"{path} can't be read: {(error.strerror or str(error)).lower()}"

    def succeed(self, path: str) -> None:
        """A file can be read, whatever was wrong with it."""
        self.unreadable.pop(path, None)

    def keep(self, paths: Container[str]) -> None:
        """Files in other paths than these are no more: nothing is wrong with them."""
        self.unreadable = {path: text for path, text in self.unreadable.items() if path in paths}

    # How many

    def _count(self) -> int:
        return sum(generation.source is not None for generation in self._register.live.values())

    def has_room(self, sought: bool) -> bool:
        """Whether a file of a known content can be opened; of one that is ``sought`` since a restart, sooner."""
        return self._count() < (MAX_OPEN + MANY if sought else MAX_OPEN)

    def is_full(self) -> bool:
        """Whether no more files can be opened, after those are closed in which there is nothing to read now."""
        excess = self._count() + 1 - MAX_OPEN
        if excess <= 0:
            return False
        live = self._register.live
        idle = [
            (generation.grown_at, generation.key)
            for generation in live.values()
            if generation.source is not None
            and generation.listed
            and not (generation.ready or generation.rebuilding)
        ]
        idle.sort()
        for _, key in idle[:excess]:
            live[key].close()
        return len(idle) < excess
