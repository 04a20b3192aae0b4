##! The link to the service outside, over Zeek's Cluster WebSocket API: commands
##! come in batches, every node that holds intel acknowledges them by itself.

@load ./indicators
@load ./modules
@load ./sightings
@load ./compact/filters

module ThreatHunting;

export {
	## The version of the protocol; every event begins with it.
	const protocol = 1;

	## Ask every node for its state.
	global hello: event(version: count, client: string) &is_used;

	## Arm items: a JSON array of :zeek:see:`ThreatHunting::WireItem`.
	global arm: event(version: count, client: string, batch: count, items: string)
	    &is_used;

	## Disarm items, of which only ``v``, ``t`` and ``s`` are needed.
	global disarm: event(version: count, client: string, batch: count,
	    items: string) &is_used;

	## Begin to bring nodes to the full set.
	global sync_begin: event(version: count, client: string, sync: count) &is_used;

	## End it. *total* is the number of items that were sent since.
	global sync_end: event(version: count, client: string, sync: count,
	    total: count) &is_used;

	## Switch modules: those named, comma-separated, are on and all others off.
	global modules: event(version: count, client: string, names: string) &is_used;

	## A node tells how it is.
	global state: event(version: count, node: string, boot: string, about: string)
	    &is_used;

	## A batch has taken effect on a node.
	global ack: event(version: count, node: string, boot: string, batch: count,
	    armed: count, refusals: string) &is_used;

	## A line of intel.log.
	global sighting: event(version: count, node: string, boot: string,
	    line: string) &is_used;

	## A node doesn't do what it was asked.
	global refused: event(version: count, node: string, boot: string,
	    reason: string) &is_used;

	## Called when a node tells its state, for others to add to it.
	global described: hook(about: table[string] of any);

	## This node's name.
	global node_name: function(): string;

	## New with every start of this node.
	global boot = "";

	## Tell this node's state to all who listen.
	global tell_state: function();
}

const max_told_refusals = 100;

# Whether there is anyone to talk to: a lone Zeek has no backend unless told.
global has_link = F;

function node_name(): string
	{
	return Cluster::is_enabled() ? Cluster::node : peer_description;
	}

function role(): string
	{
	if ( ! Cluster::is_enabled() )
		return "standalone";

	return to_lower(sub(cat(Cluster::local_node_type()), /^.*::/, ""));
	}

function backend_name(): string
	{
	return to_lower(sub(cat(Cluster::backend), /^.*BACKEND_/, ""));
	}

function expected_nodes(): vector of string
	{
	local names: vector of string = vector();

	if ( ! Cluster::is_enabled() )
		names += node_name();

	for ( name, n in Cluster::nodes )
		if ( n$node_type == Cluster::WORKER )
			names += name;

	return sort(names, strcmp);
	}

function problems(): vector of string
	{
	local told: vector of string = vector();

	for ( m in unknown_modules )
		told += fmt("there is no module %s", m);

	for ( what, n in dropped )
		told += fmt("%d %s beyond a limit were not captured", n, what);

	return told;
	}

function about_us(): string
	{
	local on: vector of string = vector();

	for ( m in enable_module )
		on += m;

	local about: table[string] of any = table();
	about["zeek"] = zeek_version();
	about["role"] = role();
	about["backend"] = backend_name();
	about["package"] = ThreatHunting::version;
	about["armed"] = armed_count() + compact_count();
	about["by_type"] = by_type;
	about["client"] = last_client;
	about["sync"] = last_client in clients ? clients[last_client]$sync : 0;
	about["modules"] = sort(on, strcmp);
	about["sees_traffic"] = sees_traffic();
	about["expected_nodes"] = expected_nodes();
	about["flagged"] = flagged_count();
	about["compliance"] = compliance;
	about["normalized"] = normalized;
	about["problems"] = problems();
	hook described(about);
	return to_json(about);
	}

function tell_state()
	{
	if ( has_link )
		Cluster::publish(report_topic, ThreatHunting::state, protocol, node_name(),
		    boot, about_us());
	}

