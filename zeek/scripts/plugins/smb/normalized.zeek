##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["smb_files"] = table(["action"] = "event.action", ["name"] =
    "file.path", ["size"] = "file.size", ["times.modified"] = "file.mtime", [
    "times.accessed"] = "file.accessed", ["times.created"] = "file.created", [
    "times.changed"] = "file.ctime")};
