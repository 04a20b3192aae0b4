"""Files that are met for the first time: logs to follow, copies of what is known, or none of these."""

from __future__ import annotations

from collections.abc import Callable, Collection

from threathunting.sensors.follow.content import Packed, Source
from threathunting.sensors.follow.generation import SETTLE, Generation, Twin
from threathunting.sensors.follow.listing import Listing, Places, Seen
from threathunting.sensors.follow.open_files import MANY, OpenFiles
from threathunting.sensors.follow.register import Register
from threathunting.sensors.follow.state import Id
from threathunting.sensors.log_names import from_file_name, looks_rotated

SLACK = 10 * 10**9
"""Nanoseconds before a checkpoint in which a file may have come without having been seen."""

_NO_LOG_BYTES = 65536
"""A file that is no log so far is looked at again when it grows, up to this size."""


class NewFiles:
    """Finds out what new files are, and remembers those that aren't followed."""

    def __init__(
        self,
        places: Places,
        known: Collection[str],
        at_end: bool,
        register: Register,
        files: OpenFiles,
        now: Callable[[], float],
    ) -> None:
        """``at_end``: what is in the files of the first listing isn't to be read. ``now`` is the time of day."""
        self._places = places
        self._known = known
        self._register = register
        self._files = files
        self._now = now
        self._was_there: dict[Id, int] | None = {} if at_end else None
        """By id the size of the files in the first listing, where these aren't to be read."""
        self._listed = False
        self._passed_over: dict[Id, tuple[int, int]] = {}
        """Files that aren't followed, with their size and time then."""
        self._unsettled: dict[Id, tuple[int, float]] = {}
        """Archives that may still be written, with their size, and since when it is that."""

    @property
    def unsettled(self) -> bool:
        """Whether there are archives that may still be written."""
        return bool(self._unsettled)

    def meet(self, listing: Listing, since: int, now: float) -> bool:
        """Take in new files, the oldest first; whether there are more than can be in one step.

        In places of rotated logs, what was written ``since`` then (nanoseconds) can be a log that was never seen.
        """
        if self._was_there is not None and not self._listed:
            self._was_there = {id: seen.size for id, seen in listing.files.items()}
        self._listed = True
        left = self._take(listing, since, now)
        if self._was_there and not left:
            self._was_there = {id: size for id, size in self._was_there.items() if id in self._unsettled}
        return left

    def _take(self, listing: Listing, since: int, now: float) -> bool:
        files = listing.files
        self._passed_over = {id: was for id, was in self._passed_over.items() if id in files}
        self._unsettled = {id: was for id, was in self._unsettled.items() if id in files}
        new = [
            seen
            for id, seen in files.items()
            if not self._register.has(id) and not self._is_passed_over(seen)
        ]
        new.sort(key=lambda seen: (seen.mtime, seen.path))
        opened_ones = 0
        for seen in new:
            if opened_ones >= MANY or self._files.is_full():
                return True
            only_known = False
            if seen.rotated and not (seen.mtime >= since and self._places.fits(seen.path)):
                only_known = self._may_be_sought(seen)
                if not only_known:
                    self.pass_over(seen.id, seen.size, seen.mtime)
                    continue
            if seen.rotated and not seen.size:
                self.pass_over(seen.id, seen.size, seen.mtime)
                continue
            opened_ones += 1
            self._open(seen, only_known, now)
        return False

    def pass_over(self, id: Id, size: int, mtime: int) -> None:
        """A file isn't to be followed as long as its size and time (in nanoseconds) stay as they are."""
        self._passed_over[id] = (size, mtime)

    def _is_passed_over(self, seen: Seen) -> bool:
        was = self._passed_over.get(seen.id)
        return was is not None and (was == (seen.size, seen.mtime) or seen.size >= was[0] >= _NO_LOG_BYTES)

    def _may_be_sought(self, seen: Seen) -> bool:
        log = from_file_name(seen.path)
        for key in self._register.sought:
            sought = self._register.live[key]
            if seen.mtime >= sought.mtime - SLACK and (None in (log, sought.log) or log == sought.log):
                return True
        return False

    def _open(self, seen: Seen, only_known: bool, now: float) -> None:
        source = self._files.open(seen.path, seen.id)
        if source is None:
            return
        try:
            if not self._is_settled(source, seen, now):
                source.close()
                return
            generation = Generation(seen.path, seen.id, seen.mtime)
            generation.attach(source, seen.path)
        except OSError as error:
            self._files.fail(seen.path, error)
            source.close()
            return
        self._files.succeed(seen.path)
        generation.only_known = only_known
        generation.grown_at = now
        if seen.rotated or looks_rotated(seen.path):
            generation.retired_at = now
        if self._was_there is not None and seen.id in self._was_there:
            generation.begin = self._was_there[seen.id]
        self._register.add(generation)
        self._files.guarded(generation, self.identify, now)

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
        """Find out whether a file has a content that is known, and in which form its lines are. Raises OSError."""
        if generation.is_archive:
            # It was met when it had no bytes yet.
            self._register.drop(generation)
            return
        if not generation.began:
            quiet = generation.retired_at is not None and now - generation.grown_at >= SETTLE
            packed = isinstance(generation.source, Packed)
            if not (generation.has_record() or packed or (quiet and generation.size)):
                return
            for other in self._register:
                if other is not generation and other.same_content(generation):
                    self._join(other, generation)
                    return
        if generation.only_known or not generation.classify(self._known):
            self._register.drop(generation)
            self.pass_over(generation.id, generation.size, generation.mtime)

    def _join(self, content: Generation, copy: Generation) -> None:
        """A new file has a known content."""
        del self._register.live[copy.key]
        self._register.put(content, copy.id)
        source, copy.source = copy.source, None
        assert source is not None
        told = source.told_size() if isinstance(source, Packed) else None
        content.twins[copy.id] = Twin(copy.size, copy.mtime, told)
        before = content.id
        if content.key in self._register.sought and content.attach(source, copy.path):
            self._register.attached(content, before)
            self._files.succeed(copy.path)
        else:
            source.close()
