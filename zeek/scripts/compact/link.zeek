##! The compact way of arming over the link. Only nodes that see traffic have
##! filters.

@load ../link
@load ./filters
@load ./questions
@load ./held

module ThreatHunting;

export {
	## Begin a generation of filters beside the live one.
	global compact_begin: event(version: count, client: string, batch: count,
	    generation: count, setup: string) &is_used;

	## Add values, separated by newlines; to generation 0 = to all there are.
	global compact_add: event(version: count, client: string, batch: count,
	    generation: count, kind: string, values: string) &is_used;

	## Let it take the live one's place.
	global compact_end: event(version: count, client: string, batch: count,
	    generation: count, total: count) &is_used;

	## Forget answers about values that were removed or changed; ``*`` = all.
	global compact_forget: event(version: count, client: string, batch: count,
	    kind: string, values: string) &is_used;

	## Do without the client's filters.
	global compact_drop: event(version: count, client: string, batch: count)
	    &is_used;

	## Answers to questions, a JSON array of :zeek:see:`ThreatHunting::Answer`.
	global verdict: event(version: count, client: string, node: string,
	    answers: string) &is_used;
}

type Answers: vector of Answer;

event ThreatHunting::compact_begin(version: count, client: string, batch: count,
    generation: count, setup: string)
	{
	if ( ! sees_traffic() || ! speaks(version) )
		return;

	local fault = begin_filters(client, generation, setup);

	if ( fault != "" )
		refuse(fault);
	else
		acknowledge(batch, vector());
	}

event ThreatHunting::compact_add(version: count, client: string, batch: count,
    generation: count, kind: string, values: string)
	{
	if ( sees_traffic()
	    && speaks(version)
	    && add_to_filters(client, batch, generation, kind, values) )
		acknowledge(batch, vector());
	}

event ThreatHunting::compact_end(version: count, client: string, batch: count,
    generation: count, total: count)
	{
	if ( ! sees_traffic() || ! speaks(version) )
		return;

	local fault = end_filters(client, generation, total);

	if ( fault != "" )
		{
		refuse(fault);
		return;
		}

	acknowledge(batch, vector());
	tell_state();
	}

event ThreatHunting::compact_forget(version: count, client: string,
    batch: count, kind: string, values: string)
	{
	if ( client !in compact || ! speaks(version) )
		return;

	forget_verdicts(kind, as_stored(kind, split_string(values, /\n/)));
	acknowledge(batch, vector());
	}

event ThreatHunting::compact_drop(version: count, client: string, batch: count)
	{
	if ( ! sees_traffic() || ! speaks(version) )
		return;

	forget_filters(client);
	acknowledge(batch, vector());
	}

event ThreatHunting::verdict(version: count, client: string, node: string,
    answers: string)
	{
	if ( node != node_name() || ! speaks(version) )
		return;

	local parsed = from_json(answers, Answers);

	if ( parsed$valid )
		take_answers(client, parsed$v as Answers);
	else
		refuse(fmt("these are no answers: %s", parsed$err));
	}

# Someone is there again.
event ThreatHunting::hello(version: count, client: string) &priority=-10
	{
	ask_again();
	}

hook described(about: table[string] of any)
	{
	local told: table[string] of any = table();

	for ( client, c in compact )
		{
		local one: table[string] of count = table();
		one["generation"] = c?$live ? c$live$generation : 0;
		one["building"] = c?$building ? c$building$generation : 0;
		one["exact"] = c?$live ? c$live$exact_count : 0;
		one["subdomains"] = c?$live ? c$live$subdomain_count : 0;
		told[client] = one;
		}

	about["mode"] = |compact| > 0 ? "compact" : "native";
	about["compact"] = told;
	about["filter_bytes"] = compact_bytes();
	about["pending"] = |open_questions|;
	about["waiting_records"] = held_count;

	for ( _, name in vector("asked", "confirmed", "denied", "unverified", "held",
	    "sampled", "released") )
		about[name] = tally[name];
	}
