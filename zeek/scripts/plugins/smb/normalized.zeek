##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of smb_files.log's fields.
	const smb_files_ecs: table[string] of string = {
		["action"] = "event.action",
		["name"] = "file.path",
		["size"] = "file.size",
		["times.modified"] = "file.mtime",
		["times.accessed"] = "file.accessed",
		["times.created"] = "file.created",
		["times.changed"] = "file.ctime",
	} &redef;
}

redef ecs += {["smb_files"] = smb_files_ecs};
