##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of dns.log's fields.
	const dns_ecs: table[string] of string = {
		["proto"] = "network.transport",
		["trans_id"] = "dns.id",
		["query"] = "dns.question.name",
		["qclass_name"] = "dns.question.class",
		["qtype_name"] = "dns.question.type",
		["rcode_name"] = "dns.response_code",
		["opcode_name"] = "dns.op_code",
		["answers"] = "dns.answers.data",
		["TTLs"] = "dns.answers.ttl",
	} &redef;
}

redef ecs += {["dns"] = dns_ecs};
