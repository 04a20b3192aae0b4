##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["ftp"] = table(["user"] = "user.name", ["command"] =
    "event.action", ["mime_type"] = "file.mime_type", ["file_size"] =
    "file.size")};
