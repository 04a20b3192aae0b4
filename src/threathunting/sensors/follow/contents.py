"""Keeps contents and files together, as the folders are listed and open files change."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePath

from threathunting.sensors.follow.forgetting import KEEP, forget, give_up
from threathunting.sensors.follow.generation import Generation
from threathunting.sensors.follow.listing import Places
from threathunting.sensors.follow.new_files import SLACK, NewFiles
from threathunting.sensors.follow.open_files import OpenFiles
from threathunting.sensors.follow.placing import Placing
from threathunting.sensors.follow.register import NOWHERE, Register
from threathunting.sensors.follow.state import MARK, FileState
from threathunting.sensors.follow.telling import Telling

LIST_EVERY = 1.0
"""Seconds from one look at the folders to the next; more, where a look takes more than a fiftieth of it."""


class Contents:
    """Which contents there are, and which files they are in: known by inode, and by their first bytes."""

    def __init__(
        self,
        places: Places,
        known: Collection[str],
        at_end: bool,
        saved: Iterable[FileState],
        telling: Telling,
        now: Callable[[], float],
    ) -> None:
        """``at_end``: without saved states, what is in files now isn't to be read. ``now`` is the time of day."""
        states = list(saved)
        self._places = places
        self._telling = telling
        self._now = now
        self._register = Register(states)
        self._files = OpenFiles(self._register)
        self._placing = Placing(self._register, self._files, telling)
        self._new = NewFiles(places, known, at_end and not states, self._register, self._files, now)
        mark = next((state.mtime for state in states if state.key == MARK), None)
        self._since = int(now() * 1e9) if mark is None else mark - SLACK
        """In places of rotated logs, what was written to since then can be a log that was never seen."""
        self.live = self._register.live
        """Contents by key of which something may have to be read, now or later."""
        self.done = self._register.done
        """Finished ones, see ``Register.done``."""
        self.due = 0.0
        """When the folders are to be listed next, by the clock."""

    def __iter__(self) -> Iterator[Generation]:
        """All contents, as they are now: other threads may ask for the state of things."""
        return iter(self._register)

    def refresh(self, now: float) -> None:
        """List the folders, and see what has become of the files. ``now`` is by the clock."""
        began = time.perf_counter()
        listing = self._places.look(
            self._since, {str(PurePath(one.path).parent) for one in self.live.values()}
        )
        self._telling.stand("places", listing.problems)
        self._files.keep(listing.paths)
        for generation in self:
            self._placing.place(generation, listing, now)
        left = self._new.meet(listing, self._since, now)
        for generation in list(self.live.values()):
            if generation.source is not None and generation.reader is None:
                self.guarded(generation, self.identify, now)
        for generation in self:
            if generation.twins and not generation.listed:
                self.guarded(generation, self._placing.switch, listing)
        give_up(self._register, self._telling, now, left or self._new.unsettled)
        for seen in forget(self._register, listing, now):
            self._new.pass_over(seen.id, seen.size, seen.mtime)
        # What was opened by the way may be too much to be held open.
        self._files.is_full()
        self._telling.stand("files", self._files.unreadable)
        if not self._register.sought:
            self._since = max(self._since, int((self._now() - KEEP) * 1e9))
        self.due = now if left else now + max(LIST_EVERY, 50 * (time.perf_counter() - began))

    def guarded(self, generation: Generation, step: Callable[..., None], *args: object) -> None:
        """Do a step on a file; if that can't be read, let go of it and try again later."""
        self._files.guarded(generation, step, *args)

    def identify(self, generation: Generation, now: float) -> None:
        """Find out whether a file has a content that is known, and in which form its lines are. Raises OSError."""
        self._new.identify(generation, now)

    def put_away(self, generation: Generation, now: float) -> None:
        """A content is finished, and nothing of it is held any more."""
        self._register.put_away(generation, now)

    def is_waited_for(self, generation: Generation) -> bool:
        """Whether there may be more of a content whose file isn't open."""
        if generation.listed and generation.unread:
            return True
        return generation.key in self._register.sought or generation.truncated_at is not None

    def look(self, generation: Generation, now: float) -> None:
        """See whether an open file has grown, or has another content now. Raises OSError."""
        if not generation.look(now):
            self._truncated(generation, now)
        elif generation.reader is None and generation.size:
            self.identify(generation, now)

    def _truncated(self, generation: Generation, now: float) -> None:
        """A file has lost its content: that ends, and a new one begins."""
        source = generation.source
        assert source is not None
        generation.source = None
        generation.close()
        generation.id, before = NOWHERE, generation.id
        self._register.leave(generation, before)
        generation.listed = False
        if generation.began:
            generation.truncated_at = generation.retired_at = now
            self._telling.tell(f"{generation.path} was truncated: it is read again from its beginning")
        else:
            self._register.drop(generation)
        id, _, mtime = source.stat()
        new = Generation(generation.path, id, mtime)
        new.attach(source, generation.path)
        new.grown_at = now
        self._register.add(new)
        self.due = now
        self.guarded(new, self.identify, now)
