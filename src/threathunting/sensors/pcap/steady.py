"""Makes the EVE file of a capture the same in every run, so that its conversations bear the same uids."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import BinaryIO

HEADER = 600
"""Bytes of an event in which its type and what it comes from stand, if at all."""

_FLOW_ID = re.compile(rb'"flow_id":(\d{1,19})(?=[,}])')
_PARENT_ID = re.compile(rb'"parent_id":(\d{1,19})(?=[,}])')
_COMMUNITY_ID = re.compile(rb'"community_id":"([^"]{1,64})"')
_FLOW_EVENT = b'"event_type":"flow"'
_AT_FLOWS_END = b'"pkt_src":"stream (flow timeout)"'
_TIME = rb'":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})'
_START = re.compile(rb'"start' + _TIME)
_TIMESTAMP = re.compile(rb'"timestamp' + _TIME)

FLOW_BITS, OFFSET_BITS = 64, 44


def make_steady(eve: Path) -> None:
    """Rewrite an EVE file with flow ids and an order that don't hang on chance.

    Suricata makes flow ids of a flow's start and a hash with a random seed: the Community ID takes the hash's
    place. What it writes at a flow's end comes in the hash's order: that goes to the file's end, by time, and
    flow events last, by the flow's start.
    """
    steady, late = eve.with_suffix(".steady"), eve.with_suffix(".late")
    new_of: dict[bytes, bytes] = {}
    with eve.open("rb") as events, steady.open("wb") as out, late.open("w+b") as held:
        order = _split(events, out, held, new_of)
        order.sort()
        for key in order:
            held.seek(key & ((1 << OFFSET_BITS) - 1))
            out.write(_with_parent(held.readline(), new_of))
    late.unlink()
    steady.replace(eve)


def _split(events: BinaryIO, out: BinaryIO, late: BinaryIO, new_of: dict[bytes, bytes]) -> list[int]:
    """Write what comes at a flow's end to ``late`` and all else to ``out``, with steady flow ids.

    Of each late event a key to sort by: whether it is a flow event, time, flow id and offset in ``late``, in
    one number, which takes the least memory. ``new_of`` gets the new ids of all flows.
    """
    order: list[int] = []
    at = 0
    for event in events:
        line = _with_flow(event, new_of)
        is_flow = line.find(_FLOW_EVENT, 0, HEADER) >= 0
        if not is_flow and line.find(_AT_FLOWS_END, 0, HEADER) < 0:
            out.write(_with_parent(line, new_of))
            continue
        time, flow = (_START if is_flow else _TIMESTAMP).search(line), _FLOW_ID.search(line)
        key = int(time[1].translate(None, b"-T:.")) if time else 0
        key += is_flow * 10**20
        key = key << FLOW_BITS | (int(flow[1]) if flow else 0)
        order.append(key << OFFSET_BITS | at)
        at += late.write(line)
    return order


def _with_flow(line: bytes, new_of: dict[bytes, bytes]) -> bytes:
    """An event with its flow's steady id."""
    flow = _FLOW_ID.search(line)
    if flow is None:
        return line
    new = new_of.get(flow[1])
    if new is None:
        community = _COMMUNITY_ID.search(line)
        if community is None:
            return line
        start = int(flow[1]) >> 32
        new = new_of[flow[1]] = b"%d" % (start << 32 | zlib.crc32(community[1]))
    return line[: flow.start(1)] + new + line[flow.end(1) :]


def _with_parent(line: bytes, new_of: dict[bytes, bytes]) -> bytes:
    """An event with the steady id of the flow that its own belongs to, where there is one."""
    parent = _PARENT_ID.search(line, 0, HEADER)
    if parent is None or parent[1] not in new_of:
        return line
    return line[: parent.start(1)] + new_of[parent[1]] + line[parent.end(1) :]
