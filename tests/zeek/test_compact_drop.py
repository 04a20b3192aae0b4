"""Filters that are left over: nodes that tell of ours are asked to drop them until they have."""

from __future__ import annotations

from threathunting.zeek.compact_drop import Leftovers
from threathunting.zeek.protocol import About, Ack, Filters, State
from threathunting.zeek.sync import ACK_SECONDS


def state(node: str, *clients: str) -> State:
    return State(node, "1", About(compact={client: Filters(5) for client in clients}))


def test_only_nodes_with_filters_of_ours_are_asked_and_again_until_they_acknowledge() -> None:
    left = Leftovers("us", 10)
    left.state(state("worker-1", "us", "them"))
    left.state(state("worker-2", "them"))
    (event,) = left.due(0.0)
    assert (event.topic, event.name) == ("/threathunting/node/worker-1/", "ThreatHunting::compact_drop")
    left.state(state("worker-1", "us"))
    assert left.due(1.0) == []
    assert left.due(ACK_SECONDS) == [event]
    left.ack(Ack("worker-2", "1", int(str(event.args[2])), 0))
    left.ack(Ack("worker-1", "1", 1, 0))
    assert left.due(2 * ACK_SECONDS) == [event]
    left.ack(Ack("worker-1", "1", int(str(event.args[2])), 0))
    assert left.due(9 * ACK_SECONDS) == []


def test_a_state_without_them_is_as_good_as_an_acknowledgement_and_a_new_connection_begins_anew() -> None:
    left = Leftovers("us")
    for node in ("worker-1", "worker-2"):
        left.state(state(node, "us"))
    left.state(state("worker-1"))
    assert [event.topic for event in left.due(0.0)] == ["/threathunting/node/worker-2/"]
    left.disconnect()
    assert left.due(ACK_SECONDS) == []
    left.state(state("worker-2", "us"))
    assert len(left.due(ACK_SECONDS)) == 1
