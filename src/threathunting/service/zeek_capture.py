"""A Zeek that hunts in a capture: our package loaded from our own files, all intel armed before the first packet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from threathunting.intel.store import Store
from threathunting.sensors.pcap import SensorError, check, unpacked
from threathunting.sensors.pcap.capture import beginning
from threathunting.sensors.pcap.process import run_child
from threathunting.sensors.pcap.seeds import seeds
from threathunting.sensors.pcap.zeek import OPTIONAL_POLICIES, PACKAGES
from threathunting.service.zeek_package import ENVIRONMENT, Zeek, package
from threathunting.zeek import protocol

BODY_BYTES = 65_536
"""Bytes captured of each HTTP body, unless told otherwise."""

_TOLD = "told.json"
_MAX_COMPLAINTS = 20

_SCRIPT = """\
# Made by threathunting. site/local is not loaded: parts of it make DNS look-ups.
@load tuning/json-logs
@load frameworks/files/hash-all-files
@load protocols/conn/community-id-logging
{optional}
@load {package}

@ifdef ( X509::log_x509_in_files_log )
redef X509::log_x509_in_files_log = T;
@endif
redef HTTP::proxy_headers += {{ "TRUE-CLIENT-IP", "CF-CONNECTING-IP", "X-REAL-IP", "X-CLIENT-IP" }};
redef Log::default_max_field_string_bytes = {field_bytes};
redef Log::default_max_total_string_bytes = {record_bytes};
redef ThreatHunting::arm_files = {{ {items} }};
redef ThreatHunting::compliance = T;
redef ThreatHunting::enable_module = {{ {modules} }};
redef ThreatHunting::http_body_bytes = {body_bytes};
redef ThreatHunting::max_conversations = {max_conversations};

module ThreatHuntingCapture;

global records = 0;
global armed = 0;

event file_new(f: fa_file)
    {{
    Files::add_analyzer(f, Files::ANALYZER_SHA256);
    }}

event Input::end_of_data(name: string, source: string) &priority=-10
    {{
    armed = ThreatHunting::armed_count();
    }}

# What a module that is off would have seen, is not seen.
hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=1000
    {{
    if ( ! ThreatHunting::hunts_at(s$where) )
        break;
    }}

hook Log::log_stream_policy(rec: any, id: Log::ID) &priority=1000
    {{
    if ( id !in set({no_evidence}) )
        ++records;
    }}

event zeek_done() &priority=-1000
    {{
    local told = open("{told}");
    print told, to_json([$records=records, $armed=armed, $dropped=ThreatHunting::dropped]);
    close(told);
    }}
"""

_NO_EVIDENCE = "Intel::LOG, PacketFilter::LOG, Reporter::LOG, Broker::LOG, Cluster::LOG"


@dataclass(frozen=True)
class Asked:
    """How Zeek is to hunt."""

    items: Path
    """File of batches to arm, made by ``write_items``."""
    modules: frozenset[str]
    max_conversations: int
    body_bytes: int = BODY_BYTES


@dataclass
class Hunted:
    """What Zeek left behind: its logs, and what it told. ``dropped`` counts by what it is of."""

    folder: Path
    records: int = 0
    """Records of the logs that Zeek would have written without us."""
    bytes: int = 0
    armed: int = 0
    """Indicators that were armed when the first packet came."""
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def sightings(self) -> Path:
        """Zeek's ``intel.log``; it isn't there where nothing was seen."""
        return self.folder / "intel.log"

    @property
    def investigations(self) -> list[Path]:
        """Zeek's investigation logs."""
        return sorted(self.folder.glob("*-investigation.log"))


class _Told(msgspec.Struct):
    records: int
    armed: int
    dropped: dict[str, int] = {}


def write_items(store: Store, path: Path) -> None:
    """All items of a store as the package reads them from a file: a batch of the link a line."""
    with path.open("wb") as out:
        for batch in _batches(protocol.entry(indicator, item) for indicator, item in store.items()):
            out.write(batch + b"\n")


def _batches(entries: Iterable[dict[str, object]]) -> Iterator[bytes]:
    held: list[dict[str, object]] = []
    for entry in entries:
        held.append(entry)
        if len(held) >= protocol.MAX_ITEMS:
            batch, count = protocol.packed(held)
            del held[:count]
            yield batch
    while held:
        batch, count = protocol.packed(held)
        del held[:count]
        yield batch


def hunt(zeek: Zeek, capture: Path, folder: Path, asked: Asked) -> Hunted:
    """Let Zeek hunt in a capture (plain or compressed), in ``folder``, which is empty.

    One that is cut short or damaged is hunted in up to there, and the warnings say so. Raises SensorError, an
    OSError, where Zeek can't read it or dies.
    """
    assert zeek.program is not None
    plain, problem = unpacked(capture.absolute(), folder)
    hunted = Hunted(folder, warnings=[f"{capture} {problem}"] if problem is not None else [])
    checked = check(plain)
    if checked.packets == 0:
        hunted.warnings.append(f"{capture} {checked.problem or 'holds no packets'}")
        return hunted
    if checked.problem is not None:
        hunted.warnings.append(f"{capture} {checked.problem}; what comes before was read")
        plain = beginning(plain, checked.end, folder)
    hunted.bytes = plain.stat().st_size
    script, numbers = folder / "capture.zeek", folder / "seeds"
    script.write_text(_script(zeek, asked))
    numbers.write_text(seeds(plain))
    # -C: captures from the sending host have wrong checksums.
    command: list[str | Path] = [zeek.program, "-C", "-G", numbers, "-r", plain, script]
    try:
        status, output = run_child("Zeek", command, folder, None, environment=ENVIRONMENT)
    except SensorError as error:
        raise SensorError(f"{capture}: {error}") from None
    complaints = [line.strip() for line in output.splitlines() if "error" in line or "ThreatHunting:" in line]
    if status != 0:
        reason = complaints[-1] if complaints else f"it ended with status {status}"
        raise SensorError(f"{capture}: Zeek could not hunt in it: {reason}")
    hunted.warnings += [f"{capture}: Zeek: {complaint}" for complaint in complaints[:_MAX_COMPLAINTS]]
    told = msgspec.json.decode((folder / _TOLD).read_bytes(), type=_Told)
    hunted.records, hunted.armed, hunted.dropped = told.records, told.armed, told.dropped
    return hunted


def _script(zeek: Zeek, asked: Asked) -> str:
    optional = [name for name in OPTIONAL_POLICIES if (zeek.scripts / "policy" / f"{name}.zeek").exists()]
    optional += [f"packages/{name}" for name in PACKAGES if (zeek.site / "packages" / name).exists()]
    field_bytes = max(asked.body_bytes, BODY_BYTES)
    return _SCRIPT.format(
        optional="\n".join(f"@load {name}" for name in optional),
        package=package(),
        items=json.dumps(str(asked.items)),
        modules=", ".join(json.dumps(name) for name in sorted(asked.modules)),
        body_bytes=asked.body_bytes,
        field_bytes=field_bytes,
        # Both bodies, and as much again for all other fields.
        record_bytes=4 * field_bytes,
        max_conversations=asked.max_conversations,
        no_evidence=_NO_EVIDENCE,
        told=_TOLD,
    )
