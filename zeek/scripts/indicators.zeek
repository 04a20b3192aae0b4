##! What is armed on this node: by whom, how bad, until when.
##!
##! Workers hold the bare indicator only in the Intelligence Framework, so level,
##! source and expiry are kept here, on every node that holds intel.

@load ./store

module ThreatHunting;

export {
	## An indicator as one source told it.
	type Arm: record {
		source: string;
		level: count;
		## When it expires; 0 = never.
		expires: double;
		subdomains: bool;
		## The client that armed it (a place in the list of clients), and in which of its rounds.
		owner: count;
		round: count;
	};

	## All that armed one indicator.
	type Arms: vector of Arm;

	## A client of the link, and how far its synchronisation is.
	type Client: record {
		id: count;
		## Counts synchronisations; what bears an earlier one is stale at their end.
		round: count &default=0;
		## Items of this client.
		total: count &default=0;
		## Of these, armed in this round.
		fresh: count &default=0;
		## Items of this round that were taken away since, by expiry or by hand.
		gone: count &default=0;
		## Items of this round that were not armed: refused, or expired already.
		unarmed: set[string] &default=set();
		## The synchronisation that is under way; 0 = none.
		syncing: count &default=0;
		## The last one that was finished.
		sync: count &default=0;
	};

	## Whether this node holds intel: all do but loggers and proxies.
	global holds_intel: function(): bool;

	## Whether this node sees traffic.
	global sees_traffic: function(): bool;

	## Arm items.
	##
	## Returns: What was refused, and why.
	global arm_items: function(client: string, items: WireItems): vector of
	    Refusal;

	## Disarm items.
	global disarm_items: function(client: string, items: WireItems): vector of
	    Refusal;

	## Begin a synchronisation: what the client doesn't arm again is stale.
	global begin_sync: function(client: string, sync: count): string;

	## End it: disarm what is stale.
	##
	## Returns: An empty string, or why it is not complete.
	global end_sync: function(client: string, sync: count, total: count): string;

	## Clients by name.
	global clients: table[string] of Client;

	## Who armed last.
	global last_client = "";

	## Armed indicators by type.
	global by_type: table[string] of count &default=0;

	## Indicators in the store that others brought (a site's own intel files),
	## with their level.
	global foreign: table[string] of count;

	## How many indicators are armed.
	global armed_count: function(): count;

	## What of an indicator holds at this moment.
	global alive: function(label: string): Arms;

	## An indicator and a source as an item of the framework.
	global item_of: function(label: string, source: string): Intel::Item;

	## Put all that is armed into the store again.
	global rearm_all: function();

	## Whether an indicator was armed over the link, even if all of it has expired.
	global is_armed: function(label: string): bool;

	## The armed domains above a name that stand for their subdomains.
	global parents_of: function(name: string): vector of string;

	## Called when the last armed item of an indicator was taken away.
	##
	## kept: Whether the indicator stays in the store, as others brought it, too.
	global settled: hook(item: Intel::Item, kept: bool);
}

const max_clients = 64;
const max_unarmed = 100000;
const max_length = 8192;

global armed: table[string] of Arms;

global expire_arms: function(labels: set[string], label: string): interval;

# What of it expires at all. Zeek walks through this in small steps and asks
# expire_arms about every entry once, then when it said.
global expiring: set[string] &create_expire=1sec &expire_func=expire_arms;

global client_list: vector of Client = vector();

# Domains that stand for their subdomains, with how many sources say so.
global with_subdomains: table[string] of count;

# Names of sources, so that items share them.
global source_names: table[string] of string;

const max_source_names = 10000;

function holds_intel(): bool
	{
	return ! Cluster::is_enabled()
	    || ( Cluster::local_node_type() != Cluster::LOGGER && Cluster::local_node_type() != Cluster::PROXY );
	}

function sees_traffic(): bool
	{
	return ! Cluster::is_enabled()
	    || Cluster::local_node_type() == Cluster::WORKER;
	}

function armed_count(): count
	{
	return |armed|;
	}

function is_armed(label: string): bool
	{
	return label in armed;
	}

function alive(label: string): Arms
	{
	local found = Arms();

	if ( label !in armed )
		return found;

	local at = time_to_double(now());

	for ( _, told in armed[label] )
		if ( told$expires == 0.0 || at < told$expires )
			found += told;

	return found;
	}

function parents_of(name: string): vector of string
	{
	local found: vector of string = vector();

	if ( |with_subdomains| == 0 )
		return found;

	local rest = to_lower(name);

	# A name has 127 labels at most (RFC 1035).
	local steps = 0;

	while ( ++steps < 128 )
		{
		local dot = strstr(rest, ".");

		if ( dot == 0 )
			break;

		rest = rest[dot:];

		if ( rest in with_subdomains )
			found += rest;
		}

	return found;
	}

function shared_source(name: string): string
	{
	if ( name in source_names )
		return source_names[name];

	if ( |source_names| < max_source_names )
		source_names[name] = name;

	return name;
	}

function client_of(name: string): Client
	{
	if ( name !in clients )
		{
		clients[name] = Client($id=|client_list|);
		client_list += clients[name];
		}

	return clients[name];
	}

