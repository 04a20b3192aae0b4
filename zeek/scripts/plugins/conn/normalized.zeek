##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of conn.log's fields.
	const conn_ecs: table[string] of string = {
		["proto"] = "network.transport",
		["service"] = "network.protocol",
		["duration"] = "event.duration",
		["orig_bytes"] = "source.bytes",
		["orig_pkts"] = "source.packets",
		["resp_bytes"] = "destination.bytes",
		["resp_pkts"] = "destination.packets",
		["orig_l2_addr"] = "source.mac",
		["resp_l2_addr"] = "destination.mac",
		["vlan"] = "network.vlan.id",
		["inner_vlan"] = "network.inner.vlan.id",
	} &redef;
}

redef ecs += {["conn"] = conn_ecs};
