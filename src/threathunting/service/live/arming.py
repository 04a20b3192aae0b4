"""The thread that arms: the intel topic, the intel files, and what expires."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from threathunting.intel.allowlist import AllowList
from threathunting.intel.replay import Outcome, Refused, Replay, TopicMessage
from threathunting.kafka.intel_topic import IntelTopic
from threathunting.service.live.armed import Armed
from threathunting.service.live.intel_files import IntelFiles
from threathunting.service.live.rejected import Rejected
from threathunting.service.live.running import Pipeline, Running
from threathunting.service.live.state import State
from threathunting.service.live.tidying import PAUSE, Tidying
from threathunting.service.status import IntelStatus

_CHUNK = 500
"""Messages applied between two chances for others to use the store."""

MAX_BYTES = 100_000
"""Bytes of an intel message: an item is kept in memory, and written into every record that it was found in."""

_POLL = 0.2
_TICK = 1.0
_COMPLAIN = 30.0
"""Seconds between two warnings of the same trouble with the topic."""


class Arming(Pipeline):
    """Arms all intel there is, says when it has, and follows what comes.

    Every instance does so for itself, in no group, from the first message on: intel is never split, and a
    restart loses none.
    """

    def __init__(self, running: Running, armed: Armed, state: State) -> None:
        super().__init__("intel", running)
        self.armed = armed
        config = running.config
        self._files = IntelFiles(
            armed,
            running.problems.tell,
            None if config.intel.default_source == "unknown" else config.intel.default_source,
            config.intel.default_expire,
        )
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._files_read = False
        self._topic: IntelTopic | None = None
        # The allow-list is the store's own affair: what it holds back may come in later.
        self._replay = Replay(
            armed, default_source=config.intel.default_source, default_expire=config.intel.default_expire
        )
        self._rejected: Rejected | None = None
        if config.kafka is not None and config.intel.topic is not None:
            self._rejected = Rejected(running, config.kafka, config.intel.rejected, state)
        self._complained = 0.0
        self._complaint: str | None = None
        self._caught_up = False
        self._tidying = Tidying(armed)
        self._lag = 0

    # From other threads

    def files_changed(self, paths: Iterable[Path]) -> None:
        """These files are other than they were; they are read in this thread, soon."""
        moved = list(paths)
        self._tasks.put(lambda: self._files.changed(moved))

    def use_files(self, paths: Sequence[str]) -> None:
        """From now on these intel files."""
        self._tasks.put(lambda: self._files.use(paths))

    def use_allow_list(self, allow: AllowList | None) -> None:
        """From now on this allow-list."""
        self._tasks.put(lambda: self._swap(allow))

    def not_ready(self) -> list[str]:
        """Why not all intel is armed; nothing once it is."""
        reasons = []
        if not self._files_read:
            reasons.append("intel files are being read")
        topic = self._topic
        if self.running.config.intel.topic is not None and not self._caught_up:
            what = None if topic is None else topic.problem
            reasons.append(
                f"intel topic {self.running.config.intel.topic}: {what or 'not read to its end yet'}"
            )
        return reasons

    def status(self) -> IntelStatus:
        """How far the intel is read."""
        # Beside what messages came to, the counts tell what limits dropped.
        messages = sum(n for what, n in self._replay.counts.items() if not what.startswith("forgotten_"))
        return IntelStatus(
            topic=self.running.config.intel.topic,
            ready=not self.not_ready(),
            messages=messages,
            position=messages,
            end=messages + self._lag,
            files=self._files.status,
        )

    def close(self) -> None:
        """Let go of the intel, once nobody uses it any more."""
        try:
            self._files.close()
            self.armed.store.close()
        except OSError as error:
            self.running.problems.tell(self.name, str(error))

    # In this thread

    def run(self) -> None:
        """See ``threading.Thread``."""
        try:
            self._work()
            self.state = "stopped"
        except BaseException as error:
            self.failed = error
            self.running.problems.tell(self.name, f"an error of ours: {type(error).__name__}: {error}")
            self.running.log.warning("traceback", where=self.name, exc_info=error)

    def _work(self) -> None:
        running, config = self.running, self.running.config
        self.state = "reading"
        if config.kafka is not None and config.intel.topic is not None:
            self._topic = IntelTopic(config.kafka, config.intel.topic, instance=config.service.name)
        self._files.use(config.intel.files)
        self._files_read = True
        ticked = 0.0
        try:
            while not running.stopping.is_set():
                self.beat = now = time.monotonic()
                pause = PAUSE if self._tidying.more else _POLL
                if self._topic is None:
                    running.stopping.wait(pause)
                else:
                    self._apply(self._topic.poll(pause))
                    self._watch(self._topic, now)
                while not self._tasks.empty():
                    self._tasks.get()()
                if not running.ready.is_set() and not self.not_ready():
                    running.log.info("all intel is armed", indicators=len(self.armed))
                    running.ready.set()
                self._tidy()
                if now - ticked >= _TICK:
                    ticked = now
                    self._expire()
                    # Asked here, as librdkafka lets one thread wait for another.
                    self._lag = 0 if self._topic is None else self._topic.lag() or 0
                    if self._rejected is not None:
                        self._rejected.tick()
        finally:
            topic, self._topic = self._topic, None
            if topic is not None:
                topic.close()
            if self._rejected is not None:
                self._rejected.close()

    def _apply(self, told: Sequence[TopicMessage]) -> None:
        for begin in range(0, len(told), _CHUNK):
            now = time.time()
            with self.armed.lock:
                refused = [
                    (message, outcome.reason)
                    for message in told[begin : begin + _CHUNK]
                    if isinstance(outcome := self._judged(message, now), Refused)
                ]
            for message, reason in refused:
                self._refuse(message, reason)
        self.running.metrics.intel_messages_total.inc(len(told))

    def _judged(self, message: TopicMessage, now: float) -> Outcome | Refused:
        if message.value is not None and len(message.value) > MAX_BYTES:
            return Refused(f"{len(message.value)} bytes are too much; a message may have {MAX_BYTES}")
        return self._replay.apply(message, now)

    def _refuse(self, message: TopicMessage, reason: str) -> None:
        self.running.metrics.rejected_intel_total.inc()
        where = f"{message.topic}/{message.partition}"
        self.running.problems.tell(where, "an intel message is refused", reason)
        if self._rejected is not None and self._topic is not None:
            self._rejected.tell(message, reason, self._topic.id or "")

    def _watch(self, topic: IntelTopic, now: float) -> None:
        if topic.caught_up and not self._caught_up:
            self._caught_up = True
        problem = topic.problem
        if problem is not None and (problem != self._complaint or now - self._complained > _COMPLAIN):
            self._complained = now
            self.running.problems.tell(self.name, problem)
        self._complaint = problem

    def _expire(self) -> None:
        try:
            self.armed.expire()
        except OSError as error:
            # What has expired matches nothing, armed or not.
            self.running.problems.tell(self.name, str(error))

    def _tidy(self) -> None:
        try:
            self._tidying.step(time.monotonic())
        except OSError as error:
            self.running.problems.tell(self.name, str(error))

    def _swap(self, allow: AllowList | None) -> None:
        try:
            gone, back = self.armed.use_allow_list(allow)
        except OSError as error:
            self.running.problems.tell(self.name, f"the allow-list is applied in part only: {error}")
            return
        self.running.log.info("allow-list applied", disarmed=gone, armed_again=back)
