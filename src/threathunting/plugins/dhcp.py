"""DHCP: addresses asked for and given, names of clients (dhcp.log). One record may be of several uids."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="DHCP",
    logs=(
        Log(
            name="dhcp",
            seen=(
                *(
                    Seen("DHCP::IN_CLIENT_ADDR", IndicatorType.ADDR, (field,))
                    for field in ("client_addr", "requested_addr", "assigned_addr")
                ),
                Seen("DHCP::IN_SERVER_ADDR", IndicatorType.ADDR, ("server_addr",)),
                Seen("DHCP::IN_HOST_NAME", IndicatorType.DOMAIN, ("host_name",)),
                Seen("DHCP::IN_HOST_NAME", IndicatorType.DOMAIN, ("client_fqdn",)),
                # Fields of policy/protocols/dhcp/software.
                Seen("DHCP::IN_SOFTWARE", IndicatorType.SOFTWARE, ("client_software",)),
                Seen("DHCP::IN_SOFTWARE", IndicatorType.SOFTWARE, ("server_software",)),
            ),
            uids=("uids",),
            ecs={
                "client_addr": "client.ip",
                "server_addr": "server.ip",
                "mac": "client.mac",
                "host_name": "client.domain",
                "duration": "event.duration",
            },
            constants={
                "event.category": ["network"],
                "event.type": ["connection", "protocol"],
                "network.protocol": "dhcp",
            },
        ),
    ),
)
