##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of kerberos.log's fields.
	const kerberos_ecs: table[string] of string = {
		["request_type"] = "event.action",
		["success"] = "event.outcome",
		["error_msg"] = "error.message",
	} &redef;
}

redef ecs += {["kerberos"] = kerberos_ecs};
