"""How a Zeek behind a link stands, for people and for metrics."""

from __future__ import annotations

from threathunting.service.live.verdicts import Verdicts
from threathunting.service.status import NodeStatus, SensorStatus
from threathunting.zeek.compact import CompactSync
from threathunting.zeek.nodes import Node
from threathunting.zeek.protocol import Filters
from threathunting.zeek.sync import Sync

_NONE = Filters()


def sensor_status(
    name: str,
    client: str,
    version: str,
    sync: Sync,
    compact: CompactSync | None,
    verdicts: Verdicts,
    now: float,
) -> SensorStatus:
    """The state of one Zeek at ``now`` (monotonic). ``compact`` is None for one that is armed natively."""
    armed, waiting, full_sets, latency = sync.armed, sync.waiting, sync.full_sets, sync.latency
    if compact is not None:
        # Of subnets, which go beside it, there are few.
        full_sets, latency = compact.full_sets, compact.latency
        armed = armed and compact.armed
        waiting += compact.waiting
    return SensorStatus(
        name=name,
        version=version,
        mode="native" if compact is None else "compact",
        connected=sync.connected,
        armed=armed,
        waiting=waiting,
        missing=sync.missing(),
        full_sets=full_sets,
        renewals=0 if compact is None else compact.renewals,
        latency_ms=None if latency is None else round(latency * 1000, 1),
        questions_answered=verdicts.answered,
        questions_dropped=verdicts.dropped,
        questions_waiting=len(verdicts),
        answers_per_second=round(verdicts.per_second, 1),
        nodes=[_node(node, compact, client, sync.connected, now) for node in list(sync.nodes.values())],
    )


def _node(node: Node, compact: CompactSync | None, client: str, connected: bool, now: float) -> NodeStatus:
    about = node.about
    held = about.compact.get(client, _NONE)
    complete, lag = node.complete and connected, node.lag
    if compact is not None and about.sees_traffic:
        filled = compact.nodes.get(node.name)
        complete = complete and filled is not None and filled.complete
        lag = lag if filled is None or filled.lag is None else filled.lag
    return NodeStatus(
        name=node.name,
        role=about.role,
        boot=node.boot,
        complete=complete,
        armed=node.armed,
        sees_traffic=about.sees_traffic,
        modules=about.modules,
        lag_ms=None if lag is None else round(lag * 1000, 1),
        silent_seconds=round(now - node.seen, 1),
        mode=about.mode,
        generation=held.generation,
        building=held.building,
        filter_bytes=about.filter_bytes,
        asked=about.asked,
        confirmed=about.confirmed,
        denied=about.denied,
        unverified=about.unverified,
        pending=about.pending,
        waiting_records=about.waiting_records,
        held=about.held,
        sampled=about.sampled,
        released=about.released,
    )