# An item came to be or is no more: keep the counts.
function account(told: Arm, value: string, there: bool)
	{
	local c = client_list[told$owner];

	if ( there )
		{
		++c$total;

		if ( c$round == told$round )
			++c$fresh;

		if ( told$subdomains )
			with_subdomains[value] = ( value in with_subdomains ? with_subdomains[value] : 0 ) +
			    1;
		}
	else
		{
		if ( c$total > 0 )
			--c$total;

		if ( c$round == told$round && c$fresh > 0 )
			{
			--c$fresh;
			++c$gone;
			}

		if ( told$subdomains && value in with_subdomains )
			{
			if ( with_subdomains[value] > 1 )
				--with_subdomains[value];
			else
				delete with_subdomains[value];
			}
		}
	}

function value_in(label: string): string
	{
	return label[strstr(label, " ") :];
	}

function type_in(label: string): Intel::Type
	{
	return types[label[: strstr(label, " ") - 1]];
	}

function item_of(label: string, source: string): Intel::Item
	{
	return Intel::Item($indicator=value_in(label), $indicator_type=type_in(label),
	    $meta=Intel::MetaData($source=source));
	}

# Take the arms of an indicator away for which "go" says so. Where it is just
# expiring, "expires" is T.
function take_away(label: string, go: function(a: Arm): bool, expires: bool)
    : bool
	{
	local stay = Arms();
	local value = value_in(label);

	for ( _, told in armed[label] )
		{
		if ( ! go(told) )
			{
			stay += told;
			next;
			}

		account(told, value, F);
		}

	local left = |stay| > 0;

	for ( _, told in armed[label] )
		if ( go(told) )
			{
			local item = item_of(label, told$source);

			local kept = store_remove(item, left || label in foreign);

			if ( ! left )
				hook settled(item, kept);
			}

	if ( left )
		armed[label] = stay;
	else
		{
		local name = label[: strstr(label, " ") - 1];

		if ( --by_type[name] == 0 )
			delete by_type[name];

		delete armed[label];

		# Zeek itself deletes what has just expired.
		if ( ! expires )
			delete expiring[label];
		}

	return left;
	}

function expire_arms(labels: set[string], label: string): interval
	{
	if ( label !in armed )
		return 0sec;

	local at = time_to_double(now());
	local next_end = 0.0;
	local over = F;

	for ( _, told in armed[label] )
		{
		if ( told$expires == 0.0 )
			next;

		if ( told$expires <= at )
			over = T;
		else if ( next_end == 0.0 || told$expires < next_end )
			next_end = told$expires;
		}

	if ( over )
		take_away(label, function[at](a: Arm): bool
			{
			return a$expires != 0.0 && a$expires <= at;
			}, T);

	return next_end == 0.0 ? 0sec : double_to_interval(next_end - at);
	}

# The value in the form that the store has it in, or an empty string.
function stored_form(w: WireItem): string
	{
	switch ( w$t )
		{
		case "addr":
			return is_valid_ip(w$v) ? cat(to_addr(w$v)) : "";
		case "subnet":
			return is_valid_subnet(w$v) ? cat(to_subnet(w$v)) : "";
		default:
			return to_lower(w$v);
		}
	}

# Why an item can't be armed or disarmed, or an empty string.
function fault_of(w: WireItem, value: string): string
	{
	if ( w$t !in types )
		return "unknown type";

	if ( value == "" )
		return fmt("is not of type %s", w$t);

	if ( |value| > max_length )
		return fmt("is longer than %d bytes", max_length);

	if ( w$s == "" )
		return "has no source";

	return "";
	}

function disarm_one(label: string, source: string)
	{
	if ( label !in armed )
		return;

	local gone: function(a: Arm): bool = function[source](a: Arm): bool
		{
		return a$source == source;
		};

	for ( _, told in armed[label] )
		if ( told$source == source )
			{
			take_away(label, gone, F);
			return;
			}
	}

function watch_expiry(label: string, expires: double)
	{
	if ( expires == 0.0 )
		return;

	# Else Zeek keeps to the moment that it was told of before.
	delete expiring[label];
	add expiring[label];
	}

function arm_one(c: Client, w: WireItem, value: string, label: string): string
	{
	local meta = Intel::MetaData($source=shared_source(w$s));

	if ( store_is_full() )
		{
		if ( w$d != "" )
			meta$desc = w$d;

		if ( w$u != "" )
			meta$url = w$u;

		if ( w$l != "low" )
			meta$level = w$l;
		}

	if ( ! store_insert(Intel::Item($indicator=value, $indicator_type=types[w$t],
	    $meta=meta)) )
		return "vetoed by a hook Intel::filter_item of this site";

	local told = Arm($source=meta$source, $level=level_of(w$l), $expires=w$e,
	    $subdomains=w$x && w$t == "domain", $owner=c$id, $round=c$round);

	if ( label !in armed )
		{
		armed[label] = Arms(told);
		++by_type[w$t];
		account(told, value, T);
		watch_expiry(label, w$e);
		return "";
		}

	local arms = armed[label];

	for ( i, old in arms )
		{
		if ( old$source != w$s )
			next;

		# Written otherwise, but the same here: it has come all the same.
		if ( c$syncing != 0
		    && old$owner == c$id
		    && old$round == c$round
		    && w$v != value
		    && |c$unarmed| < max_unarmed )
			add c$unarmed[fmt("%s %s %s", w$t, w$s, w$v)];

		account(old, value, F);

		# It isn't gone, it is here again.
		local owner = client_list[old$owner];

		if ( owner$round == old$round && owner$gone > 0 )
			--owner$gone;

		arms[i] = told;
		account(told, value, T);

		if ( w$e != old$expires )
			watch_expiry(label, w$e);

		return "";
		}

	arms += told;
	account(told, value, T);
	watch_expiry(label, w$e);
	return "";
	}

