"""What the service tells of itself: the object of ``/status``, and the small clocks and lists that fill it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec

KEPT_ERRORS = 20


class InputStatus(msgspec.Struct, kw_only=True):
    """A followed path or a topic of records."""

    kind: str
    """``file`` or ``topic``."""
    name: str
    """The path, glob or topic as configured."""
    state: str
    """One word or short sentence: ``reading``, ``waiting``, ``not assigned``, ``missing``."""
    lag: int = 0
    """Bytes of a file, records of a topic, that are there and not yet read."""
    records: int = 0
    bytes: int = 0
    bad_records: int = 0
    refuted: int = 0
    """Records that Zeek captured without an answer, and that nothing armed explains: not sent on."""
    records_per_second: float = 0.0
    bytes_per_second: float = 0.0
    last_record: float | None = None
    """When a record was last read, in seconds since the epoch."""
    files: int = 0
    partitions: list[int] = []
    """Those of a topic that this instance reads."""


class OutputStatus(msgspec.Struct, kw_only=True):
    """A topic or a folder for results."""

    kind: str
    """``topic`` or ``folder``."""
    name: str
    what: str
    """``sightings``, ``investigations``, ``sensors`` or ``all``."""
    sent: int = 0
    waiting: int = 0
    """Records not yet acknowledged."""
    failed: int = 0
    last_sent: float | None = None


class IntelFileStatus(msgspec.Struct, kw_only=True):
    """A file or folder of intel."""

    path: str
    items: int = 0
    refused: int = 0
    state: str = "read"
    read_at: float | None = None


class IntelStatus(msgspec.Struct, kw_only=True):
    """Where the intel comes from, and how far it is read."""

    topic: str | None = None
    ready: bool = False
    messages: int = 0
    position: int = 0
    """Messages of the topic that were read, over all partitions, deleted ones included."""
    end: int = 0
    """What ``position`` will be when all there is now is read."""
    files: list[IntelFileStatus] = []


class NodeStatus(msgspec.Struct, kw_only=True):
    """A node of a Zeek that holds intel."""

    name: str
    role: str
    boot: str
    complete: bool
    """Whether it has the full set, and has acknowledged it."""
    armed: int
    sees_traffic: bool
    modules: list[str] = []
    lag_ms: float | None = None
    """Milliseconds that its last acknowledgement took."""
    silent_seconds: float = 0.0
    mode: str = "native"
    """``native`` or ``compact``, as the node says. All that follows is of compact mode."""
    generation: int = 0
    """Of its live filters of ours; 0 for none."""
    building: int = 0
    """Of those that are being built beside them; 0 for none."""
    filter_bytes: int = 0
    asked: int = 0
    """Questions since its boot; and so are all counters here."""
    confirmed: int = 0
    denied: int = 0
    unverified: int = 0
    """Captured without an answer."""
    pending: int = 0
    """Questions without an answer as yet."""
    waiting_records: int = 0
    """Records that wait for an answer now."""
    held: int = 0
    """Records that waited for an answer."""
    sampled: int = 0
    """Sightings passed over: of what is seen very often, one in a hundred is taken."""
    released: int = 0
    """Conversations that waited no longer, as a bound was reached."""


class SensorStatus(msgspec.Struct, kw_only=True):
    """A Zeek behind one link."""

    name: str
    version: str = ""
    connected: bool = False
    armed: bool = False
    """Whether every node that sees traffic has acknowledged all there is."""
    waiting: int = 0
    """Changes not yet acknowledged by all."""
    missing: list[str] = []
    """Nodes that should be there and aren't."""
    full_sets: int = 0
    mode: str = "native"
    """As configured. What follows, up to the nodes, is of compact mode."""
    renewals: int = 0
    """Filters built anew, though they had all."""
    questions_answered: int = 0
    questions_dropped: int = 0
    """Of so many that waited at once that the oldest had to go."""
    questions_waiting: int = 0
    answers_per_second: float = 0.0
    latency_ms: float | None = None
    nodes: list[NodeStatus] = []


class ErrorStatus(msgspec.Struct, kw_only=True):
    """Something that went wrong, the last time it did, and how often."""

    what: str
    """A sentence."""
    last: float
    """Seconds since the epoch."""
    first: float
    count: int = 1


class ReloadStatus(msgspec.Struct, kw_only=True):
    """What came of changes of the configuration file."""

    applied: int = 0
    refused: int = 0
    last: float | None = None
    error: str | None = None
    """Why the file as it is now was refused, one line per problem; None where it is in force."""
    waiting: list[str] = []
    """Keys that changed and need a restart."""


class Status(msgspec.Struct, kw_only=True):
    """The whole object. Times are seconds since the epoch; counts are since the start."""

    name: str
    version: str
    pid: int
    started: float
    now: float
    ready: bool
    not_ready: list[str] = []
    """Why it isn't, in sentences."""
    unhealthy: list[str] = []
    indicators: int = 0
    armed: dict[str, int] = {}
    """Indicators by type."""
    intel: IntelStatus = msgspec.field(default_factory=IntelStatus)
    inputs: list[InputStatus] = []
    sensors: list[SensorStatus] = []
    outputs: list[OutputStatus] = []
    records: int = 0
    sightings: int = 0
    investigations: int = 0
    conversations: int = 0
    rejected_intel: int = 0
    bad_records: int = 0
    window_records: int = 0
    window_bytes: int = 0
    dropped: dict[str, int] = {}
    """What bounds kept out, by what it is."""
    commits: int = 0
    last_commit: float | None = None
    errors: list[ErrorStatus] = []
    """The last first."""
    reloads: ReloadStatus = msgspec.field(default_factory=ReloadStatus)


class Errors:
    """The last 20 different things that went wrong. Any thread may tell one."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_text: OrderedDict[str, ErrorStatus] = OrderedDict()

    def tell(self, what: str, detail: str | None = None) -> None:
        """Add a sentence, or count it again. Of what differs in its detail only, the last is kept."""
        now = self._clock()
        shown = what if detail is None else f"{what}: {detail}"
        with self._lock:
            error = self._by_text.get(what)
            if error is None:
                self._by_text[what] = ErrorStatus(what=shown, first=now, last=now)
                if len(self._by_text) > KEPT_ERRORS:
                    self._by_text.popitem(last=False)
            else:
                error.what = shown
                error.count += 1
                error.last = now
                self._by_text.move_to_end(what)

    def last(self) -> list[ErrorStatus]:
        """All that are kept, the last first."""
        with self._lock:
            return [msgspec.structs.replace(error) for error in reversed(self._by_text.values())]


class Rate:
    """How much a second, over about the last ten seconds. Memory doesn't grow with how much."""

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began = clock()
        self._step = seconds / 20
        self._slots: deque[list[float]] = deque()

    def add(self, amount: float) -> None:
        """Count what has just come."""
        now = self._clock()
        if self._slots and now - self._slots[-1][0] < self._step:
            self._slots[-1][1] += amount
        else:
            self._slots.append([now, amount])
            self._forget(now)

    def per_second(self) -> float:
        """The rate now."""
        now = self._clock()
        self._forget(now)
        span = min(self._seconds, max(now - self._began, self._step))
        return sum(amount for _, amount in list(self._slots)) / span

    def _forget(self, now: float) -> None:
        while self._slots and now - self._slots[0][0] > self._seconds:
            self._slots.popleft()
