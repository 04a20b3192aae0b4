##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["ntlm"] = table(["username"] = "user.name", ["domainname"] =
    "user.domain", ["hostname"] = "source.domain", ["server_dns_computer_name"] =
    "destination.domain", ["success"] = "event.outcome")};
