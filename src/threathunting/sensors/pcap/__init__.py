"""Captures (pcap, pcapng): a network sensor reads them, and its logs are hunted in.

sensor = find_sensor(None)             # Zeek, else Suricata
result = run(capture, folder, sensor)  # result.logs are for sensors.discover
"""

from threathunting.sensors.pcap.capture import Check, check, looks_like_pcap, unpacked
from threathunting.sensors.pcap.process import SensorError
from threathunting.sensors.pcap.sensor import PcapResult, Sensor, find_sensor, run

__all__ = [
    "Check",
    "PcapResult",
    "Sensor",
    "SensorError",
    "check",
    "find_sensor",
    "looks_like_pcap",
    "run",
    "unpacked",
]