function arm_items(client: string, items: WireItems): vector of Refusal
	{
	local refusals: vector of Refusal = vector();

	if ( client !in clients && |clients| >= max_clients )
		{
		refusals += Refusal($v="", $t="", $reason=fmt("more than %d clients",
		    max_clients));
		return refusals;
		}

	local c = client_of(client);
	local at = time_to_double(now());
	last_client = client;

	for ( _, w in items )
		{
		local value = stored_form(w);
		local fault = fault_of(w, value);
		local label = w$t + " " + value;

		if ( fault == "" )
			{
			if ( w$e != 0.0 && w$e <= at )
				disarm_one(label, w$s);
			else
				{
				fault = arm_one(c, w, value, label);

				if ( fault == "" )
					next;
				}
			}

		if ( fault != "" )
			refusals += Refusal($v=w$v, $t=w$t, $reason=fault);

		if ( c$syncing != 0 && |c$unarmed| < max_unarmed )
			add c$unarmed[fmt("%s %s %s", w$t, w$s, w$v)];
		}

	return refusals;
	}

function disarm_items(client: string, items: WireItems): vector of Refusal
	{
	local refusals: vector of Refusal = vector();

	for ( _, w in items )
		{
		local value = stored_form(w);
		local fault = fault_of(w, value);

		if ( fault != "" )
			refusals += Refusal($v=w$v, $t=w$t, $reason=fault);
		else
			disarm_one(w$t + " " + value, w$s);
		}

	return refusals;
	}

function begin_sync(client: string, sync: count): string
	{
	if ( sync == 0 )
		return "a synchronisation has a number from 1 on";

	if ( client !in clients && |clients| >= max_clients )
		return fmt("more than %d clients", max_clients);

	local c = client_of(client);

	last_client = client;

	# The same one again would make what it has armed so far stale.
	if ( c$syncing == sync )
		return "";

	++c$round;
	c$fresh = 0;
	c$gone = 0;
	c$unarmed = set();
	c$syncing = sync;
	return "";
	}

function end_sync(client: string, sync: count, total: count): string
	{
	if ( client !in clients || sync == 0 )
		return fmt("synchronisation %d was not begun here", sync);

	local c = clients[client];

	if ( c$sync == sync && c$syncing == 0 )
		return "";

	if ( c$syncing != sync )
		return fmt("synchronisation %d was not begun here", sync);

	local came = c$fresh + c$gone + |c$unarmed|;

	if ( came < total )
		return fmt("of synchronisation %d came %d of %d items", sync, came, total);

	if ( c$fresh < c$total )
		{
		local stale: vector of string = vector();
		local id = c$id;
		local round = c$round;
		local old: function(a: Arm): bool = function[id, round](a: Arm): bool
			{
			return a$owner == id && a$round != round;
			};

		for ( label, arms in armed )
			for ( _, told in arms )
				if ( old(told) )
					{
					stale += label;
					break;
					}

		for ( _, label in stale )
			take_away(label, old, F);
		}

	c$syncing = 0;
	c$sync = sync;
	c$unarmed = set();
	return "";
	}

function rearm_all()
	{
	for ( label, arms in armed )
		for ( _, told in arms )
			store_insert(item_of(label, told$source));
	}

# Zeek's own expiry, a whitelist or another script took an indicator out that is
# still armed, or the manager told so too late: put it back.
hook Intel::indicator_removed(v: string, t: Intel::Type) &priority=-10
	{
	if ( ours )
		return;

	local label = label_of(t, v);
	delete foreign[label];

	if ( label !in armed )
		return;

	for ( _, told in alive(label) )
		store_insert(item_of(label, told$source));
	}

# What isn't inserted by us is a site's own.
hook Intel::filter_item(item: Intel::Item) &priority=-100
	{
	if ( ours )
		return;

	local value = item$indicator;

	if ( item$indicator_type == Intel::ADDR )
		value = cat(to_addr(value));
	else if ( item$indicator_type == Intel::SUBNET )
		value = cat(to_subnet(value));
	else
		value = to_lower(value);

	local label = label_of(item$indicator_type, value);
	local level = item$meta?$level ? level_of(item$meta$level) : 0;

	if ( label !in foreign || foreign[label] < level )
		foreign[label] = level;
	}
