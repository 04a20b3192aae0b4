"""When a content is given up for lost, and when it is forgotten."""

from __future__ import annotations

from threathunting.sensors.follow.generation import Generation
from threathunting.sensors.follow.listing import Listing, Seen
from threathunting.sensors.follow.register import Register
from threathunting.sensors.follow.telling import Telling

LOST_AFTER = 30.0
"""Seconds that a file of before a restart, or the copy of a truncated one, is looked for before it is told lost."""

KEEP = 26 * 3600.0
"""Seconds that a finished content is known when none of its files is in a followed folder: one may come back
compressed."""

MAX_KEPT = 5000
"""Such contents that are known at once."""


def give_up(register: Register, telling: Telling, now: float, patient: bool) -> None:
    """Look no longer for files that don't turn up, and tell what of them is lost. ``now`` is by the clock.

    ``patient``: there are files of which it isn't known yet what is in them, so that saved contents may be there.
    """
    for key, until in list(register.sought.items()):
        generation = register.live[key]
        if generation.listed or patient:
            continue
        if not until:
            register.sought[key] = now + LOST_AFTER
        elif now >= until:
            del register.sought[key]
            if not generation.finished:
                telling.tell(
                    f"{generation.path} (inode {generation.inode}) vanished while nobody read it: what was "
                    f"written to it after byte {generation.floor:,} is lost, unless it turns up"
                )
            generation.give_up()
    for generation in list(register.live.values()):
        since = generation.truncated_at
        if since is not None and now - since >= LOST_AFTER:
            if generation.unread:
                telling.tell(
                    f"{generation.unread:,} bytes of {generation.path} were not read before it was truncated"
                )
            generation.give_up()


def forget(register: Register, listing: Listing, now: float) -> list[Seen]:
    """Drop finished contents that are long gone from the followed folders; the files that still have them.

    These files aren't to be read again. ``now`` is by the clock.
    """
    gone: list[tuple[float, Generation]] = []
    for key, (generation, since) in register.done.items():
        ids = (generation.id, *generation.twins)
        if not since or any(id in listing.files and not listing.files[id].rotated for id in ids):
            register.done[key] = (generation, now)
        else:
            gone.append((since, generation))
    gone.sort(key=lambda found: found[0])
    left: list[Seen] = []
    for number, (since, generation) in enumerate(gone):
        if len(gone) - number > MAX_KEPT or now - since > KEEP:
            register.drop(generation)
            ids = (generation.id, *generation.twins)
            left += [listing.files[id] for id in ids if id in listing.files]
    return left
