##! From something seen to a sighting: what of it holds now, how bad it is, and
##! which conversation it flags.

@load ./conversations
@load ./indicators
@load ./modules

module ThreatHunting;

export {
	redef record Intel::Info += {
		## The highest level of the items that matched.
		level: string &log &optional;
	};

	redef record Intel::Seen += {
		## What matched, as known where it was seen. Workers hold no metadata in
		## the Intelligence Framework; this brings it to the manager.
		threathunting: Hit &optional;

		## The connection, where only its uid is left of it.
		threathunting_id: conn_id &optional;
	};

	## Whether an answer of the link confirms what is being seen, and what it adds
	## to a hit; for the compact way of arming.
	global has_verdict = F;

	global add_verdict: function(hit: Hit);

	## Flag the conversation or file of something seen.
	global flag_seen: function(s: Intel::Seen);

	## The items of a hit, for where the store doesn't give them.
	global items_of: function(hit: Hit): set[Intel::Item];

	## Whether the module that a place belongs to is on: the part in front of
	## ``::``, or what it is here. Places of other scripts are always on.
	global hunts_at: function(where: Intel::Where): bool;

	## Modules by the first part of their places' names, where it is another.
	const module_of_place: table[string] of string = {
		["Conn"] = "CONN",
		["Files"] = "FILE",
		["KRB"] = "KERBEROS",
	} &redef;
}

# Modules of places, once worked out.
global place_modules: table[Intel::Where] of string;

function hunts_at(where: Intel::Where): bool
	{
	if ( where !in place_modules )
		{
		local name = split_string1(cat(where), /::/)[0];
		place_modules[where] = name in module_of_place ? module_of_place[name] : name;
		}

	local m = place_modules[where];
	return m !in known_modules || m in enable_module;
	}

# Add an indicator to a hit if it holds now.
function take(hit: Hit, label: string, found: bool, subdomain: bool): bool
	{
	local holds = F;

	for ( _, told in alive(label) )
		{
		if ( subdomain && ! told$subdomains )
			next;

		holds = T;
		add hit$sources[told$source];

		if ( told$level > hit$level )
			hit$level = told$level;
		}

	if ( ! subdomain && found && ( label in foreign || ! is_armed(label) ) )
		{
		holds = T;

		if ( label in foreign && foreign[label] > hit$level )
			hit$level = foreign[label];
		}

	if ( holds )
		hit$indicators += label;

	return holds;
	}

function hit_of(s: Intel::Seen, found: bool): Hit
	{
	local hit = Hit($indicators=vector(), $sources=set(),
	    $matched=Intel::TypeSet(), $level=0);

	if ( has_verdict )
		add_verdict(hit);

	if ( s?$host )
		{
		if ( ! found )
			return hit;

		local nets = store_subnets(s$host);
		local label = label_of(Intel::ADDR, cat(s$host));

		# It is in the store by its subnets alone, or by itself as well.
		if ( take(hit, label, |nets| == 0 || label in foreign, F) )
			add hit$matched[Intel::ADDR];

		for ( _, net in nets )
			if ( take(hit, label_of(Intel::SUBNET, cat(net)), T, F) )
				add hit$matched[Intel::SUBNET];

		return hit;
		}

	local value = to_lower(s$indicator);

	if ( found && take(hit, label_of(s$indicator_type, value), T, F) )
		add hit$matched[s$indicator_type];

	if ( s$indicator_type == Intel::DOMAIN )
		for ( _, parent in parents_of(value) )
			if ( take(hit, label_of(Intel::DOMAIN, parent), F, T) )
				add hit$matched[Intel::DOMAIN];

	return hit;
	}

function items_of(hit: Hit): set[Intel::Item]
	{
	local items: set[Intel::Item] = hit?$items ? hit$items : set();

	for ( _, label in hit$indicators )
		for ( _, told in alive(label) )
			add items[item_of(label, told$source)];

	if ( |items| == 0 && |hit$indicators| > 0 )
		for ( source in hit$sources )
			add items[item_of(hit$indicators[0], source)];

	return items;
	}

function flag_seen(s: Intel::Seen)
	{
	local hit = s$threathunting;
	local where = cat(s$where);

	if ( s?$conn )
		flag(s$conn$uid, s$conn$id, hit, where);
	else if ( s?$uid && s?$threathunting_id )
		flag(s$uid, s$threathunting_id, hit, where);

	if ( ! s?$f )
		return;

	if ( ! s$f?$conns || |s$f$conns| == 0 )
		flag_file(s$f$id, hit, where);
	else
		for ( _, c in s$f$conns )
			flag(c$uid, c$id, hit, where);
	}

hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=100
    &group="ThreatHunting::armed"
	{
	if ( ! found && ! has_verdict )
		{
		if ( |with_subdomains| == 0 || s?$host || s$indicator_type != Intel::DOMAIN )
			return;
		}

	local hit = hit_of(s, found);

	if ( |hit$indicators| == 0 )
		{
		# All of it has expired.
		if ( found )
			break;

		return;
		}

	# The ends of a connection are seen when it begins and, by Zeek's own script,
	# when it is established.
	if ( s?$host
	    && s?$conn
	    && ( s$where == Conn::IN_ORIG || s$where == Conn::IN_RESP ) )
		{
		local known = T;

		for ( _, label in hit$indicators )
			if ( ! flagged_with(s$conn$uid, label, cat(s$where)) )
				known = F;

		if ( known )
			break;
		}

	s$threathunting = hit;
	}

# Last, so that a site's own hooks can break first.
hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=-100
    &group="ThreatHunting::armed"
	{
	if ( ! s?$threathunting )
		return;

	if ( hunts_at(s$where) )
		flag_seen(s);

	if ( found )
		return;

	# A subdomain, or what an answer confirmed: the store doesn't know it, and the
	# framework goes no further.
	if ( s?$host )
		{
		s$indicator = cat(s$host);
		s$indicator_type = Intel::ADDR;
		}

	if ( ! s?$node )
		s$node = peer_description;

	if ( store_is_full() )
		event Intel::match(s, items_of(s$threathunting));
	else
		store_tell_manager(s);
	}

hook Intel::extend_match(info: Intel::Info, s: Intel::Seen, items: set[
    Intel::Item]) &priority=-5
	{
	local level = 0;

	for ( item in items )
		{
		local label = label_of(item$indicator_type, to_lower(item$indicator));
		local holds = ! is_armed(label);

		for ( _, told in alive(label) )
			if ( told$source == item$meta$source )
				holds = T;

		if ( label in foreign )
			holds = T;

		if ( holds
		    || ( s?$threathunting && item$meta$source in s$threathunting$sources ) )
			{
			if ( item$meta?$level && level_of(item$meta$level) > level )
				level = level_of(item$meta$level);
			}
		else
			delete info$sources[item$meta$source];
		}

	if ( s?$threathunting )
		{
		local hit = s$threathunting;

		if ( hit$level > level )
			level = hit$level;

		for ( source in hit$sources )
			add info$sources[source];

		for ( t in hit$matched )
			add info$matched[t];

		if ( ! info?$id && s?$threathunting_id )
			info$id = s$threathunting_id;
		}

	info$level = levels[level];
	}
