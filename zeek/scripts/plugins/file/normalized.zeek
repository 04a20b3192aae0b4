##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["files"] = table(["duration"] = "event.duration", ["filename"] =
    "file.name", ["mime_type"] = "file.mime_type", ["total_bytes"] =
    "file.size", ["md5"] = "file.hash.md5", ["sha1"] = "file.hash.sha1", [
    "sha256"] = "file.hash.sha256")};

redef ecs += {["pe"] = table(["machine"] = "file.pe.architecture")};
