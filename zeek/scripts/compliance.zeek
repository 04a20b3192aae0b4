##! Compliance mode: nothing of traffic is kept but what an incident asks for.

@load ./investigations

module ThreatHunting;

# Filters taken off, by log.
global put_aside: table[Log::ID] of vector of Log::Filter;

function strip_filters(id: Log::ID)
	{
	for ( name in Log::get_filter_names(id) )
		{
		if ( name == filter_name )
			next;

		if ( id !in put_aside )
			put_aside[id] = vector();

		put_aside[id] += Log::get_filter(id, name);
		Log::remove_filter(id, name);
		}
	}

function comply()
	{
	for ( id in Log::active_streams )
		if ( id !in compliance_keeps && is_investigated(id) )
			strip_filters(id);
	}

function uncomply()
	{
	for ( id, filters in put_aside )
		for ( _, filter in filters )
			Log::add_filter(id, filter);

	put_aside = table();
	}

# Logs that we don't capture have nothing to let through.
hook Log::log_stream_policy(rec: any, id: Log::ID)
    &group="ThreatHunting::compliance"
	{
	if ( id !in compliance_keeps && ! is_investigated(id) )
		break;
	}

function compliance_option(id: string, new_value: bool): bool
	{
	set_group("ThreatHunting::compliance", new_value);

	if ( new_value )
		comply();
	else
		uncomply();

	return new_value;
	}

event zeek_init() &priority=1000
	{
	set_group("ThreatHunting::compliance", compliance);
	}

# Other scripts may add filters later.
event ThreatHunting::comply_again()
	{
	if ( compliance )
		comply();

	schedule state_interval { ThreatHunting::comply_again() };
	}

event zeek_init() &priority=-1000
	{
	event ThreatHunting::comply_again();

	if ( compliance )
		comply();

	Option::set_change_handler("ThreatHunting::compliance", compliance_option);
	}
