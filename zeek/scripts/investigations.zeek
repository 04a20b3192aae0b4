##! Investigation logs: filters on Zeek's own logs that let flagged conversations
##! through, each there while its module is on.

@load ./conversations
@load ./indicators
@load ./modules
@load ./normalized
@load ./store

module ThreatHunting;

export {
	## The name of our filter on every log.
	const filter_name = "threathunting";

	## What the policy hook of a log looks for, by the log's name. There is no filter
	## on it while nothing is flagged and nothing of these types is armed. A log that
	## isn't named here has its filter whenever anything is armed.
	const looks_for: table[string] of Intel::TypeSet = {} &redef;

	## Whether the policy hook of a log has something else to do.
	global watch: function(name: string, on: bool);

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

	## The policy hooks of logs whose module is on, while anything is armed.
	global policy_of: table[Log::ID] of Log::PolicyHook;

	## Those of these logs whose policy hook looks for something that is armed.
	global looking: set[Log::ID];

	## Whether conn.log, which has the most records, is among them.
	global conn_looks = F;

	## Whether we capture a log.
	global is_investigated: function(id: Log::ID): bool;
}

type Investigation: record {
	mod: string;
	id: Log::ID;
	name: string;
	filter: Log::Filter;
	# Whether the filter is there.
	on: bool &default=F;
};

global investigations: vector of Investigation = vector();

global watched: set[string];

function is_investigated(id: Log::ID): bool
	{
	for ( _, i in investigations )
		if ( i$id == id )
			return T;

	return F;
	}

function looks(i: Investigation): bool
	{
	if ( i$name !in looks_for )
		return T;

	for ( t in looks_for[i$name] )
		if ( t in types_in_store )
			return T;

	return F;
	}

function is_wanted(i: Investigation): bool
	{
	# A logger writes what workers send, by the filter of that name that it has itself.
	if ( ! sees_traffic() )
		return T;

	# While nothing is armed, logs are written as without us.
	if ( i$mod !in enable_module || ! at_work )
		return F;

	return capturing || i$name in watched || looks(i);
	}

function note_policy(i: Investigation)
	{
	delete looking[i$id];
	delete policy_of[i$id];

	if ( i$id == Conn::LOG )
		conn_looks = F;

	if ( ! sees_traffic() || i$mod !in enable_module || ! at_work )
		return;

	policy_of[i$id] = i$filter$policy;

	if ( ! looks(i) )
		return;

	add looking[i$id];

	if ( i$id == Conn::LOG )
		conn_looks = T;
	}

function apply(i: Investigation)
	{
	Log::remove_filter(i$id, filter_name);
	i$on = is_wanted(i);
	note_policy(i);

	if ( ! i$on )
		return;

	i$filter$field_name_map = normalized ? names_of(i$name, i$id) : table();
	Log::add_filter(i$id, i$filter);
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

# A log may be just being written, which is no moment to take a filter off it.
event ThreatHunting::drop_filters()
	{
	for ( _, i in investigations )
		if ( i$on && ! is_wanted(i) )
			apply(i);
	}

function apply_wanted()
	{
	local some_off = F;

	for ( _, i in investigations )
		{
		if ( i$on == is_wanted(i) )
			next;

		if ( i$on )
			some_off = T;
		else
			apply(i);
		}

	if ( some_off )
		event ThreatHunting::drop_filters();
	}

hook capturing_switched()
	{
	apply_wanted();
	}

hook type_switched(t: Intel::Type)
	{
	for ( _, i in investigations )
		note_policy(i);

	apply_wanted();
	}

function watch(name: string, on: bool)
	{
	if ( on )
		add watched[name];
	else
		delete watched[name];

	apply_wanted();
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
