##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

redef ecs += {["dns"] = table(["proto"] = "network.transport", ["trans_id"] =
    "dns.id", ["query"] = "dns.question.name", ["qclass_name"] =
    "dns.question.class", ["qtype_name"] = "dns.question.type", ["rcode_name"] =
    "dns.response_code", ["opcode_name"] = "dns.op_code", ["answers"] =
    "dns.answers.data", ["TTLs"] = "dns.answers.ttl")};
