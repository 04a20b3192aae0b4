##! Answers to what was asked: what they say of something seen, and how long that is
##! remembered.

@load ../sightings
@load ./filters

module ThreatHunting;

export {
	## How long answers are remembered.
	const compact_remember = 10sec &redef;

	## Answers remembered at most.
	option compact_max_verdicts = 100000 &redef;

	## An indicator that an answer tells of, as "type value", and its items.
	type Confirmed: record {
		i: string;
		items: WireItems;
	};

	## An answer; without any indicators it is no.
	type Answer: record {
		q: count;
		h: vector of Confirmed &default=vector();
	};

	## Forget answers about values of a kind; of all where there is one, ``*``.
	global forget_verdicts: function(kind: string, values: vector of string);
}

type Verdict: record {
	hits: vector of Confirmed;
};

global verdicts: table[string] of Verdict &create_expire=compact_remember;

# Those of them that say yes by a domain above what was seen.
global by_rule: set[string] &create_expire=compact_remember;

# What is known of the value that is just being seen.
global verdict_at_hand = Verdict($hits=vector());

# What the answer says of it holds like what is armed here.
function add_verdict(hit: Hit)
	{
	local at = time_to_double(now());

	for ( _, confirmed in verdict_at_hand$hits )
		{
		local t = types[split_string1(confirmed$i, / /)[0]];
		local holds = F;

		for ( _, w in confirmed$items )
			{
			if ( w$e != 0.0 && w$e <= at )
				next;

			holds = T;
			local meta = Intel::MetaData($source=w$s, $level=w$l);

			if ( w$d != "" )
				meta$desc = w$d;

			if ( w$u != "" )
				meta$url = w$u;

			if ( ! hit?$items )
				hit$items = set();

			add hit$items[Intel::Item($indicator=w$v, $indicator_type=t, $meta=meta)];
			add hit$sources[w$s];

			if ( level_of(w$l) > hit$level )
				hit$level = level_of(w$l);
			}

		if ( ! holds )
			next;

		hit$indicators += confirmed$i;
		add hit$matched[t];
		}
	}

function void_all(kind: string)
	{
	local prefix = kind + " ";
	local gone: vector of string = vector();

	for ( label, _ in verdicts )
		if ( starts_with(label, prefix) )
			gone += label;

	for ( _, label in gone )
		delete verdicts[label];
	}

# Answers about these very values; all of domains where some stand for others.
function void_verdicts(kind: string, values: vector of string)
	{
	if ( |verdicts| == 0 )
		return;

	if ( kind == "subdomains" )
		{
		void_all("domain");
		return;
		}

	local prefix = kind + " ";

	for ( _, value in values )
		delete verdicts[prefix + value];
	}

function forget_verdicts(kind: string, values: vector of string)
	{
	if ( |values| == 1 && values[0] == "*" )
		{
		void_all(kind == "subdomains" ? "domain" : kind);
		return;
		}

	void_verdicts(kind, values);

	if ( kind != "domain" )
		return;

	# What matched by a domain above it.
	for ( label in by_rule )
		delete verdicts[label];

	clear_table(by_rule);
	}

hook compact_values(kind: string, values: vector of string)
	{
	void_verdicts(kind, values);
	}
