"""Records from growing files, results to Kafka and files: at least once, with the same ids."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from threathunting.hunt.live import Capture, FlagTable, Found, Raised
from threathunting.hunt.live.shipping import Shipping
from threathunting.kafka.limits import message_limits
from threathunting.kafka.producer import Writer
from threathunting.sensors.follow import Chunk, FileState, Follower
from threathunting.service.config_schema import Follow
from threathunting.service.live.running import Pipeline, Running
from threathunting.service.live.state import State

BUDGET = 4_000_000
"""Bytes read between two looks at the clock."""

IDLE = 0.02
"""Seconds between looks at files that don't grow."""

BUSY, QUIET = 1.0, 10.0
"""Seconds between checkpoints where nothing was found: while records come, and while none do."""

DRAIN = 15.0
"""Seconds that a stopping service waits for the broker; what is then not acknowledged is read again next time."""

_COMPLAIN = 5.0

_decoder = msgspec.json.Decoder(FileState)


class FollowPipeline(Pipeline):
    """One ``[[follow]]``: its files, its window and flags, and the checkpoints of both.

    Results are acknowledged by the broker and on the disk before the checkpoint says that their records are
    done. So a crash in between makes results come twice, with the same ids, and never loses one.
    """

    def __init__(self, running: Running, settings: Follow, state: State) -> None:
        super().__init__("follow " + ", ".join(settings.path), running)
        self.settings = settings
        self._state = state
        self._source = "|".join(settings.path)
        self.follower: Follower | None = None
        self.capture: Capture | None = None
        self.table = FlagTable()
        self.records = 0
        self.bytes = 0
        self.bad_records = 0
        self.refuted = 0
        """Records that Zeek captured without an answer, and nothing armed explains, in this session."""
        self.last_record: float | None = None

    def lag(self) -> int:
        """Bytes that are there and not yet read."""
        follower = self.follower
        return 0 if follower is None else follower.lag

    def files(self) -> int:
        """Files that are followed."""
        follower = self.follower
        return 0 if follower is None else len(follower.files)

    def session(self) -> None:
        """See ``Pipeline``."""
        running, settings = self.running, self.settings
        hunt = running.config.hunt
        self.table = FlagTable(hunt.max_conversations, hunt.conversation_idle)
        for raised in self._state.flags(self._source):
            self.table.tell(raised)
        self.capture = Capture(self._source, self.table, running.hunter, running.bounds())
        self._shipping = Shipping(
            self._source, self.table, running.hunter, running.bounds(), running.ready.is_set
        )
        self.follower = Follower(
            settings.path,
            rotated=settings.rotated,
            known=running.hunter.registry.logs.keys(),
            begin=settings.begin,
            saved=[_decoder.decode(data) for data in self._state.files(self._source)],
        )
        self._writer: Writer | None = None
        self._found = Found()
        # What there was at the start is to be known also after a kill before the first record.
        self._dirty = True
        self._last_commit = time.monotonic()
        self.state = "reading"
        try:
            while not running.stopping.is_set():
                self._step()
            self._commit(drain=True)
        finally:
            self.follower.close()
            if self._writer is not None:
                self._writer.close()

    def _step(self) -> None:
        self.beat = time.monotonic()
        assert self.follower is not None
        assert self.capture is not None
        format = self.running.config.output.format
        self.capture.write_as(format)
        self._shipping.write_as(format)
        chunks = self.follower.poll(BUDGET, self.running.hunter.wanted())
        for chunk in chunks:
            self._take(chunk)
        self._keep(self._shipping.tick(time.monotonic()))
        self.refuted = self._shipping.refuted
        commit = self.running.config.commit
        elapsed = time.monotonic() - self._last_commit
        results = len(self._found.lines)
        if (
            (results and elapsed >= commit.interval)
            or results >= commit.max_records
            or elapsed >= (BUSY if self._dirty else QUIET)
        ):
            self._commit()
        elif not chunks:
            self.running.stopping.wait(IDLE)

    def _take(self, chunk: Chunk) -> None:
        assert self.capture is not None
        settings = self.settings
        self._dirty = True
        size = max(chunk.end - chunk.start, 1)
        rows = sum(map(len, chunk.batches)) or 1
        for batch in chunk.batches:
            if chunk.kind == "records" and settings.hunt:
                share = size * len(batch) // rows
                self._keep(self.capture.take(batch, chunk.key, chunk.start, share, chunk.again))
            elif chunk.kind == "intel" and settings.ship and not chunk.again:
                self._keep(self._shipping.learn(batch))
            elif chunk.kind == "investigation" and settings.ship:
                self._keep(self._shipping.ship(batch, chunk.key, chunk.start))
        if not chunk.again:
            self._count(chunk)

    def _count(self, chunk: Chunk) -> None:
        metrics, report = self.running.metrics, chunk.report
        label = self.settings.path[0]
        self.records += report.records
        self.bytes += chunk.end - chunk.start
        self.last_record = time.time()
        metrics.records_total.labels(label).inc(report.records)
        metrics.bytes_total.labels(label).inc(chunk.end - chunk.start)
        if report.bad_records:
            self.bad_records += report.bad_records
            metrics.bad_records_total.labels(label).inc(report.bad_records)
            self.running.aside.keep((one.path, one.offset, one.reason, one.raw) for one in report.rejected)
            first = report.rejected[0].reason if report.rejected else "see the report"
            self.running.problems.tell(
                chunk.path, f"{report.bad_records} lines hold no record, the first: {first}"
            )
        for error in report.errors:
            self.running.problems.tell(self.name, error)

    # Results

    def _keep(self, found: Found) -> None:
        if not found.lines and not found.flags:
            return
        outputs = self.running.outputs
        if outputs.topics:
            writer = self._writing(outputs.topics)
            for out in outputs.messages(found.lines):
                writer.produce(*out)
        self._found.add(found)
        self._dirty = True

    def _writing(self, topics: Sequence[str]) -> Writer:
        running = self.running
        connection = running.config.kafka
        assert connection is not None
        if self._writer is None:
            self._writer = Writer(
                connection, running.config.service.name, lambda text: running.problems.tell(self.name, text)
            )
        if running.outputs.limits_wanted():
            running.outputs.know_limits(message_limits(connection, topics))
        return self._writer

    def _commit(self, drain: bool = False) -> None:
        assert self.follower is not None
        found, self._found = self._found, Found()
        began = time.monotonic()
        outputs = self.running.outputs
        outputs.append(found.lines)
        outputs.sync()
        if self._writer is not None and not self._acknowledged(self._writer, drain):
            return
        for problem in self.follower.news():
            self.running.problems.tell(self.name, problem)
        flags = {(flag.kind, flag.key): flag for flag in found.flags}
        assert self.capture is not None
        forgotten = self.table.expire(self.capture.time)
        files, gone = self.follower.changes(self._low)
        self._state.save(
            self._source,
            [(state.key, msgspec.json.encode(state)) for state in files],
            gone,
            [self._whole(flag) for flag in flags.values()],
            forgotten,
        )
        self._dirty = False
        self._last_commit = time.monotonic()
        self.running.count(found)
        self.committed(self.settings.path[0], self._last_commit - began)

    def _acknowledged(self, writer: Writer, drain: bool) -> bool:
        """Wait for the broker; nothing more is read meanwhile, as what waits must stay bounded."""
        began = complained = time.monotonic()
        while not writer.flush(0.2):
            self.beat = now = time.monotonic()
            if now - complained > _COMPLAIN:
                complained = now
                self.state = f"waiting for the broker since {now - began:.0f} s"
                self.running.problems.tell(
                    self.name,
                    f"Kafka doesn't acknowledge results ({len(writer)} wait); reading is paused until it does",
                )
            if (drain or self.running.stopping.is_set()) and now - began > DRAIN:
                self.running.problems.tell(
                    self.name,
                    f"stopping without acknowledgement of {len(writer)} results; they are made again at the next start",
                )
                return False
        self.state = "reading"
        return True

    def _low(self, key: str) -> int | None:
        assert self.capture is not None
        low, waiting = self.capture.low(key), self._shipping.low(key)
        return min((one for one in (low, waiting) if one is not None), default=None)

    def _whole(self, flag: Raised) -> Raised:
        """A flag with all of its reasons so far, as the saved one is replaced."""
        kept = self.table.of(flag.kind).get(flag.key)
        if kept is None:
            return flag
        return Raised(flag.kind, flag.key, flag.origin, kept.at, kept.reasons)
