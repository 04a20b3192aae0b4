"""Which contents there are, and which files they are in: known by inode, and by their first bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePath

from threathunting.sensors.follow.content import TOLD_UP_TO, Packed, Source, opened
from threathunting.sensors.follow.generation import Generation, Twin
from threathunting.sensors.follow.listing import Listing, Places, Seen
from threathunting.sensors.follow.state import MARK, FileState, Id
from threathunting.sensors.follow.telling import Telling
from threathunting.sensors.log_names import from_file_name, looks_rotated

LIST_EVERY = 1.0
"""Seconds from one look at the folders to the next; more, where a look takes more than a fiftieth of it."""

SETTLE = 5.0
"""Seconds without growth after which a file that isn't written to any more is taken for whole."""

LOST_AFTER = 30.0
"""Seconds that a file of before a restart, or the copy of a truncated one, is looked for before it is told lost."""

KEEP = 26 * 3600.0
"""Seconds that a finished content is known when none of its files is in a followed folder: one may come back
compressed."""

MAX_KEPT = 5000
"""Such contents that are known at once."""

MAX_OPEN = 256
"""Files held open at once, but for those that could not be opened again."""

_SLACK = 10 * 10**9
"""Nanoseconds before a checkpoint in which a file may have come without having been seen."""
_MANY = 200
"""New files that are opened in one step."""
_NO_LOG_BYTES = 65536
"""A file that is no log so far is looked at again when it grows, up to this size."""

NOWHERE: Id = (0, 0)
"""The id of a content whose file isn't known."""


