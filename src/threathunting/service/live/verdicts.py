"""Answers to what nodes in compact mode ask: whether what their filters have is armed, and with which items."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import msgspec

from threathunting.hunt.live import Hunter
from threathunting.hunt.matching import Match
from threathunting.intel.canonical import canonical
from threathunting.intel.message import indicator_type
from threathunting.intel.store import Hit
from threathunting.intel.types import IndicatorType
from threathunting.records import Observable
from threathunting.service.live.nudges import Nudges
from threathunting.service.status import Rate
from threathunting.zeek.compact_protocol import Answer, hits_of, packed_answers, verdict
from threathunting.zeek.protocol import Asked, Question
from threathunting.zeek.wire import Event

LIMIT = 50_000
"""Questions of one Zeek that wait at once. Beyond, the oldest goes: its node has waited longest, and asks again."""

AT_ONCE = 1_000
"""Questions answered before arming and acknowledgements have their turn again."""

_LOCKED = 200
"""Look-ups between two chances for others to use the store."""


class Verdicts:
    """The questions of one Zeek, answered in the order in which they came. Not for several threads."""

    def __init__(self, client: str, hunter: Hunter, limit: int = LIMIT) -> None:
        """``client`` is our name: what is asked of others isn't ours to answer."""
        self._client = client
        self._hunter = hunter
        self._limit = limit
        self._queue: deque[tuple[str, Question]] = deque()
        self._rate = Rate()
        self.nudges = Nudges(client)
        self.answered = 0
        self.dropped = 0
        """Questions that went unanswered for want of room."""
        self.per_second = 0.0
        """Answers a second, of late."""

    def __len__(self) -> int:
        """Questions that wait."""
        return len(self._queue)

    def take(self, asked: Asked) -> None:
        """A node asks."""
        queue = self._queue
        queue.extend((asked.node, question) for question in asked.questions if question.c == self._client)
        while len(queue) > self._limit:
            queue.popleft()
            self.dropped += 1

    def forget(self) -> None:
        """There is nobody to answer to any more."""
        self._queue.clear()
        self.nudges.forget()

    def answer(self, limit: int = AT_ONCE) -> list[Event]:
        """Answers to the next questions. To be sent before any change of intel that comes after the call."""
        known: dict[tuple[str, str], msgspec.Raw] = {}
        answers: dict[str, list[Answer]] = {}
        left = min(limit, len(self._queue))
        self.answered += left
        if left:
            self._rate.add(left)
        self.per_second = self._rate.per_second()
        while left:
            chunk = [self._queue.popleft() for _ in range(min(left, _LOCKED))]
            left -= len(chunk)
            self._look(known, (question for _, question in chunk))
            for node, question in chunk:
                answers.setdefault(node, []).append(Answer(question.q, known[question.t, question.v]))
        events = []
        for node, listed in answers.items():
            self.nudges.answered(node, time.monotonic())
            at = 0
            while at < len(listed):
                data, count = packed_answers(listed[at:])
                at += count
                events.append(verdict(self._client, node, data))
        return events

    def _look(self, known: dict[tuple[str, str], msgspec.Raw], questions: Iterable[Question]) -> None:
        """Add to what is known what these ask for, as it stands now."""
        new = {(question.t, question.v): question for question in questions}
        hunter, now = self._hunter, time.time()
        found: list[tuple[tuple[str, str], Match | None]] = []
        with hunter.lock:
            for key, question in new.items():
                if key not in known:
                    found.append((key, self._match(question, now)))
        for key, match in found:
            judged = None if match is None else hunter.policy.judge(match, now)
            known[key] = _NO if judged is None else hits_of(judged.hits)

    def _match(self, question: Question, now: float) -> Match | None:
        try:
            type = indicator_type(question.t)
            # Zeek writes some IPv6 addresses another way.
            value = canonical(type, question.v) if type is IndicatorType.ADDR else question.v
        except ValueError:
            return None
        hits: list[Hit] = self._hunter.store.lookup_folded(type, value, now)
        # Subnets are armed natively, so Zeek knows of them without us.
        ours = tuple(hit for hit in hits if hit.indicator.type is not IndicatorType.SUBNET)
        return Match(Observable(type, value, question.w), ours) if ours else None


_NO = hits_of(())
