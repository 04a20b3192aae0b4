"""Following logs as they grow, across rotation, truncation and restart."""

from threathunting.sensors.follow.follower import Begin, Follower
from threathunting.sensors.follow.state import Chunk, FileState, FileStatus, Kind

__all__ = ["Begin", "Chunk", "FileState", "FileStatus", "Follower", "Kind"]
