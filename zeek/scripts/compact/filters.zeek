##! The compact way to arm: Bloom filters of what is armed, a pair for each client of
##! the link, four bytes an indicator. What is in one is asked for over the link.

@load ../store

module ThreatHunting;

export {
	## A generation of filters: values, and domains that stand for their subdomains.
	type Filters: record {
		generation: count;
		exact: opaque of bloomfilter;
		subdomains: opaque of bloomfilter;
		## Values in each; one that was added twice counts twice.
		exact_count: count &default=0;
		subdomain_count: count &default=0;
		## A value of each kind in it, by what handlers need to know of the kind.
		kinds: table[string] of string;
		## What came of this generation itself.
		received: count &default=0;
		## Batches that are in, as one may come again.
		batches: set[count];
		## Memory of both filters, by their size.
		bytes: count;
	};

	## What a client of the link has here.
	type Compact: record {
		live: Filters &optional;
		building: Filters &optional;
		## Batches that went to whatever was there.
		batches: set[count] &create_expire=5min;
	};

	## The clients that have filters here.
	global compact: table[string] of Compact;

	## Whether any client's filters are live.
	global compact_on = F;

	## Begin a generation beside the live one.
	##
	## setup: JSON of :zeek:see:`ThreatHunting::CompactSetup`.
	##
	## Returns: An empty string, or why not.
	global begin_filters: function(client: string, generation: count,
	    setup: string): string;

	## Add values, separated by newlines, to a generation; 0 = to all of the client.
	##
	## kind: A type's name, or ``subdomains``.
	##
	## Returns: Whether the client has that generation here.
	global add_to_filters: function(client: string, batch: count,
	    generation: count, kind: string, values: string): bool;

	## Put a generation in the live one's place, if all of it has come.
	##
	## Returns: An empty string, or why not.
	global end_filters: function(client: string, generation: count, total: count)
	    : string;

	## Do without a client's filters.
	global forget_filters: function(client: string);

	## Whether a value may be armed, or a domain above it.
	##
	## label: Its :zeek:see:`ThreatHunting::label_of`.
	global may_be_armed: function(t: Intel::Type, value: string, label: string)
	    : bool;

	## The clients in whose filters it is.
	global clients_that_have: function(t: Intel::Type, value: string,
	    label: string): set[string];

	## Values in live filters.
	global compact_count: function(): count;

	## Memory of all filters.
	global compact_bytes: function(): count;

	## Raised for every batch, before its values are in.
	global compact_values: hook(kind: string, values: vector of string);

	## The first filters are live, or the last are gone.
	global compact_switched: hook();
}

## How filters are made.
type CompactSetup: record {
	## Values that it is sized for.
	exact: count;
	## The same of domains that stand for their subdomains.
	subdomains: count;
	## Of other values, the share that is taken for one of them.
	rate: double &default=0.000001;
	## Seconds that records wait at most for an answer.
	hold: double &default=2.0;
};

const max_compact_clients = 8;

# More would take some four gigabytes of every node.
const max_filter_values = 1000000000;

# In filters, most of what is asked about is without its type in front, which spares
# time. Names and addresses have no space in them, so none is taken for a value of
# another type, but an address for a name that looks like it: the answer is no.
const bare_kinds = set("domain", "addr");
const bare_types = set(Intel::DOMAIN, Intel::ADDR);

# Records wait no longer for an answer.
global compact_hold = 2sec;

# Those of all clients: this is asked about everything seen.
global live_filters: vector of Filters = vector();

# Where there is one client and none of its domains stands for others, as mostly,
# its filter tells all, and no function has to be called for it.
global one_filter = F;

# What of a type is in the store itself, besides those that stand for filters.
function stored_besides(t: Intel::Type, kind: string): bool
	{
	local n = in_store[t];

	for ( _, f in live_filters )
		if ( kind in f$kinds && n > 0 )
			--n;

	return n > 0;
	}

function choose_filter()
	{
	one_filter = |live_filters| == 1 && live_filters[0]$subdomain_count == 0;

	# One that is gone isn't held on to.
	the_filter = |live_filters| > 0 ? live_filters[0]$exact :
	    bloomfilter_basic_init(0.1, 1);

	local alone = one_filter && switches_zeeks;
	domains_in_one_filter = alone && ! stored_besides(Intel::DOMAIN, "domain");
	addrs_in_one_filter = alone && ! stored_besides(Intel::ADDR, "addr") &&
	    store_subnet_count() == 0;
	}

