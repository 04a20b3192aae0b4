##! In a cluster: every node is armed by the link itself. What a site's own files
##! bring goes the framework's way, from the manager to the workers, and is kept
##! apart from what we armed.

@load base/frameworks/intel/cluster
@load ./link

# The framework would send the manager's whole store to a worker that joins, in
# place of what the worker has been armed with. It gets the site's own part below.
module Intel;

redef send_store_on_node_up = F;

module ThreatHunting;

export {
	## The manager tells a worker what a site's own files brought.
	global foreign_store: event(version: count, labels: vector of string,
	    their_levels: vector of count) &is_used;

	## An option of ours has a new value on the manager.
	global option_set: event(version: count, id: string, new_value: any) &is_used;

	## Tell the workers of an indicator that others than us brought.
	global publish_insert: function(item: Intel::Item) &is_used;

	## Tell the workers that it is gone.
	global publish_remove: function(item: Intel::Item) &is_used;

	## A worker was told of an indicator by the framework.
	global inserted_elsewhere: function(item: Intel::Item) &is_used;
}

@if ( Cluster::local_node_type() == Cluster::MANAGER )
# The configuration framework of Zeek 8.2 publishes on Broker's names of topics,
# also where the backend has others (ZeroMQ): changes reach nobody there but nodes
# that join later.
function spread_option(id: string, new_value: any): any
	{
	Cluster::publish(command_topic, ThreatHunting::option_set, protocol, id,
	    new_value);
	return new_value;
	}

event zeek_init() &priority=-20
	{
	for ( id in global_options() )
		if ( /^ThreatHunting::/ in id )
			Option::set_change_handler(id, spread_option, -150);
	}

event Cluster::node_up(name: string, id: string)
	{
	if ( name !in Cluster::nodes
	    || Cluster::nodes[name]$node_type != Cluster::WORKER )
		return;

	local labels: vector of string = vector();
	local told: vector of count = vector();

	for ( label, level in foreign )
		{
		labels += label;
		told += level;
		}

	Cluster::publish(Cluster::node_topic(name), ThreatHunting::foreign_store,
	    protocol, labels, told);
	}

hook settled(item: Intel::Item, kept: bool)
	{
	local label = label_of(item$indicator_type, item$indicator);

	if ( kept )
		# To the framework it wasn't new when a file brought it after us, so that
		# the workers haven't heard of it.
		publish_insert(item);
	else if ( label in foreign )
		{
		# The file's was removed while ours was there: the workers don't know.
		delete foreign[label];
		publish_remove(item);
		}
	}

module Intel;

function ThreatHunting::publish_insert(item: Intel::Item)
	{
	Cluster::publish(Cluster::worker_topic, Intel::insert_indicator, item);
	}

function ThreatHunting::publish_remove(item: Intel::Item)
	{
	Cluster::publish(Cluster::worker_topic, Intel::remove_indicator, item);
	}

# The store doesn't have it where the manager is new and not yet armed, or where a
# subdomain was seen.
event Intel::match_remote(s: Intel::Seen)
	{
	if ( s?$threathunting && ! find(s) )
		event Intel::match(s, ThreatHunting::items_of(s$threathunting));
	}

module ThreatHunting;
@endif

@if ( Cluster::local_node_type() == Cluster::WORKER )
function note_foreign(label: string, level: count)
	{
	if ( label !in foreign || foreign[label] < level )
		foreign[label] = level;
	}

event ThreatHunting::foreign_store(version: count, labels: vector of string,
    their_levels: vector of count)
	{
	local now_there: set[string] = set();

	for ( i, label in labels )
		{
		add now_there[label];
		note_foreign(label, their_levels[i]);
		store_insert(item_of(label, "site"));
		}

	local gone: vector of string = vector();

	for ( label, _ in foreign )
		if ( label !in now_there )
			gone += label;

	for ( _, label in gone )
		{
		delete foreign[label];

		if ( ! is_armed(label) )
			store_remove(item_of(label, "site"), F);
		}
	}

function inserted_elsewhere(item: Intel::Item)
	{
	local value = item$indicator;

	if ( item$indicator_type == Intel::ADDR )
		value = cat(to_addr(value));
	else if ( item$indicator_type == Intel::SUBNET )
		value = cat(to_subnet(value));

	note_foreign(label_of(item$indicator_type, to_lower(value)), item$meta?$level ?
	    level_of(item$meta$level) : 0);
	}

module Intel;

event Intel::insert_indicator(item: Intel::Item)
	{
	ThreatHunting::inserted_elsewhere(item);
	}

# Should another script make the framework send its store after all: ours goes in
# again.
event Intel::new_min_data_store(store: MinDataStore) &priority=-10
	{
	ThreatHunting::rearm_all();
	}

module ThreatHunting;
@endif

@if ( Cluster::local_node_type() != Cluster::MANAGER )
event ThreatHunting::option_set(version: count, id: string, new_value: any)
	{
	if ( /^ThreatHunting::/ in id )
		Option::set(id, new_value);
	}
@endif
