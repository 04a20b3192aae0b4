##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of ntlm.log's fields.
	const ntlm_ecs: table[string] of string = {
		["username"] = "user.name",
		["domainname"] = "user.domain",
		["hostname"] = "source.domain",
		["server_dns_computer_name"] = "destination.domain",
		["success"] = "event.outcome",
	} &redef;
}

redef ecs += {["ntlm"] = ntlm_ecs};
