"""What docs/running.md and the files for systemd and Compose say is what the code does."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from threathunting.kafka.connection import Connection
from threathunting.service.config import load
from threathunting.service.intel_topic import Cluster, plans

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = 6


def test_the_table_of_topics_is_what_create_topics_makes() -> None:
    text = (REPOSITORY / "docs" / "running.md").read_text().replace(r"\|", "!")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    told = {row[0].strip("`"): row for row in rows if len(row) == 7}
    where = Cluster(Connection(brokers=["kafka:9092"]), "intelligence", None)
    for plan in plans(where, RESULTS, unkeyed=False):
        _, _, _, _, partitions, cleanup, _ = told[plan.name]
        assert re.search(r"\d+", partitions), plan.name
        assert int(re.search(r"\d+", partitions)[0]) == plan.partitions, plan.name  # type: ignore[index]
        assert ("exactly" in partitions) == plan.exactly, plan.name
        assert cleanup.startswith(plan.settings["cleanup.policy"]), plan.name
        days = re.search(r"(\d+) days", cleanup)
        kept = plan.settings.get("retention.ms") or plan.settings.get("delete.retention.ms")
        assert (days and int(days[1]) * 86_400_000) == (kept and int(kept)), plan.name


def test_the_configuration_in_compose_is_one(tmp_path: Path) -> None:
    text = (REPOSITORY / "examples" / "compose.yaml").read_text()
    block = re.search(r"content: \|\n((?: {6}.*\n|\n)+)", text)
    assert block is not None
    path = tmp_path / "threathunting.toml"
    path.write_text(textwrap.dedent(block[1]))
    config = load(path)
    assert config.kafka is not None
    host = config.kafka.brokers[0]
    assert f"INSIDE://{host}" in text
    assert "127.0.0.1:9167:9167" in text
    assert config.http.address == ("0.0.0.0", 9167)
    assert config.service.state in text


def test_the_unit_gives_the_service_its_default_folder_and_time_to_drain() -> None:
    from threathunting.service.config_schema import Service
    from threathunting.service.live.service import DRAIN

    unit = (REPOSITORY / "examples" / "threathunting.service").read_text()
    keys = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))
    assert Service().state == f"/var/lib/{keys['StateDirectory']}"
    assert int(keys["TimeoutStopSec"]) > DRAIN
    compose = (REPOSITORY / "examples" / "compose.yaml").read_text()
    grace = re.search(r"stop_grace_period: (\d+)s", compose)
    assert grace is not None
    assert int(grace[1]) > DRAIN
