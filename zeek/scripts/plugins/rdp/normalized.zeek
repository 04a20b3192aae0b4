##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of rdp.log's fields.
	const rdp_ecs: table[string] of string = {
		["cookie"] = "user.name",
		["client_name"] = "source.domain",
	} &redef;
}

redef ecs += {["rdp"] = rdp_ecs};