function refuse(reason: string)
	{
	Reporter::warning(fmt("ThreatHunting: refused: %s", reason));

	if ( has_link )
		Cluster::publish(report_topic, ThreatHunting::refused, protocol, node_name(),
		    boot, reason);
	}

function acknowledge(batch: count, refusals: vector of Refusal)
	{
	local told = |refusals| > max_told_refusals ? refusals[:max_told_refusals] :
	    refusals;
	Cluster::publish(report_topic, ThreatHunting::ack, protocol, node_name(), boot,
	    batch, armed_count() + compact_count(), to_json(told));
	}

function speaks(version: count): bool
	{
	if ( version == protocol )
		return T;

	refuse(fmt("version %d of the link is not known here, %d is", version,
	    protocol));
	return F;
	}

event ThreatHunting::hello(version: count, client: string)
	{
	if ( speaks(version) )
		tell_state();
	}

event ThreatHunting::arm(version: count, client: string, batch: count,
    items: string)
	{
	if ( ! holds_intel() || ! speaks(version) )
		return;

	local parsed = from_json(items, WireItems);

	if ( parsed$valid )
		acknowledge(batch, arm_items(client, parsed$v as WireItems));
	else
		refuse(fmt("batch %d is no list of items: %s", batch, parsed$err));
	}

event ThreatHunting::disarm(version: count, client: string, batch: count,
    items: string)
	{
	if ( ! holds_intel() || ! speaks(version) )
		return;

	local parsed = from_json(items, WireItems);

	if ( parsed$valid )
		acknowledge(batch, disarm_items(client, parsed$v as WireItems));
	else
		refuse(fmt("batch %d is no list of items: %s", batch, parsed$err));
	}

event ThreatHunting::sync_begin(version: count, client: string, sync: count)
	{
	if ( ! holds_intel() || ! speaks(version) )
		return;

	local fault = begin_sync(client, sync);

	if ( fault != "" )
		refuse(fault);
	}

event ThreatHunting::sync_end(version: count, client: string, sync: count,
    total: count)
	{
	if ( ! holds_intel() || ! speaks(version) )
		return;

	local fault = end_sync(client, sync, total);

	if ( fault != "" )
		refuse(fault);
	else
		acknowledge(sync, vector());
	}

event ThreatHunting::modules(version: count, client: string, names: string)
	{
	# The manager's configuration framework tells the other nodes, those too that
	# come later.
	if ( ! speaks(version)
	    || ( Cluster::is_enabled() && Cluster::local_node_type() != Cluster::MANAGER ) )
		return;

	local wanted: set[string] = set();

	# The service has modules that no sensor has, which is nobody's mistake.
	for ( _, m in split_string(names, /,/) )
		if ( to_upper(strip(m)) in known_modules )
			add wanted[to_upper(strip(m))];

	Config::set_value("ThreatHunting::enable_module", wanted,
	    "threathunting link");
	}

event Intel::log_intel(rec: Intel::Info)
	{
	if ( ! has_link )
		return;

	# Logged fields alone, with records in records, as they are.
	Cluster::publish(report_topic, ThreatHunting::sighting, protocol, node_name(),
	    boot, to_json(rec, T));
	}

event ThreatHunting::tell_again()
	{
	tell_state();
	schedule state_interval { ThreatHunting::tell_again() };
	}

hook switched() &priority=-10
	{
	if ( boot != "" )
		tell_state();
	}

event Cluster::node_up(name: string, id: string) &priority=-20
	{
	tell_state();
	}

event zeek_init() &priority=-100
	{
	boot = fmt("%.6f-%d", current_time(), getpid());
	has_link = Cluster::backend != Cluster::CLUSTER_BACKEND_NONE;

	if ( ! has_link )
		return;

	Cluster::subscribe(command_topic);
	Cluster::subscribe(node_topic + node_name() + "/");
	event ThreatHunting::tell_again();
	}
