"""``dns`` and ``mdns``: dns.log. Suricata writes a query and its answer as two events, Zeek as one record."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from threathunting.records import Record
from threathunting.sensors.eve.flows import proto
from threathunting.sensors.eve.values import (
    Converted,
    Event,
    address,
    child,
    flag,
    objects,
    put,
    text,
    texts,
    whole,
)

MAX_PENDING = 16384
"""Transactions that wait for their answer at once; the oldest comes out unanswered first."""

MAX_SAME = 16
"""Queries of one flow that wait with the same id."""

PATIENCE = 30.0
"""Seconds, of the events' own time, that a query waits for its answer."""

_Key = tuple[object, int]


class _Asked(NamedTuple):
    record: Record
    place: int
    """Where in the input its event begins."""
    arrived: float
    """When it was read, by the reader's clock."""


_QUERY, _ANSWER = frozenset({"query", "request"}), frozenset({"answer", "response"})


@dataclass
class DnsJoin:
    """Joins queries and answers by flow and transaction id, in bounded memory.

    Every query comes out once: with its answer, or without one when it waited for ``PATIENCE``, when room is
    needed (counted in ``evicted``), or at the end of the input. An answer without its query comes out alone.
    """

    max_pending: int = MAX_PENDING
    evicted: int = 0
    place: int = 0
    """Where in the input the event begins that is converted next; for readers of input that grows."""
    now: float = 0.0
    """When that event was read, in seconds of any steady clock."""
    reach: int | None = None
    """The least place of the queries that have come out since this was last set to None."""

    def __post_init__(self) -> None:
        # By key the place of its first query, and those that wait.
        self._pending: OrderedDict[_Key, tuple[int, list[_Asked]]] = OrderedDict()

    def dns(self, event: Event, base: Record) -> Converted:
        """Convert a dns event (version 2 of Suricata 7, version 3 of Suricata 8)."""
        yield from self._expire(base.get("ts"))
        dns = child(event, "dns") or child(event, "mdns")
        kind = text(dns, "type")
        number = whole(dns, "id") or 0
        put(base, proto=proto(event), trans_id=whole(dns, "id"))
        key = (
            base.get("uid") or (base.get("id.orig_h"), base.get("id.orig_p"), base.get("id.resp_h")),
            number,
        )
        if kind in _QUERY:
            for question in _questions(dns) or [{}]:
                yield from self._ask(key, base | question)
        elif kind in _ANSWER:
            yield from self._answer(key, dns, base)

    def _ask(self, key: _Key, query: Record) -> Converted:
        _, waiting = self._pending.setdefault(key, (self.place, []))
        waiting.append(_Asked(query, self.place, self.now))
        if len(waiting) > MAX_SAME:
            self.evicted += 1
            yield from self._out(waiting.pop(0))
        if len(self._pending) > self.max_pending:
            _, (_, given_up) = self._pending.popitem(last=False)
            self.evicted += len(given_up)
            yield from self._out(*given_up)

    def _out(self, *given_up: _Asked) -> Converted:
        for asked in given_up:
            self._reached(asked.place)
            yield "dns", asked.record

    def _reached(self, place: int) -> None:
        self.reach = place if self.reach is None else min(self.reach, place)

    def _answer(self, key: _Key, dns: Event, base: Record) -> Converted:
        response = _response(dns)
        answered = base.get("ts")
        for question in _questions(dns) or [{}]:
            record = self._take(key, question.get("query"))
            if record is None:
                record = base | question
            elif answered is not None and record.get("ts") is not None and answered >= record["ts"]:
                record["rtt"] = answered - record["ts"]
            yield "dns", record | response

    def _take(self, key: _Key, name: object) -> Record | None:
        """The oldest query that an answer to ``name`` (None: to anything) can be for."""
        _, waiting = self._pending.get(key, (0, None))
        if waiting is None:
            return None
        for number, asked in enumerate(waiting):
            if name is None or asked.record.get("query") in (name, None):
                del waiting[number]
                if not waiting:
                    del self._pending[key]
                self._reached(asked.place)
                return asked.record
        return None

    def _expire(self, now: float | None) -> Converted:
        while self._pending and now is not None:
            key = next(iter(self._pending))
            asked = self._pending[key][1][-1].record.get("ts")
            if asked is not None and asked > now - PATIENCE:
                return
            yield from self._out(*self._pending.pop(key)[1])

    def expire(self, now: float) -> Converted:
        """The queries that have waited for ``PATIENCE`` seconds by the reader's clock, as in a quiet stream."""
        while self._pending:
            key = next(iter(self._pending))
            if self._pending[key][1][-1].arrived > now - PATIENCE:
                return
            yield from self._out(*self._pending.pop(key)[1])

    def low(self) -> int | None:
        """The least place of the queries that wait; None where none does."""
        least: int | None = None
        for first, waiting in self._pending.values():
            # Keys stand in the order of their first queries.
            if least is not None and first >= least:
                break
            here = min(asked.place for asked in waiting)
            least = here if least is None else min(least, here)
        return least

    def before(self, place: int) -> Converted:
        """The waiting queries that were asked before a place, which are given up."""
        for key, (first, waiting) in list(self._pending.items()):
            if first >= place:
                return
            old = [asked for asked in waiting if asked.place < place]
            waiting[:] = waiting[len(old) :]
            if not waiting:
                del self._pending[key]
            yield from self._out(*old)

    def flush(self) -> Converted:
        """The queries that still wait, at the end of the input."""
        while self._pending:
            _, (_, waiting) = self._pending.popitem(last=False)
            yield from self._out(*waiting)


def _questions(dns: Event) -> list[Record]:
    """The questions: one beside the other fields in version 2, a list in version 3 and in mdns."""
    found = []
    for question in objects(dns, "queries") or objects(dns, "query") or [dns]:
        record: Record = {}
        put(record, query=text(question, "rrname"), qtype_name=text(question, "rrtype"))
        if record:
            found.append(record)
    return found


def _response(dns: Event) -> Record:
    """What an answer adds to its query's record."""
    record: Record = {}
    for name, field in (("AA", "aa"), ("TC", "tc"), ("RD", "rd"), ("RA", "ra")):
        record[name] = flag(dns, field) or False
    answers, ttls = [], []
    for answer in objects(dns, "answers"):
        value = _rdata(answer)
        if value is not None:
            answers.append(value)
            ttls.append(float(whole(answer, "ttl") or 0))
    if not answers:
        answers = _grouped(child(dns, "grouped"))
    put(record, rcode_name=text(dns, "rcode"), answers=answers, TTLs=ttls)
    return record


def _rdata(answer: Event) -> str | None:
    """An answer's value: an address, a name or a text; of SOA and SRV the name in them, as Zeek has it."""
    value = text(answer, "rdata")
    if value is not None:
        return (address(value) or value) if ":" in value else value
    for kind, name in (("srv", "name"), ("soa", "mname")):
        if (target := text(child(answer, kind), name)) is not None:
            return target
    # mdns has the value under its type's name.
    return text(answer, "ptr") or address(answer.get("a")) or address(answer.get("aaaa"))


def _grouped(grouped: Event) -> list[str]:
    """Answers in the form ``grouped``, by type."""
    found: list[str] = []
    for kind in grouped:
        found += [(address(value) or value) if ":" in value else value for value in texts(grouped, kind)]
        for value in objects(grouped, kind):
            name = text(value, "name") or text(value, "mname")
            if name is not None:
                found.append(name)
    return found
