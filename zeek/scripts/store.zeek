##! The Intelligence Framework's store on this very node.
##!
##! ``Intel::insert`` and ``Intel::remove`` send an event for every item to every
##! worker, and bursts of them drop. Here every node is told by the link itself
##! and keeps its own store, so that its acknowledgement is true.

@load ./seen
@load ./types

module ThreatHunting;

export {
	## Whether anything is armed, or still flagged.
	global at_work = T;

	## Called when that has changed.
	global armed_switched: hook();

	## Called when the first indicator of a type has come, or the last has gone.
	global type_switched: hook(t: Intel::Type);

	## How many conversations and files are flagged.
	global flagged_count: function(): count;

	## Whether it is us who change the store at this moment.
	global ours = F;

	## Indicators in the store by type, whoever brought them.
	global in_store: table[Intel::Type] of count &default=0;

	## Whether an address may be in the store, by itself or in a subnet.
	global addrs_in_store = F;

	## Hashes of files in the store by their number of digits.
	global hashes_in_store: table[count] of count &default=0;

	## URLs in the store that have no host, paths on any.
	global paths_in_store = 0;

	## Insert an item on this node alone.
	##
	## Returns: F where a site's :zeek:see:`Intel::filter_item` vetoes it.
	global store_insert: function(item: Intel::Item): bool;

	## Remove a source's item on this node alone.
	##
	## item: The item.
	##
	## keep: Whether the indicator stays all the same, as others hold it. A node
	##       that has metadata knows by itself.
	##
	## Returns: Whether other sources still hold the indicator here.
	global store_remove: function(item: Intel::Item, keep: bool): bool;

	## The subnets in the store that an address is in.
	global store_subnets: function(host: addr): vector of subnet;

	## How many subnets are in the store.
	global store_subnet_count: function(): count;

	## What the store holds for something seen, with metadata.
	global store_items: function(s: Intel::Seen): set[Intel::Item];

	## Whether the store holds anything for what was seen.
	global store_finds: function(s: Intel::Seen): bool;

	## From a worker to the manager: something seen is a match.
	global store_tell_manager: function(s: Intel::Seen);

	## Whether this node has metadata.
	global store_is_full: function(): bool;
}

module Intel;

function ThreatHunting::store_insert(item: Intel::Item): bool
	{
	ThreatHunting::ours = T;
	local taken = hook Intel::filter_item(item);

	if ( taken )
		_insert(item, F);

	ThreatHunting::ours = F;
	return taken;
	}

function ThreatHunting::store_remove(item: Intel::Item, keep: bool): bool
	{
	local t = item$indicator_type;
	local value = to_lower(item$indicator);

	# item_exists() would take a wider subnet for this one.
	local there = F;

	if ( t != SUBNET )
		there = item_exists(item);
	else if ( have_full_data )
		there = check_subnet(to_subnet(value), data_store$subnet_data);
	else
		there = check_subnet(to_subnet(value), min_data_store$subnet_data);

	if ( ! there )
		return F;

	if ( have_full_data )
		{
		keep = ! remove_meta_data(item);

		if ( ! keep )
			{
			if ( t == ADDR )
				delete data_store$host_data[to_addr(value)];
			else if ( t == SUBNET )
				delete data_store$subnet_data[to_subnet(value)];
			else
				delete data_store$string_data[value, t];
			}
		}

	if ( keep )
		return T;

	if ( t == ADDR )
		delete min_data_store$host_data[to_addr(value)];
	else if ( t == SUBNET )
		delete min_data_store$subnet_data[to_subnet(value)];
	else
		delete min_data_store$string_data[value, t];

	ThreatHunting::ours = T;
	hook Intel::indicator_removed(value, t);
	ThreatHunting::ours = F;
	return F;
	}

function ThreatHunting::store_subnets(host: addr): vector of subnet
	{
	return matching_subnets(addr_to_subnet(host), min_data_store$subnet_data);
	}

function ThreatHunting::store_items(s: Intel::Seen): set[Intel::Item]
	{
	return get_items(s);
	}

