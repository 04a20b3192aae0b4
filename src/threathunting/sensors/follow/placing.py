"""Where the files of known contents are now, and whether they still have them."""

from __future__ import annotations

from threathunting.sensors.follow.content import TOLD_UP_TO
from threathunting.sensors.follow.generation import Generation
from threathunting.sensors.follow.listing import Listing, Seen
from threathunting.sensors.follow.open_files import OpenFiles
from threathunting.sensors.follow.register import NOWHERE, Register
from threathunting.sensors.follow.state import Id
from threathunting.sensors.follow.telling import Telling
from threathunting.sensors.log_names import looks_rotated


class Placing:
    """Follows known contents from file to file, as these are moved, replaced and copied."""

    def __init__(self, register: Register, files: OpenFiles, telling: Telling) -> None:
        self._register = register
        self._files = files
        self._telling = telling

    def place(self, generation: Generation, listing: Listing, now: float) -> None:
        """See where the file of a content is now, and whether it still is one. ``now`` is by the clock."""
        for id, twin in list(generation.twins.items()):
            seen = listing.files.get(id)
            if seen is None or (seen.size, seen.mtime) != twin[:2]:
                # It has grown, or it is another file with the same inode.
                del generation.twins[id]
                self._register.free(id)
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
        if generation.key in self._register.sought:
            return self._files.has_room(sought=True)
        if generation.key in self._register.done and not generation.size:
            # Not looked at since the restart.
            return seen.mtime != generation.mtime
        if (seen.size, seen.mtime) != (generation.size, generation.mtime):
            return True
        left = generation.unread > 0 and not (generation.stalled and generation.retired_at is None)
        return left and not generation.finished and self._files.has_room(sought=False)

    def _attach(self, generation: Generation, path: str, id: Id) -> bool:
        """Open a file for a content; False where it has another. If it can't be opened, that is told."""
        source = self._files.open(path, id)
        if source is None:
            return True
        before = generation.id
        try:
            attached = generation.attach(source, path)
        except OSError as error:
            self._files.fail(path, error)
            source.close()
            return True
        if not attached:
            source.close()
            if generation.began and not generation.finished and generation.key not in self._register.sought:
                self._telling.tell(f"{path} was truncated or replaced: it is read from its beginning")
            generation.twins.pop(id, None)
            generation.id = NOWHERE if generation.id == id else generation.id
            self._register.leave(generation, id)
            return False
        self._register.attached(generation, before)
        self._files.succeed(path)
        return True

    def switch(self, generation: Generation, listing: Listing) -> None:
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
                self._register.leave(generation, before)
                self._register.put(generation, id)
                return
            # A deleted file that is still open may be written to.
            take = more if generation.source is not None else packed or seen.size >= generation.floor
            if take and self._attach(generation, seen.path, id) and generation.id == id:
                return
