"""Logs that grow, as chunks of records: every whole line once, across rotation, truncation and restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Literal

from threathunting.records import Wanted
from threathunting.sensors.follow.content import Packed
from threathunting.sensors.follow.contents import Contents
from threathunting.sensors.follow.generation import SETTLE, Generation
from threathunting.sensors.follow.listing import Places
from threathunting.sensors.follow.state import MARK, Chunk, FileState, FileStatus
from threathunting.sensors.follow.telling import Telling

Begin = Literal["beginning", "end"]


class Follower:
    """Follows files as they grow; to be asked by one thread, as often as news are wanted.

    A content is known by its file's device and inode and by its first bytes, wherever it is moved, copied or
    compressed to. Nothing is raised for what is wrong with files: it is told by ``news``, and tried again.
    """

    def __init__(
        self,
        paths: Iterable[str],
        rotated: Iterable[str] = (),
        known: Collection[str] = (),
        begin: Begin = "beginning",
        saved: Iterable[FileState] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Follow ``paths`` (folders, globs, files), which need not be there yet.

        ``rotated``: where rotated logs go to. There only what was followed before, and what has been written
        since the states were saved, is read. ``known``: the logs of plugins, see ``forms.form_of``. ``begin``:
        where files begin to be read that are there when nothing is saved yet. ``saved``: what ``states`` gave.
        """
        self._clock, self._now = clock, now
        self._telling = Telling()
        places = Places(paths, rotated)
        self._contents = Contents(places, frozenset(known), begin == "end", saved, self._telling, now)
        self._turn = 0
        self._given: dict[str, FileState] = {}

    def poll(self, budget: int, wanted: Wanted) -> list[Chunk]:
        """What has come, about ``budget`` bytes of it at most: per file in order, older generations first.

        After a restart, what is read ``again`` comes before all else. It never waits.
        """
        contents = self._contents
        now = self._clock()
        # What has come to open files tells what new files are copies of.
        for generation in list(contents.live.values()):
            if generation.source is not None:
                contents.guarded(generation, contents.look, now)
        if now >= contents.due:
            contents.refresh(now)
        chunks: list[Chunk] = []
        self._read(budget, wanted, now, chunks)
        for generation in list(contents.live.values()):
            contents.guarded(generation, self._end, wanted, now, chunks)
        return chunks

    def states(self, low: Callable[[str], int | None]) -> list[FileState]:
        """What must be saved, once all chunks that ``poll`` has given are dealt with.

        ``low`` tells of a key where its oldest record begins that is still held; None: none is. A state that
        hasn't changed is the same object as the last time.
        """
        contents = self._contents
        states = []
        for key, generation in list(contents.live.items()):
            state = generation.state(low(key))
            if state.finished and state.low == state.high and generation.source is None:
                contents.put_away(generation, self._clock())
            else:
                states.append(state)
        states += [generation.last_state() for generation, _ in contents.done.values()]
        states.append(FileState(MARK, mtime=int(self._now() * 1e9)))
        return states

    def changes(self, low: Callable[[str], int | None]) -> tuple[list[FileState], list[str]]:
        """As ``states``, but only those that were not given the last time, and the keys that are no more."""
        before, self._given = self._given, {state.key: state for state in self.states(low)}
        return (
            [state for key, state in self._given.items() if before.get(key) is not state],
            [key for key in before if key not in self._given],
        )

    def news(self) -> list[str]:
        """Sentences on what went wrong since the last call. What stays wrong is told once."""
        return self._telling.news()

    # The properties may be asked for by other threads.

    @property
    def problems(self) -> list[str]:
        """Sentences on what is wrong now: paths that aren't there, files that can't be read."""
        return self._telling.standing()

    @property
    def rebuilding(self) -> bool:
        """Whether there is something to be read ``again`` before anything new."""
        return any(generation.rebuilding for generation in list(self._contents.live.values()))

    @property
    def files(self) -> list[FileStatus]:
        """The files that are followed."""
        return [generation.status() for generation in self._contents]

    @property
    def lag(self) -> int:
        """Bytes that are there and not yet read."""
        return sum(generation.unread for generation in list(self._contents.live.values()))

    def close(self) -> None:
        """Let go of all files."""
        for generation in self._contents:
            generation.close()

    def _read(self, budget: int, wanted: Wanted, now: float, chunks: list[Chunk]) -> None:
        """One chunk of each file in turn, until there is no more or the budget is used up."""
        contents = self._contents
        ready = [
            generation for generation in contents.live.values() if generation.ready or generation.rebuilding
        ]
        self._turn += 1
        left = budget

        def read(generation: Generation) -> None:
            nonlocal left
            chunk, used = generation.read(wanted, now)
            left -= used
            if chunk is not None:
                chunks.append(chunk)

        while left > 0 and ready:
            turn = _first_of(ready)
            before = left
            at = self._turn % len(turn)
            for generation in (*turn[at:], *turn[:at]):
                if left > 0:
                    contents.guarded(generation, read)
            ready = [generation for generation in ready if generation.ready or generation.rebuilding]
            if left == before:
                break

    def _end(self, generation: Generation, wanted: Wanted, now: float, chunks: list[Chunk]) -> None:
        """What comes after the last line: what was held back, and a last line that has no end."""
        chunk = generation.late(now)
        if chunk is not None:
            chunks.append(chunk)
        if generation.ready or generation.rebuilding:
            return
        contents = self._contents
        if not generation.finished:
            if isinstance(generation.source, Packed):
                if generation.reader is None:
                    return
                for error in generation.source.errors:
                    self._telling.tell(error)
            elif (
                generation.retired_at is None
                or now - max(generation.retired_at, generation.grown_at) < SETTLE
            ):
                return
            elif generation.source is None:
                if contents.is_waited_for(generation):
                    return
                if generation.unread:
                    self._telling.tell(
                        f"{generation.unread:,} bytes of {generation.path} (inode {generation.inode}) were not read "
                        "before it vanished"
                    )
            elif generation.reader is not None and generation.unread:
                chunk, _ = generation.read(wanted, now, last=True)
                if chunk is not None:
                    chunks.append(chunk)
            elif generation.size and generation.reader is None:
                contents.identify(generation, now)
                return
        if generation.source is not None or not generation.finished:
            chunk = generation.finish()
            if chunk is not None:
                chunks.append(chunk)
            generation.close()


def _first_of(ready: list[Generation]) -> list[Generation]:
    """Those of the files with something to read whose turn it is."""
    rebuilding = [generation for generation in ready if generation.rebuilding]
    if rebuilding:
        return rebuilding
    oldest: dict[tuple[str, str], Generation] = {}
    for generation in ready:
        if generation.retired_at is not None:
            name = (generation.kind, generation.log or generation.origin)
            other = oldest.get(name)
            if other is None or (generation.mtime, generation.path) < (other.mtime, other.path):
                oldest[name] = generation
    return [
        generation
        for generation in ready
        if oldest.get((generation.kind, generation.log or generation.origin), generation) is generation
    ]
