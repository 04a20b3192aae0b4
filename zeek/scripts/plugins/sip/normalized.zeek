##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of sip.log's fields.
	const sip_ecs: table[string] of string = {
		["method"] = "event.action",
		["uri"] = "url.full",
		["user_agent"] = "user_agent.original",
	} &redef;
}

redef ecs += {["sip"] = sip_ecs};
