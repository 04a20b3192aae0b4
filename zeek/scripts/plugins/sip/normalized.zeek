##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["sip"] = table(["method"] = "event.action", ["uri"] =
    "url.full", ["user_agent"] = "user_agent.original")};
