##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["rdp"] = table(["cookie"] = "user.name", ["client_name"] =
    "source.domain")};
