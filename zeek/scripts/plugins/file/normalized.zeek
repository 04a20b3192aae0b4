##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of files.log's fields.
	const files_ecs: table[string] of string = {
		["duration"] = "event.duration",
		["filename"] = "file.name",
		["mime_type"] = "file.mime_type",
		["total_bytes"] = "file.size",
		["md5"] = "file.hash.md5",
		["sha1"] = "file.hash.sha1",
		["sha256"] = "file.hash.sha256",
	} &redef;
}

redef ecs += {["files"] = files_ecs};

export {
	## ECS names of pe.log's fields.
	const pe_ecs: table[string] of string = {
		["machine"] = "file.pe.architecture",
	} &redef;
}

redef ecs += {["pe"] = pe_ecs};
