"""What the service tells of itself: status, health, readiness, and the metrics that are read off."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from prometheus_client import Counter

from threathunting import __version__
from threathunting.hunt.live.window import Window
from threathunting.intel.types import IndicatorType
from threathunting.service.live.arming import Arming
from threathunting.service.live.consume import ConsumePipeline
from threathunting.service.live.control import Control
from threathunting.service.live.follow import FollowPipeline
from threathunting.service.live.links import Links
from threathunting.service.live.running import Pipeline, Running
from threathunting.service.live.zeek_sensor import Sensor
from threathunting.service.status import InputStatus, OutputStatus, SensorStatus, Status

RATE_SECONDS = 10.0
"""Rates are over about so long."""

QUIET = 10.0
"""Seconds after which a thread that waits for an answer is not at work."""

SILENT = 120.0
"""Seconds after which a thread that shows no life counts as hanging."""


_NODE_COUNTERS = ("asked", "confirmed", "denied", "unverified", "held", "sampled", "released")


class Telling:
    """Reads the state off the parts; asked by the HTTP server's threads."""

    def __init__(
        self, running: Running, arming: Arming, pipelines: Sequence[Pipeline], control: Control
    ) -> None:
        self._running = running
        self._arming = arming
        self._pipelines = pipelines
        self._control = control
        self._started = time.time()
        self._told: dict[str, int] = {}
        self._looks: dict[str, list[tuple[float, int, int]]] = {}

    def unhealthy(self) -> list[str]:
        """Why the process should be restarted; nothing where all is well."""
        now = time.monotonic()
        reasons = []
        for part in (*self._pipelines, self._arming):
            if part.failed is not None:
                reasons.append(f"{part.name} failed: {type(part.failed).__name__}: {part.failed}")
            elif now - part.beat > SILENT:
                reasons.append(f"{part.name} has shown no life for {now - part.beat:.0f} s")
        return reasons

    def not_ready(self) -> list[str]:
        """Why it does not hunt yet, or not now."""
        reasons = self._arming.not_ready()
        for part in self._pipelines:
            if isinstance(part, ConsumePipeline) and not part.assigned_once:
                reasons.append(f"{part.name}: no partitions assigned yet ({part.state})")
            elif part.state.startswith(("failed", "trying", "waiting:")):
                reasons.append(f"{part.name}: {part.state}")
            elif (waited := time.monotonic() - part.beat) > QUIET:
                reasons.append(f"{part.name} has been waiting for {waited:.0f} s for Kafka to answer")
        if self._running.stopping.is_set():
            reasons.append("stopping")
        return reasons

    def refresh(self) -> None:
        """Bring the metrics up to date that are read off the parts. To be called every second or so."""
        metrics = self._running.metrics
        armed = self._arming.armed
        with armed.lock:
            counts = armed.store.counts()
        for type in IndicatorType:
            metrics.armed_indicators.labels(type.value).set(counts.get(type.value, 0))
        metrics.intel_ready.set(0 if self._arming.not_ready() else 1)
        windows = self._windows()
        metrics.window_records.set(sum(window.records for window in windows))
        metrics.window_bytes.set(sum(window.bytes for window in windows))
        for what, count in self._dropped().items():
            metrics.dropped_total.labels(what).inc(self._new(what, count))
        for sensor in self._sensors():
            self._refresh_sensor(sensor.status())
        for part in self._pipelines:
            if isinstance(part, ConsumePipeline):
                for (topic, number), lag in part.lags().items():
                    metrics.lag_records.labels(topic, str(number)).set(lag)
            elif isinstance(part, FollowPipeline):
                path = part.settings.path[0]
                metrics.lag_bytes.labels(path).set(part.lag())
                metrics.refuted_total.labels(path).inc(self._new(f"refuted {part.name}", part.refuted))

    def _refresh_sensor(self, status: SensorStatus) -> None:
        metrics, name = self._running.metrics, status.name
        metrics.sensor_armed.labels(name).set(status.armed)
        metrics.sensor_waiting.labels(name).set(status.waiting)
        for result in ("answered", "dropped"):
            count = getattr(status, f"questions_{result}")
            metrics.questions_total.labels(name, result).inc(self._new(f"{result} {name}", count))
        for node in status.nodes:
            metrics.node_indicators.labels(name, node.name).set(node.armed)
            metrics.node_complete.labels(name, node.name).set(node.complete)
            if node.mode != "compact":
                continue
            metrics.node_generation.labels(name, node.name).set(node.generation)
            metrics.node_filter_bytes.labels(name, node.name).set(node.filter_bytes)
            metrics.node_pending.labels(name, node.name).set(node.pending)
            metrics.node_waiting_records.labels(name, node.name).set(node.waiting_records)
            for what in _NODE_COUNTERS:
                new = self._new(f"{what} {name} {node.name}", getattr(node, what))
                metrics.node_questions_total.labels(name, node.name, what).inc(new)

    def _new(self, what: str, count: int) -> int:
        """How much is new of what a part has counted; it begins anew with each of its sessions."""
        new = count - self._told.get(what, 0)
        self._told[what] = count
        return new if new >= 0 else count

    def status(self) -> Status:
        """The whole object of ``/status``."""
        running, metrics = self._running, self._running.metrics
        inputs = [one for part in self._pipelines for one in self._inputs(part)]
        armed = self._arming.armed
        with armed.lock:
            counts = armed.store.counts()
        windows = self._windows()
        return Status(
            name=running.config.service.name,
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            now=time.time(),
            ready=not self.not_ready(),
            not_ready=self.not_ready(),
            unhealthy=self.unhealthy(),
            indicators=sum(counts.values()),
            armed=counts,
            intel=self._arming.status(),
            inputs=inputs,
            sensors=[sensor.status() for sensor in self._sensors()],
            outputs=self._outputs(),
            records=sum(one.records for one in inputs),
            sightings=_total(metrics.sightings_total),
            investigations=_total(metrics.investigations_total),
            conversations=_total(metrics.conversations_flagged_total),
            rejected_intel=_total(metrics.rejected_intel_total),
            bad_records=_total(metrics.bad_records_total),
            window_records=sum(window.records for window in windows),
            window_bytes=sum(window.bytes for window in windows),
            dropped={what: count for what, count in self._dropped().items() if count},
            commits=_total(metrics.commits_total),
            last_commit=max((part.last_commit for part in self._pipelines if part.last_commit), default=None),
            errors=running.problems.errors.last(),
            reloads=self._control.status,
        )

    def _sensors(self) -> list[Sensor]:
        return [sensor for part in self._pipelines if isinstance(part, Links) for sensor in part.sensors]

    def _windows(self) -> list[Window]:
        found = []
        for part in self._pipelines:
            if isinstance(part, ConsumePipeline):
                found += [stream.capture.window for stream in list(part.streams.values())]
            elif isinstance(part, FollowPipeline) and part.capture is not None:
                found.append(part.capture.window)
        return found

    def _dropped(self) -> dict[str, int]:
        tables = [
            part.table for part in self._pipelines if isinstance(part, ConsumePipeline | FollowPipeline)
        ]
        return {
            "window_records": sum(window.dropped for window in self._windows()),
            "flags": sum(table.dropped_keys for table in tables),
            "reasons": sum(table.dropped_reasons for table in tables),
            "truncated_results": self._running.outputs.cut,
            "allowed_intel": self._arming.armed.forgotten,
        }

    def _inputs(self, part: Pipeline) -> list[InputStatus]:
        if isinstance(part, FollowPipeline):
            records, size = self._rated(part.name, part.records, part.bytes)
            return [
                InputStatus(
                    kind="file",
                    name=", ".join(part.settings.path),
                    state=part.state,
                    lag=part.lag(),
                    records=part.records,
                    bytes=part.bytes,
                    bad_records=part.bad_records,
                    refuted=part.refuted,
                    records_per_second=records,
                    bytes_per_second=size,
                    last_record=part.last_record,
                    files=part.files(),
                )
            ]
        return (
            [self._topic(part, topic) for topic in part.topics] if isinstance(part, ConsumePipeline) else []
        )

    def _topic(self, part: ConsumePipeline, topic: str) -> InputStatus:
        count = part.counts[topic]
        records, size = self._rated(topic, count.records, count.bytes)
        return InputStatus(
            kind="topic",
            name=topic,
            state=part.state,
            lag=sum(lag for (name, _), lag in part.lags().items() if name == topic),
            records=count.records,
            bytes=count.bytes,
            bad_records=count.bad_records,
            records_per_second=records,
            bytes_per_second=size,
            last_record=count.last_record,
            partitions=sorted(number for name, number in list(part.streams) if name == topic),
        )

    def _rated(self, name: str, records: int, size: int) -> tuple[float, float]:
        """Records and bytes a second since the last look that is at least ten seconds old, or since the first."""
        now = time.monotonic()
        looks = self._looks.setdefault(name, [(now, 0, 0)])
        while len(looks) > 1 and now - looks[1][0] >= RATE_SECONDS:
            looks.pop(0)
        looks.append((now, records, size))
        then, before, size_before = looks[0]
        seconds = max(now - then, 0.001)
        return (records - before) / seconds, (size - size_before) / seconds

    def _outputs(self) -> list[OutputStatus]:
        metrics, outputs = self._running.metrics, self._running.outputs
        sent = {
            "sightings": _total(metrics.sightings_total),
            "investigations": _total(metrics.investigations_total),
        }
        found = [
            OutputStatus(
                kind="topic",
                name=topic,
                what=what,
                sent=sent[what],
                last_sent=self._running.last_sent.get(what),
            )
            for what, topic in outputs.topic_of.items()
        ]
        if outputs.folder is not None:
            found.append(
                OutputStatus(
                    kind="folder",
                    name=outputs.folder,
                    what="all",
                    sent=sum(sent.values()),
                    last_sent=max(self._running.last_sent.values(), default=None),
                )
            )
        return found


def _total(counter: Counter) -> int:
    """A counter's sum over its labels."""
    return int(
        sum(
            sample.value
            for metric in counter.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
    )
