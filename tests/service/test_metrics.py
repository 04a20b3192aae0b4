"""Metrics and the page that documents them."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from threathunting import __version__
from threathunting.service.metrics import Metrics

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"\| `(\w+)` \| (\w+) \|(.*?)\| (.+) \|")


def name_of(metric: MetricWrapperBase) -> str:
    return next(iter(metric.describe())).name


def test_docs_and_registry_have_the_same_metrics() -> None:
    documented = {
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in ROW.findall(DOCS.read_text().partition("\n## ")[0])
    }
    metrics = Metrics()
    kept = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    there = {
        (
            name_of(metric).removeprefix("threathunting_") + ("_total" if metric._type == "counter" else ""),
            metric._type,
            metric._labelnames,
        )
        for metric in kept
    }
    assert there | {("build_info", "gauge", ("version", "python"))} == documented
    assert len(documented) > 20
    families = {family.name for family in metrics.registry.collect()}
    assert {name_of(metric) for metric in kept} | {"threathunting_build"} <= families


def test_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.records_total.labels("zeek").inc(3)
    metrics.sightings_total.labels(level="high", module="DNS").inc()
    metrics.lag_records.labels("zeek", 0).set(7)
    metrics.commit_seconds.observe(0.02)
    text = generate_latest(metrics.registry).decode()
    for line in (
        'threathunting_records_total{source="zeek"} 3.0',
        'threathunting_sightings_total{level="high",module="DNS"} 1.0',
        'threathunting_lag_records{partition="0",topic="zeek"} 7.0',
        'threathunting_commit_seconds_bucket{le="0.025"} 1.0',
        'threathunting_commit_seconds_bucket{le="0.01"} 0.0',
        "threathunting_intel_ready 0.0",
        'threathunting_config_reloads_total{result="refused"} 0.0',
    ):
        assert line in text.splitlines()
    assert f'version="{__version__}"' in text
    assert "_created" not in text
    assert "process_resident_memory_bytes" in text


def test_two_instances_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.kafka_errors_total.inc()
    assert other.registry.get_sample_value("threathunting_kafka_errors_total") == 0.0
    assert isinstance(one.commit_seconds, Histogram)
