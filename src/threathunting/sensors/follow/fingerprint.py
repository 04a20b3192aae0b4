"""What a content is known by: its first bytes, and those before the place where reading stands."""

from __future__ import annotations

from threathunting.sensors.follow.content import Source
from threathunting.sensors.follow.state import hash_of
from threathunting.sensors.lines import compression

HEAD = 4096
"""A file is known by so many of its first bytes: with Zeek's header, the first records are among them."""

TAIL = 64
"""So many bytes before the place where reading stands must be what they were."""


class Fingerprint:
    """The bytes themselves while a file is open, and hashes of them to know it again later.

    A ``position`` is where reading stands, in bytes of the decompressed content.
    """

    def __init__(self, head_size: int = 0, head_hash: str = "", tail_hash: str = "") -> None:
        """Begin with what a saved state knows."""
        self.head_size = head_size
        self.head_hash = head_hash
        """Of the first ``head_size`` bytes."""
        self.tail_hash = tail_hash
        """Of the bytes before where reading stood, as of the last ``note``; empty where they aren't known."""
        self._head = b""
        self._hashes: dict[int, str] = {}
        self._tail = b""

    # What is remembered

    def learn(self, source: Source, position: int) -> None:
        """Remember more of the beginning, as the file grows. Raises OSError."""
        if len(self._head) < HEAD:
            head = source.read(0, HEAD)
            if len(head) > len(self._head):
                self._head = head
                self._hashes.clear()
                if len(head) >= self.head_size:
                    self.head_size, self.head_hash = len(head), hash_of(head)
        if not self._tail and not source.packed:
            self.stand(source, position)

    def stand(self, source: Source, position: int) -> None:
        """Reading stands here. Raises OSError."""
        self._tail = _before(source, position)

    def passed(self, block: bytes) -> None:
        """Reading went on by this block."""
        self._tail = (self._tail + block)[-TAIL:] if len(block) < TAIL else block[-TAIL:]

    def note(self, position: int) -> None:
        """Make the hash of what was read last."""
        if self._tail:
            # Of an archive that is read from somewhere on, too little may be known yet.
            whole = len(self._tail) == min(position, TAIL)
            self.tail_hash = hash_of(self._tail) if whole else ""

    def let_go(self) -> None:
        """Keep the hashes only."""
        self._head = b""
        self._tail = b""

    # What it tells

    @property
    def is_packed(self) -> bool:
        """Whether these are the first bytes of an archive."""
        return compression(self._head) is not None

    def has_record(self) -> bool:
        """Whether the beginning tells this content from others: a whole line of it is no comment."""
        lines = self._head.split(b"\n")
        return len(self._head) >= HEAD or any(
            line.strip() and not line.startswith(b"#") for line in lines[:-1]
        )

    def fits(self, source: Source, size: int, position: int) -> bool:
        """Whether a file of ``size`` bytes (on disk) has this content. Raises OSError."""
        if self.head_size and hash_of(source.read(0, self.head_size)) != self.head_hash:
            return False
        if source.packed:
            # The rest shows only on the way.
            return True
        return size >= position and (
            not self.tail_hash or hash_of(_before(source, position)) == self.tail_hash
        )

    def same(self, other: Fingerprint, source: Source | None, size: int, position: int) -> bool:
        """Whether the file of ``other``, of which nothing has been read, has this content. Raises OSError.

        ``source`` and ``size`` are those of that file, ``position`` is of this content.
        """
        ours, theirs = self._head, other._head
        if ours and len(theirs) < len(ours):
            # A copy in the making.
            return ours.startswith(theirs)
        if not self.head_size:
            return False
        if not theirs.startswith(ours) if ours else other._hash_of_first(self.head_size) != self.head_hash:
            return False
        if source is None or source.packed or size < position or not self.tail_hash:
            return True
        return hash_of(_before(source, position)) == self.tail_hash

    def _hash_of_first(self, size: int) -> str:
        """Empty where there are fewer bytes."""
        if size not in self._hashes:
            self._hashes[size] = hash_of(self._head[:size]) if len(self._head) >= size else ""
        return self._hashes[size]

    def unchanged(self, source: Source, position: int) -> bool:
        """Whether what was read still stands in the file. Raises OSError."""
        return source.read(0, len(self._head)) == self._head and (
            not self._tail or _before(source, position) == self._tail
        )


def _before(source: Source, at: int) -> bytes:
    begin = max(at - TAIL, 0)
    return source.read(begin, at - begin)
