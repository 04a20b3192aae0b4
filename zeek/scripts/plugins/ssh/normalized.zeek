##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["ssh"] = table(["auth_success"] = "event.outcome")};