# A filter is smallest with log2(1/rate) hashes a value. With three fifths of them it
# takes a tenth more memory, and is filled faster by a third: each is a place in memory
# of its own.
function hashes_of(rate: double): count
	{
	return double_to_count(ceil(-0.6 * ln(rate) / 0.6931471806));
	}

# So that of n values a share of 1 - rate^(1/hashes) of all bits is left unset.
function cells_of(n: count, rate: double): count
	{
	local k = hashes_of(rate) + 0.0;
	return double_to_count(ceil(-k * n / ln(1.0 - pow(rate, 1.0 / k))));
	}

function new_filter(n: count, rate: double, name: string): opaque of bloomfilter
	{
	return bloomfilter_basic_init2(hashes_of(rate), cells_of(n, rate), name);
	}

function begin_filters(client: string, generation: count, setup: string): string
	{
	local parsed = from_json(setup, CompactSetup);

	if ( ! parsed$valid )
		return fmt("generation %d has no proper setup: %s", generation, parsed$err);

	local s = parsed$v as CompactSetup;

	if ( generation == 0
	    || s$exact == 0
	    || s$exact > max_filter_values
	    || s$subdomains > max_filter_values
	    || s$rate <= 0.0
	    || s$rate >= 0.5
	    || s$hold <= 0.0
	    || s$hold > 60.0 )
		return fmt("generation %d has an impossible setup: %s", generation, setup);

	if ( client !in compact )
		{
		if ( |compact| >= max_compact_clients )
			return fmt("more than %d clients have filters here", max_compact_clients);

		compact[client] = Compact($batches=set());
		}

	local c = compact[client];

	if ( ( c?$building && c$building$generation == generation )
	    || ( c?$live && c$live$generation == generation ) )
		return "";

	compact_hold = double_to_interval(s$hold);
	local subdomains = s$subdomains > 0 ? s$subdomains : 1;
	c$building = Filters($generation=generation, $exact=new_filter(s$exact, s$rate,
	    client), $subdomains=new_filter(subdomains, s$rate, client +
	    " subdomains"), $kinds=table(), $batches=set(), $bytes=( cells_of(
	    s$exact, s$rate) + cells_of(subdomains, s$rate) ) / 8);
	return "";
	}

# Kinds that handlers tell apart: hashes by their length, paths among URLs.
function kind_of(t: string, value: string): string
	{
	if ( t == "file_hash" )
		return fmt("%s %d", t, |value|);

	if ( t == "url" && |value| > 0 && value[0] == "/" )
		return "url /";

	return t;
	}

# Handlers run only where something of their type may be found: to them a kind of
# values is one indicator.
function tell_kind(kind: string, value: string, there: bool)
	{
	local t = types[split_string1(kind, / /)[0]];
	local before = ours;
	ours = T;

	if ( there )
		hook Intel::indicator_inserted(value, t);
	else
		hook Intel::indicator_removed(value, t);

	ours = before;
	}

function add_values(f: Filters, kind: string, values: vector of string,
    live: bool)
	{
	if ( kind == "subdomains" )
		{
		local subdomains = f$subdomains;

		for ( _, domain in values )
			bloomfilter_add(subdomains, domain);

		f$subdomain_count += |values|;
		choose_filter();
		return;
		}

	local exact = f$exact;

	if ( kind in bare_kinds )
		for ( _, value in values )
			bloomfilter_add(exact, value);
	else
		{
		local prefix = kind + " ";

		for ( _, text in values )
			bloomfilter_add(exact, prefix + text);
		}

	f$exact_count += |values|;

	if ( |values| == 0 )
		return;

	# Most types have one kind only.
	local few = values;

	if ( kind != "file_hash" && kind != "url" )
		few = vector(values[0]);

	for ( _, one in few )
		{
		local k = kind_of(kind, one);

		if ( k in f$kinds )
			next;

		f$kinds[k] = one;

		if ( live )
			tell_kind(k, one, T);
		}
	}

# As Zeek writes addresses, which for some of IPv6 is another way than ours.
function as_stored(kind: string, values: vector of string): vector of string
	{
	if ( kind != "addr" )
		return values;

	local found: vector of string = vector();

	for ( _, value in values )
		if ( is_valid_ip(value) )
			found += cat(to_addr(value));

	return found;
	}

