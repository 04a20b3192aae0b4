"""SOFTWARE: programs that hosts were seen to use (software.log). It has no uid: a record stands alone."""

from threathunting.intel.types import IndicatorType
from threathunting.plugins._api import Log, Plugin, Seen

PLUGIN = Plugin(
    module="SOFTWARE",
    logs=(
        Log(
            name="software",
            seen=(
                Seen("SOFTWARE::IN_VERSION", IndicatorType.SOFTWARE, ("unparsed_version",)),
                Seen("SOFTWARE::IN_NAME", IndicatorType.SOFTWARE, ("name",)),
                Seen("SOFTWARE::IN_HOST", IndicatorType.ADDR, ("host",)),
                # A field of policy/protocols/http/detect-webapps.
                Seen("SOFTWARE::IN_URL", IndicatorType.URL, ("url",)),
            ),
            uids=(),
            ecs={"host": "source.ip", "host_p": "source.port"},
            constants={"event.category": ["network"], "event.type": ["info"]},
        ),
    ),
)