class Contents:
    """Keeps contents and files together, each time the folders are listed."""

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
        self._places = places
        self._known = known
        self._telling = telling
        self._now = now
        self.live: dict[str, Generation] = {}
        """Contents of which something may have to be read, now or later."""
        self.done: dict[str, tuple[Generation, float]] = {}
        """Finished ones whose records are all let go; with the time when a file was last in a followed folder."""
        self._ids: dict[Id, Generation] = {}
        self._sought: dict[str, float] = {}
        """Saved contents whose file isn't found yet, and until when that isn't worth a word."""
        self._passed_over: dict[Id, tuple[int, int]] = {}
        """Files that aren't followed, with their size and time then."""
        self._unsettled: dict[Id, tuple[int, float]] = {}
        """Archives that may still be written, with their size, and since when it is that."""
        self._unreadable: dict[str, str] = {}
        self.due = 0.0
        """When the folders are to be listed next, by the clock."""

        states = list(saved)
        mark = next((state.mtime for state in states if state.key == MARK), None)
        self._since = int(now() * 1e9) if mark is None else mark - _SLACK
        """In places of rotated logs, what was written to since then can be a log that was never seen."""
        self._was_there: dict[Id, int] | None = {} if at_end and not states else None
        """By id the size of the files in the first listing, where these aren't to be read."""
        self._listed = 0
        for state in states:
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
            self._sought[state.key] = 0.0

    def __iter__(self) -> Iterator[Generation]:
        """All contents, as they are now: other threads may ask for the state of things."""
        yield from list(self.live.values())
        for generation, _ in list(self.done.values()):
            yield generation

    def refresh(self, now: float) -> None:
        """List the folders, and see what has become of the files."""
        began = time.perf_counter()
        listing = self._places.look(
            self._since, {str(PurePath(one.path).parent) for one in self.live.values()}
        )
        self._telling.stand("places", listing.problems)
        self._unreadable = {path: text for path, text in self._unreadable.items() if path in listing.paths}
        if self._was_there is not None and not self._listed:
            self._was_there = {id: seen.size for id, seen in listing.files.items()}
        for generation in self:
            self._place(generation, listing, now)
        left = self._meet(listing, now)
        if self._was_there and not left:
            self._was_there = {id: size for id, size in self._was_there.items() if id in self._unsettled}
        for generation in list(self.live.values()):
            if generation.source is not None and generation.reader is None:
                self.guarded(generation, self.identify, now)
        for generation in self:
            if generation.twins and not generation.listed:
                self.guarded(generation, self._switch, listing)
        self._give_up(now, left or bool(self._unsettled))
        self._forget(listing, now)
        self._is_full()
        self._telling.stand("files", self._unreadable)
        self._listed += 1
        if not self._sought:
            self._since = max(self._since, int((self._now() - KEEP) * 1e9))
        self.due = now if left else now + max(LIST_EVERY, 50 * (time.perf_counter() - began))

    def guarded(self, generation: Generation, step: Callable[..., None], *args: object) -> None:
        """Do a step on a file; if that can't be read, let go of it and try again later."""
        try:
            step(generation, *args)
        except OSError as error:
            self._unreadable[generation.path] = _unreadable(generation.path, error)
            generation.close()

    # Files of known contents

    def _place(self, generation: Generation, listing: Listing, now: float) -> None:
        """See where the file of a content is now, and whether it still is one."""
        for id, twin in list(generation.twins.items()):
            seen = listing.files.get(id)
            if seen is None or (seen.size, seen.mtime) != twin[:2]:
                # It has grown, or it is another file with the same inode.
                del generation.twins[id]
                self._ids.pop(id, None)
        seen = listing.files.get(generation.id)
        if seen is not None and generation.source is None and not self._opened(generation, seen):
            seen = None
        if seen is None:
            if listing.whole or generation.id == NOWHERE:
                generation.listed = False
                generation.retired_at = now if generation.retired_at is None else generation.retired_at
            return
        generation.listed = True
        at_origin = listing.paths.get(generation.origin) == generation.id
        generation.path = generation.origin if at_origin else seen.path
        if at_origin and not seen.rotated and not looks_rotated(generation.origin):
            generation.retired_at = None
        elif generation.retired_at is None:
            generation.retired_at = now

    def _opened(self, generation: Generation, seen: Seen) -> bool:
        """Open the file of a content if there may be more in it; False where it has another content now."""
        return not self._worth_opening(generation, seen) or self._attach(generation, seen.path, seen.id)

    def _worth_opening(self, generation: Generation, seen: Seen) -> bool:
        if generation.key in self._sought:
            return self._open() < MAX_OPEN + _MANY
        if generation.key in self.done and not generation.size:
            # Not looked at since the restart.
            return seen.mtime != generation.mtime
        if (seen.size, seen.mtime) != (generation.size, generation.mtime):
            return True
        left = generation.unread > 0 and not (generation.stalled and generation.retired_at is None)
        return left and not generation.finished and self._open() < MAX_OPEN

    def _attach(self, generation: Generation, path: str, id: Id) -> bool:
        """Open a file for a content; False where it has another. If it can't be opened, that is told."""
        try:
            source = opened(path)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._unreadable[path] = _unreadable(path, error)
            return True
        before = generation.id
        try:
            if source.stat()[0] != id:
                # It was replaced since it was listed.
                source.close()
                return True
            attached = generation.attach(source, path)
        except OSError as error:
            self._unreadable[path] = _unreadable(path, error)
            source.close()
            return True
        if not attached:
            source.close()
            if generation.began and not generation.finished and generation.key not in self._sought:
                self._telling.tell(f"{path} was truncated or replaced: it is read from its beginning")
            generation.twins.pop(id, None)
            generation.id = NOWHERE if generation.id == id else generation.id
            self._leave(generation, id)
            return False
        self._attached(generation, before)
        return True

    def _attached(self, generation: Generation, before: Id) -> None:
        self._leave(generation, before)
        self._unreadable.pop(generation.path, None)
        self._ids[generation.id] = generation
        generation.twins.pop(generation.id, None)
        generation.listed = True
        self._sought.pop(generation.key, None)
        if generation.key in self.done:
            del self.done[generation.key]
            self.live[generation.key] = generation
        generation.finished = False

    def _leave(self, generation: Generation, id: Id) -> None:
        """A content isn't in this file any more: what comes under that id is another one."""
        if self._ids.get(id) is generation and id not in generation.twins:
            del self._ids[id]

    def _switch(self, generation: Generation, listing: Listing) -> None:
        """Go on with a copy of a content whose own file is gone."""
        if generation.ready or generation.rebuilding:
            return
        for id in sorted(generation.twins):
            seen = listing.files[id]
            told = generation.twins[id].told
            packed = told is not None
            more = told != generation.position % TOLD_UP_TO if packed else seen.size > generation.position
            if generation.finished and not more:
                before = generation.id
                generation.move(seen.path, id, seen.size, seen.mtime)
                self._leave(generation, before)
                self._ids[id] = generation
                return
            # A deleted file that is still open may be written to.
            take = more if generation.source is not None else packed or seen.size >= generation.floor
            if take and self._attach(generation, seen.path, id) and generation.id == id:
                return

    # New files

    def _meet(self, listing: Listing, now: float) -> bool:
        """Take in new files, the oldest first; whether there are more than can be in one step."""
        files = listing.files
        self._passed_over = {id: was for id, was in self._passed_over.items() if id in files}
        self._unsettled = {id: was for id, was in self._unsettled.items() if id in files}
        new = [seen for id, seen in files.items() if id not in self._ids and not self._is_passed_over(seen)]
        new.sort(key=lambda seen: (seen.mtime, seen.path))
        opened_ones = 0
        for seen in new:
            if opened_ones >= _MANY or self._is_full():
                return True
            only_known = False
            if seen.rotated and not (seen.mtime >= self._since and self._places.fits(seen.path)):
                only_known = self._may_be_sought(seen)
                if not only_known:
                    self._passed_over[seen.id] = (seen.size, seen.mtime)
                    continue
            if seen.rotated and not seen.size:
                self._passed_over[seen.id] = (seen.size, seen.mtime)
                continue
            opened_ones += 1
            self._open_new(seen, only_known, now)
        return False

    def _is_passed_over(self, seen: Seen) -> bool:
        was = self._passed_over.get(seen.id)
        return was is not None and (was == (seen.size, seen.mtime) or seen.size >= was[0] >= _NO_LOG_BYTES)

    def _may_be_sought(self, seen: Seen) -> bool:
        log = from_file_name(seen.path)
        for key in self._sought:
            sought = self.live[key]
            if seen.mtime >= sought.mtime - _SLACK and (None in (log, sought.log) or log == sought.log):
                return True
        return False

    def _open_new(self, seen: Seen, only_known: bool, now: float) -> None:
        try:
            source = opened(seen.path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._unreadable[seen.path] = _unreadable(seen.path, error)
            return
        try:
            if source.stat()[0] != seen.id or not self._is_settled(source, seen, now):
                source.close()
                return
            generation = Generation(seen.path, seen.id, seen.mtime)
            generation.attach(source, seen.path)
        except OSError as error:
            self._unreadable[seen.path] = _unreadable(seen.path, error)
            source.close()
            return
        self._unreadable.pop(seen.path, None)
        generation.only_known = only_known
        generation.grown_at = now
        if seen.rotated or looks_rotated(seen.path):
            generation.retired_at = now
        if self._was_there is not None and seen.id in self._was_there:
            generation.begin = self._was_there[seen.id]
        self.live[generation.key] = generation
        self._ids[seen.id] = generation
        self.guarded(generation, self.identify, now)

    def _is_settled(self, source: Source, seen: Seen, now: float) -> bool:
        """Whether an archive isn't written any more."""
        if not isinstance(source, Packed) or self._now() - seen.mtime / 1e9 > SETTLE:
            self._unsettled.pop(seen.id, None)
            return True
        size, since = self._unsettled.get(seen.id, (-1, now))
        if size == seen.size and now - since >= SETTLE:
            del self._unsettled[seen.id]
            return True
        if size != seen.size:
            self._unsettled[seen.id] = (seen.size, now)
        return False

    def identify(self, generation: Generation, now: float) -> None:
        """Find out whether a file has a content that is known, and in which form its lines are."""
        if generation.is_archive:
            # It was met when it had no bytes yet.
            self._drop(generation)
            return
        if not generation.began:
            quiet = generation.retired_at is not None and now - generation.grown_at >= SETTLE
            packed = isinstance(generation.source, Packed)
            if not (generation.has_record() or packed or (quiet and generation.size)):
                return
            for other in self:
                if other is not generation and other.same_content(generation):
                    self._join(other, generation)
                    return
        if generation.only_known or not generation.classify(self._known):
            self._drop(generation)
            self._passed_over[generation.id] = (generation.size, generation.mtime)

    def _drop(self, generation: Generation) -> None:
        generation.close()
        self.live.pop(generation.key, None)
        self.done.pop(generation.key, None)
        self._sought.pop(generation.key, None)
        for id in (generation.id, *generation.twins):
            if self._ids.get(id) is generation:
                del self._ids[id]

    def _join(self, content: Generation, copy: Generation) -> None:
        """A new file has a known content."""
        del self.live[copy.key]
        self._ids[copy.id] = content
        source, copy.source = copy.source, None
        assert source is not None
        told = source.told_size() if isinstance(source, Packed) else None
        content.twins[copy.id] = Twin(copy.size, copy.mtime, told)
        before = content.id
        if content.key in self._sought and content.attach(source, copy.path):
            self._attached(content, before)
        else:
            source.close()

    def put_away(self, generation: Generation, now: float) -> None:
        """A content is finished, and nothing of it is held any more."""
        del self.live[generation.key]
        self.done[generation.key] = (generation, now)
        self._sought.pop(generation.key, None)

    def is_waited_for(self, generation: Generation) -> bool:
        """Whether there may be more of a content whose file isn't open."""
        if generation.listed and generation.unread:
            return True
        return generation.key in self._sought or generation.truncated_at is not None

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
        self._leave(generation, before)
        generation.listed = False
        if generation.began:
            generation.truncated_at = generation.retired_at = now
            self._telling.tell(f"{generation.path} was truncated: it is read again from its beginning")
        else:
            self._drop(generation)
        id, _, mtime = source.stat()
        new = Generation(generation.path, id, mtime)
        new.attach(source, generation.path)
        new.grown_at = now
        self.live[new.key] = new
        self._ids[id] = new
        self.due = now
        self.guarded(new, self.identify, now)

    # What is lost and forgotten

    def _give_up(self, now: float, patient: bool) -> None:
        for key, until in list(self._sought.items()):
            generation = self.live[key]
            if generation.listed or patient:
                continue
            if not until:
                self._sought[key] = now + LOST_AFTER
            elif now >= until:
                del self._sought[key]
                if not generation.finished:
                    self._telling.tell(
                        f"{generation.path} (inode {generation.inode}) vanished while nobody read it: what was "
                        f"written to it after byte {generation.floor:,} is lost, unless it turns up"
                    )
                generation.give_up()
        for generation in list(self.live.values()):
            since = generation.truncated_at
            if since is not None and now - since >= LOST_AFTER:
                if generation.unread:
                    self._telling.tell(
                        f"{generation.unread:,} bytes of {generation.path} were not read before it was truncated"
                    )
                generation.give_up()

    def _forget(self, listing: Listing, now: float) -> None:
        kept: list[tuple[float, Generation]] = []
        for key, (generation, since) in self.done.items():
            ids = (generation.id, *generation.twins)
            if not since or any(id in listing.files and not listing.files[id].rotated for id in ids):
                self.done[key] = (generation, now)
            else:
                kept.append((since, generation))
        kept.sort(key=lambda found: found[0])
        for number, (since, generation) in enumerate(kept):
            if len(kept) - number > MAX_KEPT or now - since > KEEP:
                self._drop(generation)
                for id in (generation.id, *generation.twins):
                    if (seen := listing.files.get(id)) is not None:
                        self._passed_over[id] = (seen.size, seen.mtime)

    def _open(self) -> int:
        return sum(generation.source is not None for generation in self.live.values())

    def _is_full(self) -> bool:
        """Whether no more files can be opened, after those are closed in which there is nothing to read now."""
        excess = self._open() + 1 - MAX_OPEN
        if excess <= 0:
            return False
        idle = [
            (generation.grown_at, generation.key)
            for generation in self.live.values()
            if generation.source is not None
            and generation.listed
            and not (generation.ready or generation.rebuilding)
        ]
        idle.sort()
        for _, key in idle[:excess]:
            self.live[key].close()
        return len(idle) < excess


def _unreadable(path: str, error: OSError) -> str:
    return f"{path} can't be read: {(error.strerror or str(error)).lower()}"
