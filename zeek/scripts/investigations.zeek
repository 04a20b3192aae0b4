##! Investigation logs: filters on Zeek's own logs that let flagged conversations
##! through, each there while its module is on.

@load ./conversations
@load ./indicators
@load ./modules
@load ./normalized

module ThreatHunting;

export {
	## The name of our filter on every log.
	const filter_name = "threathunting";

	## Capture a log.
	##
	## m: The module it belongs to.
	##
	## id: The log.
	##
	## name: Its name; the investigation log is ``<name>-investigation``.
	##
	## policy: A hook that breaks where a record's conversation isn't
	##         :zeek:see:`ThreatHunting::captured`.
	##
	## own_marks: What is told besides the log's fields; a function that returns a
	##        record which begins as :zeek:see:`ThreatHunting::Marks`.
	global investigate: function(m: string, id: Log::ID, name: string,
	    policy: Log::PolicyHook, exclude: set[string] &default=set(),
	    own_marks: any &default=current_marks);

	## The policy hooks of logs that are captured at this moment.
	global policy_of: table[Log::ID] of Log::PolicyHook;

	## Whether we capture a log.
	global is_investigated: function(id: Log::ID): bool;
}

type Investigation: record {
	mod: string;
	id: Log::ID;
	name: string;
	filter: Log::Filter;
};

global investigations: vector of Investigation = vector();

function is_investigated(id: Log::ID): bool
	{
	for ( _, i in investigations )
		if ( i$id == id )
			return T;

	return F;
	}

function apply(i: Investigation)
	{
	Log::remove_filter(i$id, filter_name);
	delete policy_of[i$id];

	# While nothing is armed, logs are written as without us. A logger writes what
	# workers send, by the filter of that name that it has itself.
	if ( sees_traffic() && ( i$mod !in enable_module || ! at_work ) )
		return;

	i$filter$field_name_map = normalized ? names_of(i$name, i$id) : table();
	Log::add_filter(i$id, i$filter);
	policy_of[i$id] = i$filter$policy;
	}

hook switched()
	{
	for ( _, i in investigations )
		apply(i);
	}

hook armed_switched()
	{
	for ( _, i in investigations )
		apply(i);
	}

function investigate(m: string, id: Log::ID, name: string,
    policy: Log::PolicyHook, exclude: set[string], own_marks: any)
	{
	add known_modules[m];
	local filter = Log::Filter($name=filter_name, $path=name + "-investigation",
	    $policy=policy, $ext_prefix="", $ext_func=own_marks);

	if ( |exclude| > 0 )
		filter$exclude = exclude;

	investigations += Investigation($mod=m, $id=id, $name=name, $filter=filter);
	}

event flush_captured()
	{
	for ( _, i in investigations )
		if ( i$mod in enable_module )
			Log::flush(i$id);
	}

function normalized_option(id: string, new_value: bool): bool
	{
	event ThreatHunting::modules_changed();
	return new_value;
	}

event zeek_init() &priority=-5
	{
	Option::set_change_handler("ThreatHunting::normalized", normalized_option,
	    -200);
	}
