##! ECS names of fields. What has none stands under ``zeek.<log>.``; form and
##! type of values are left as Zeek writes them, the service that ships the logs
##! gives them those of ECS.

@load ./config

module ThreatHunting;

export {
	## ECS names of the fields that nearly every log has.
	const common_ecs: table[string] of string = {
		["ts"] = "@timestamp",
		["uid"] = "trace.id",
		["id.orig_h"] = "source.ip",
		["id.orig_p"] = "source.port",
		["id.resp_h"] = "destination.ip",
		["id.resp_p"] = "destination.port",
		["community_id"] = "network.community_id",
	};

	## ECS names of a log's own fields, by its name.
	const ecs: table[string] of table[string] of string = {} &redef;

	## Fields that only investigation logs have, by the log's name.
	const own_fields: table[string] of set[string] = {} &redef;

	## Every field of a log that has another name in ECS.
	global names_of: function(name: string, id: Log::ID): table[string] of string;

	## Every field of a log, with its name in ECS.
	global fields_of: function(id: Log::ID): vector of string;
}

function add_fields(fields: vector of string, prefix: string, rt: any,
    depth: count)
	{
	for ( name, about in record_fields(rt) )
		{
		if ( ! about$log )
			next;

		if ( depth < 4 && /^record / in about$type_name )
			add_fields(fields, prefix + name + ".", sub(about$type_name, /^record /, ""),
			    depth + 1);
		else
			fields += prefix + name;
		}
	}

function fields_of(id: Log::ID): vector of string
	{
	local fields: vector of string = vector();

	if ( id in Log::active_streams )
		add_fields(fields, "", Log::active_streams[id]$columns, 0);

	return fields;
	}

function names_of(name: string, id: Log::ID): table[string] of string
	{
	local names: table[string] of string = table();
	local fields = fields_of(id);

	if ( name in own_fields )
		for ( own in own_fields[name] )
			fields += own;

	for ( _, field in fields )
		{
		if ( name in ecs && field in ecs[name] )
			names[field] = ecs[name][field];
		else if ( field in common_ecs )
			names[field] = common_ecs[field];
		else
			names[field] = fmt("zeek.%s.%s", name, field);
		}

	return names;
	}
