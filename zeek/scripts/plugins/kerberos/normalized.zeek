##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["kerberos"] = table(["request_type"] = "event.action", ["success"] =
    "event.outcome", ["error_msg"] = "error.message")};
