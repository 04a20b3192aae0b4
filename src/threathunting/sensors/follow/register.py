"""The contents that are known, and which files they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from threathunting.sensors.follow.generation import Generation
from threathunting.sensors.follow.state import MARK, FileState, Id

NOWHERE: Id = (0, 0)
"""The id of a content whose file isn't known."""


class Register:
    """Contents by their keys, and by the ids of their files. It opens no files."""

    def __init__(self, saved: Iterable[FileState]) -> None:
        """Begin with the contents of saved states, whose files are still to be found."""
        self.live: dict[str, Generation] = {}
        """Contents of which something may have to be read, now or later."""
        self.done: dict[str, tuple[Generation, float]] = {}
        """Finished ones whose records are all let go; with the time when a file was last in a followed folder."""
        self.sought: dict[str, float] = {}
        """Saved contents whose file isn't found yet, and until when that isn't worth a word."""
        self._ids: dict[Id, Generation] = {}
        for state in saved:
            if state.key != MARK:
                self._restore(state)

    def _restore(self, state: FileState) -> None:
        if not state.high and not state.finished:
            # Without a record there is nothing to know it by: its file is a new one.
            return
        generation = Generation(state.path, state.id, state.mtime, state)
        self._ids[state.id] = generation
        if state.finished and state.low == state.high:
            self.done[state.key] = (generation, 0.0)
        else:
            self.live[state.key] = generation
            self.sought[state.key] = 0.0

    def __iter__(self) -> Iterator[Generation]:
        """All contents, as they are now: other threads may ask for the state of things."""
        yield from list(self.live.values())
        for generation, _ in list(self.done.values()):
            yield generation

    # Contents

    def add(self, generation: Generation) -> None:
        """A new content, in the file that it is attached to."""
        self.live[generation.key] = generation
        self._ids[generation.id] = generation

    def put_away(self, generation: Generation, now: float) -> None:
        """A content is finished, and nothing of it is held any more."""
        del self.live[generation.key]
        self.done[generation.key] = (generation, now)
        self.sought.pop(generation.key, None)

    def drop(self, generation: Generation) -> None:
        """A content isn't to be known any more: its files, if there are any, are new ones."""
        generation.close()
        self.live.pop(generation.key, None)
        self.done.pop(generation.key, None)
        self.sought.pop(generation.key, None)
        for id in (generation.id, *generation.twins):
            if self._ids.get(id) is generation:
                del self._ids[id]

    # Their files

    def has(self, id: Id) -> bool:
        """Whether a known content is in this file."""
        return id in self._ids

    def put(self, generation: Generation, id: Id) -> None:
        """A content is in this file."""
        self._ids[id] = generation

    def leave(self, generation: Generation, id: Id) -> None:
        """A content isn't in this file any more, unless as a copy: what comes under that id is another one."""
        if self._ids.get(id) is generation and id not in generation.twins:
            del self._ids[id]

    def free(self, id: Id) -> None:
        """Whatever this file had, it is to be met as a new one."""
        self._ids.pop(id, None)

    def attached(self, generation: Generation, before: Id) -> None:
        """A content is attached to a file, and there may be more of it; its file was ``before``."""
        self.leave(generation, before)
        self._ids[generation.id] = generation
        generation.twins.pop(generation.id, None)
        generation.listed = True
        self.sought.pop(generation.key, None)
        if generation.key in self.done:
            del self.done[generation.key]
            self.live[generation.key] = generation
        generation.finished = False
