##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of ssh.log's fields.
	const ssh_ecs: table[string] of string = {
		["auth_success"] = "event.outcome",
	} &redef;
}

redef ecs += {["ssh"] = ssh_ecs};
