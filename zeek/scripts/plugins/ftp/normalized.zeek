##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of ftp.log's fields.
	const ftp_ecs: table[string] of string = {
		["user"] = "user.name",
		["command"] = "event.action",
		["mime_type"] = "file.mime_type",
		["file_size"] = "file.size",
	} &redef;
}

redef ecs += {["ftp"] = ftp_ecs};
