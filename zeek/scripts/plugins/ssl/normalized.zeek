##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of ssl.log's fields.
	const ssl_ecs: table[string] of string = {
		["version"] = "tls.version",
		["cipher"] = "tls.cipher",
		["curve"] = "tls.curve",
		["server_name"] = "tls.client.server_name",
		["resumed"] = "tls.resumed",
		["established"] = "tls.established",
		["next_protocol"] = "tls.next_protocol",
		["subject"] = "tls.server.subject",
		["issuer"] = "tls.server.issuer",
		["client_subject"] = "tls.client.subject",
		["client_issuer"] = "tls.client.issuer",
		["ja3"] = "tls.client.ja3",
		["ja3s"] = "tls.server.ja3s",
	} &redef;
}

redef ecs += {["ssl"] = ssl_ecs};
