##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of http.log's fields.
	const http_ecs: table[string] of string = {
		["host"] = "url.domain",
		["uri"] = "url.original",
		["username"] = "user.name",
		["method"] = "http.request.method",
		["version"] = "http.version",
		["referrer"] = "http.request.referrer",
		["user_agent"] = "user_agent.original",
		["request_body_len"] = "http.request.body.bytes",
		["response_body_len"] = "http.response.body.bytes",
		["status_code"] = "http.response.status_code",
	} &redef;
}

redef ecs += {["http"] = http_ecs};