function ThreatHunting::store_finds(s: Intel::Seen): bool
	{
	return find(s);
	}

function ThreatHunting::store_tell_manager(s: Intel::Seen)
	{
	event Intel::match_remote(s);
	}

function ThreatHunting::store_is_full(): bool
	{
	return have_full_data;
	}

function ThreatHunting::store_subnet_count(): count
	{
	return |min_data_store$subnet_data|;
	}

module ThreatHunting;

# Indicators in the store, of any type.
global all_in_store = 0;

function set_group(name: string, on: bool)
	{
	if ( on )
		enable_event_group(name);
	else
		disable_event_group(name);
	}

# Whether Zeek's own handlers are switched, too: no hook wants to hear of what can't
# match.
global switches_zeeks = F;

# Types of which something is in the store; subnets count as addresses.
global types_in_store: set[Intel::Type];

# Handlers that look for one type only run while there is something to find;
# those for addresses also find subnets.
function switch_group(which: Intel::Type)
	{
	local t = which == Intel::SUBNET ? Intel::ADDR : which;
	local n = in_store[t];

	# Of a subnet within another one the framework raises no hook.
	if ( t == Intel::ADDR )
		{
		n += store_subnet_count();
		addrs_in_store = n > 0;
		}

	local name = cat(t);

	if ( has_event_group("ThreatHunting::" + name) )
		set_group("ThreatHunting::" + name, n > 0);

	if ( switches_zeeks && has_event_group(name) )
		set_group(name, n > 0);

	if ( ( n > 0 ) == ( t in types_in_store ) )
		return;

	if ( n > 0 )
		add types_in_store[t];
	else
		delete types_in_store[t];

	hook type_switched(t);
	}

global stop_work: event();

# All that is done while anything could match at all; conversations that are still
# flagged keep it going.
function switch_armed(on: bool)
	{
	if ( on == at_work )
		return;

	if ( ! on && flagged_count() > 0 )
		{
		schedule 1min { ThreatHunting::stop_work() };
		return;
		}

	at_work = on;
	set_group("ThreatHunting::armed", on);
	hook armed_switched();
	}

event ThreatHunting::stop_work()
	{
	if ( all_in_store == 0 )
		switch_armed(F);
	}

# After Zeek's manage-event-groups, where a site loads it: that doesn't know that
# subnets are found by those who ask for addresses.
hook Intel::indicator_inserted(v: string, t: Intel::Type) &priority=-5
	{
	++in_store[t];

	if ( ++all_in_store == 1 )
		switch_armed(T);

	if ( t == Intel::FILE_HASH )
		++hashes_in_store[|v|];
	else if ( t == Intel::URL && v[0] == "/" )
		++paths_in_store;

	if ( in_store[t] == 1 || t == Intel::SUBNET )
		switch_group(t);
	}

hook Intel::indicator_removed(v: string, t: Intel::Type) &priority=-5
	{
	if ( in_store[t] > 0 )
		--in_store[t];

	if ( all_in_store > 0 && --all_in_store == 0 )
		switch_armed(F);

	if ( t == Intel::FILE_HASH && hashes_in_store[|v|] > 0 )
		--hashes_in_store[|v|];
	else if ( t == Intel::URL && v[0] == "/" && paths_in_store > 0 )
		--paths_in_store;

	if ( in_store[t] == 0 || t == Intel::SUBNET )
		switch_group(t);
	}

# Whether a site has told Zeek's manage-event-groups to leave its handlers on.
function left_on(): bool
	{
	local theirs = lookup_ID("Intel::manage_seen_event_groups");
	return theirs is bool && ! ( theirs as bool );
	}

event zeek_init() &priority=90
	{
	switches_zeeks = seen_while_armed && ! left_on();

	for ( t in type_names )
		switch_group(t);

	if ( all_in_store == 0 )
		switch_armed(F);
	}

# manage-event-groups switches all off at priority 0, whatever is in the store.
event zeek_init() &priority=-90
	{
	for ( t in type_names )
		switch_group(t);
	}