function add_to_filters(client: string, batch: count, generation: count,
    kind: string, values: string): bool
	{
	if ( client !in compact || ( kind !in types && kind != "subdomains" ) )
		return F;

	local c = compact[client];
	local building = c?$building
	    && ( generation == 0 || c$building$generation == generation );
	local live = c?$live
	    && ( generation == 0 || c$live$generation == generation );

	if ( ! building && ! live )
		return F;

	local told = split_string(values, /\n/);
	local stored = as_stored(kind, told);
	hook compact_values(kind, stored);

	if ( generation == 0 )
		{
		if ( batch in c$batches )
			return T;

		add c$batches[batch];
		}

	if ( building && batch !in c$building$batches )
		{
		if ( generation != 0 )
			{
			add c$building$batches[batch];
			c$building$received += |told|;
			}

		add_values(c$building, kind, stored, F);
		}

	if ( live )
		add_values(c$live, kind, stored, T);

	return T;
	}

function forget_kinds(f: Filters)
	{
	for ( kind, value in f$kinds )
		tell_kind(kind, value, F);
	}

function switch_compact()
	{
	live_filters = vector();

	for ( _, c in compact )
		if ( c?$live )
			live_filters += c$live;

	choose_filter();
	local on = |live_filters| > 0;

	if ( on == compact_on )
		return;

	compact_on = on;
	hook compact_switched();
	}

function end_filters(client: string, generation: count, total: count): string
	{
	if ( client !in compact )
		return fmt("generation %d was not begun here", generation);

	local c = compact[client];

	if ( c?$live && c$live$generation == generation )
		return "";

	if ( ! c?$building || c$building$generation != generation )
		return fmt("generation %d was not begun here", generation);

	local f = c$building;

	if ( f$received < total )
		return fmt("of generation %d came %d of %d values", generation, f$received,
		    total);

	delete c$building;

	# First the new ones, so that no handler stops in between.
	for ( kind, value in f$kinds )
		tell_kind(kind, value, T);

	if ( c?$live )
		forget_kinds(c$live);

	f$batches = set();
	c$live = f;
	switch_compact();
	return "";
	}

function forget_filters(client: string)
	{
	if ( client !in compact )
		return;

	if ( compact[client]?$live )
		forget_kinds(compact[client]$live);

	delete compact[client];
	switch_compact();
	}

function is_in(f: Filters, t: Intel::Type, value: string, label: string): bool
	{
	if ( bloomfilter_lookup(f$exact, t in bare_types ? value : label) > 0 )
		return T;

	if ( t != Intel::DOMAIN || f$subdomain_count == 0 )
		return F;

	local rest = value;
	local steps = 0;

	# A name has 127 labels at most (RFC 1035).
	while ( ++steps < 128 )
		{
		local dot = strstr(rest, ".");

		if ( dot == 0 )
			return F;

		rest = rest[dot:];

		if ( bloomfilter_lookup(f$subdomains, rest) > 0 )
			return T;
		}

	return F;
	}

function may_be_armed(t: Intel::Type, value: string, label: string): bool
	{
	for ( _, f in live_filters )
		if ( is_in(f, t, value, label) )
			return T;

	return F;
	}

function clients_that_have(t: Intel::Type, value: string, label: string): set[
    string]
	{
	local found: set[string] = set();

	for ( client, c in compact )
		if ( c?$live && is_in(c$live, t, value, label) )
			add found[client];

	return found;
	}

function compact_count(): count
	{
	local n = 0;

	for ( _, c in compact )
		if ( c?$live )
			n += c$live$exact_count;

	return n;
	}

function compact_bytes(): count
	{
	local n = 0;

	for ( _, c in compact )
		{
		if ( c?$live )
			n += c$live$bytes;

		if ( c?$building )
			n += c$building$bytes;
		}

	return n;
	}

# What comes to the store itself, or leaves it, by whomever.
hook Intel::indicator_inserted(v: string, t: Intel::Type) &priority=-10
    &group="ThreatHunting::compact"
	{
	choose_filter();
	}

hook Intel::indicator_removed(v: string, t: Intel::Type) &priority=-10
    &group="ThreatHunting::compact"
	{
	choose_filter();
	}
