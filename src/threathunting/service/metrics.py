"""The service's numbers, for Prometheus. ``docs/metrics.md`` lists them."""

from __future__ import annotations

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from threathunting import __version__

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics, each an attribute, in a registry of their own. Labels are bounded by what is configured."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.records_total = self._counter("records", "Records read.", "source")
        self.bytes_total = self._counter("bytes", "Bytes of records read.", "source")
        self.bad_records_total = self._counter(
            "bad_records", "Records that could not be read and were kept aside.", "source"
        )
        self.sightings_total = self._counter(
            "sightings", "Observables that matched intel.", "level", "module"
        )
        self.investigations_total = self._counter("investigations", "Records captured.", "log")
        self.conversations_flagged_total = self._counter("conversations_flagged", "Conversations flagged.")
        self.rejected_intel_total = self._counter("rejected_intel", "Intel messages and entries refused.")
        self.intel_messages_total = self._counter("intel_messages", "Messages read from the intel topic.")
        self.intel_ready = self._gauge(
            "intel_ready", "1 once all intel there was at the start is armed, else 0."
        )
        self.armed_indicators = self._gauge("armed_indicators", "Indicators that are hunted for.", "type")
        self.sensor_armed = self._gauge(
            "sensor_armed", "1 while every node of a Zeek that sees traffic has all intel, else 0.", "sensor"
        )
        self.sensor_waiting = self._gauge(
            "sensor_waiting", "Changes of intel that a Zeek has not acknowledged yet.", "sensor"
        )
        self.node_indicators = self._gauge(
            "node_indicators", "Indicators that are armed on a node of a Zeek.", "sensor", "node"
        )
        self.node_complete = self._gauge(
            "node_complete", "1 while a node of a Zeek has all intel, else 0.", "sensor", "node"
        )
        self.node_generation = self._gauge(
            "node_generation", "Generation of the live filters of a node in compact mode.", "sensor", "node"
        )
        self.node_filter_bytes = self._gauge(
            "node_filter_bytes", "Bytes of the filters of a node in compact mode.", "sensor", "node"
        )
        self.node_pending = self._gauge(
            "node_pending", "Questions of a node in compact mode that have no answer yet.", "sensor", "node"
        )
        self.node_waiting_records = self._gauge(
            "node_waiting_records",
            "Records of a node in compact mode that wait for an answer.",
            "sensor",
            "node",
        )
        self.node_questions_total = self._counter(
            "node_questions", "What a node in compact mode counts of its questions.", "sensor", "node", "what"
        )
        self.questions_total = self._counter(
            "questions", "Questions of nodes in compact mode, 'answered' or 'dropped'.", "sensor", "result"
        )
        self.refuted_total = self._counter(
            "refuted", "Records that Zeek captured without an answer, and nothing armed explains.", "source"
        )
        self.lag_records = self._gauge(
            "lag_records", "Records of a partition not yet read.", "topic", "partition"
        )
        self.lag_bytes = self._gauge("lag_bytes", "Bytes of followed files not yet read.", "path")
        self.window_records = self._gauge("window_records", "Records in the look-behind window.")
        self.window_bytes = self._gauge("window_bytes", "Bytes of records in the look-behind window.")
        self.dropped_total = self._counter("dropped", "What bounds on memory kept out.", "what")
        self.commits_total = self._counter("commits", "Transactions and checkpoints made.", "source")
        self.commit_seconds = Histogram(
            "commit_seconds",
            "Seconds that a transaction or checkpoint took, with its acknowledgements.",
            namespace="threathunting",
            registry=self.registry,
            buckets=_COMMIT_SECONDS,
        )
        self.last_commit_timestamp = self._gauge(
            "last_commit_timestamp_seconds",
            "When the last transaction or checkpoint was made, since the epoch.",
        )
        self.kafka_errors_total = self._counter("kafka_errors", "Errors that Kafka clients reported.")
        self.config_reloads_total = self._counter(
            "config_reloads", "Changes of the configuration, by 'applied' or 'refused'.", "result"
        )
        build = Info("build", "The version that runs.", namespace="threathunting", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        ProcessCollector(registry=self.registry)
        for result in ("applied", "refused"):
            self.config_reloads_total.labels(result)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="threathunting", registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace="threathunting", registry=self.registry)
