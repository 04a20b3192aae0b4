##! What may be armed is asked for over the link, once for a value however often it
##! is seen meanwhile. Then it is seen again, with the answer at hand.

@load ./answers
@load ./filters

module ThreatHunting;

export {
	## Questions that wait for their answer at most.
	option compact_max_pending = 20000 &redef;

	## How often a value is seen at most while it is asked for; beyond, its
	## conversation is captured as if there were no answer.
	option compact_max_seen = 100 &redef;

	## A question is given up after so long.
	option compact_give_up = 10min &redef;

	## What the service is asked.
	type Question: record {
		## Number of the question, this boot.
		q: count;
		## The client whose filters have it.
		c: string;
		## Type and value.
		t: string;
		v: string;
		## Where it was seen first.
		w: string;
	};

	## Nodes ask the service.
	global ask: event(version: count, node: string, boot: string,
	    questions: string) &is_used;

	## Take answers.
	global take_answers: function(client: string, answers: vector of Answer);

	## Ask again what is still open.
	global ask_again: function();

	## Give a conversation up to which answers are still open: it is captured
	## without, marked as unverified.
	global give_up_waiting: function(key: string);

	## A conversation doesn't wait any more.
	global waits_no_more: hook(key: string);

	## An answer has come. For measurements.
	##
	## waited: Since it was asked.
	##
	## confirmed: Whether it was yes.
	global answered: hook(label: string, waited: interval, confirmed: bool);

	## What has been done, by what it was.
	global tally: table[string] of count &default=0;
}

# A value that is being asked for.
type Open: record {
	id: count;
	seen: vector of Intel::Seen;
	## Conversations and files that wait for it.
	keys: set[string];
	## The clients that haven't answered yet.
	clients: set[string];
	t: string;
	v: string;
	w: string;
	asked: time;
	## There was no answer in time.
	late: bool &default=F;
};

global open_questions: table[string] of Open;

# Their labels by number.
global labels_asked: table[count] of string;

global last_question = 0;

# Of these all up to here were answered or are late.
global oldest_in_time = 1;

global to_ask: vector of Question = vector();

global last_asked = double_to_time(0.0);

global flush_planned = F;

# Whether open questions are looked at from time to time.
global looked_after = F;

global replaying = F;

global flush_questions: event();
global questions_late: event(upto: count);
global look_after_questions: event();

const max_in_a_message = 500;
const ask_pause = 2msec;
const again_pause = 2sec;

function keys_of(s: Intel::Seen): vector of string
	{
	local keys: vector of string = vector();

	if ( s?$conn )
		keys += s$conn$uid;
	else if ( s?$uid && s?$threathunting_id )
		keys += s$uid;

	if ( ! s?$f )
		return keys;

	if ( ! s$f?$conns || |s$f$conns| == 0 )
		keys += s$f$id;
	else
		for ( _, c in s$f$conns )
			keys += c$uid;

	return keys;
	}

# Capture without an answer.
function capture_unverified(s: Intel::Seen, t: Intel::Type, label: string)
	{
	if ( ! hunts_at(s$where) )
		return;

	++tally["unverified"];
	s$threathunting = Hit($indicators=vector(label), $sources=set(), $matched=set(t),
	    $level=0, $unverified=T);
	flag_seen(s);
	delete s$threathunting;
	}

function wait_for(label: string, o: Open, s: Intel::Seen)
	{
	if ( ! hunts_at(s$where) )
		return;

	for ( _, key in keys_of(s) )
		{
		if ( key !in waiting )
			{
			waiting[key] = set();
			any_waiting = T;
			}

		add waiting[key][label];
		add o$keys[key];
		}
	}

function waited_enough(key: string, label: string)
	{
	if ( key !in waiting )
		return;

	delete waiting[key][label];

	if ( |waiting[key]| > 0 )
		return;

	delete waiting[key];
	any_waiting = |waiting| > 0;
	hook waits_no_more(key);
	}

function give_up_waiting(key: string)
	{
	if ( key !in waiting )
		return;

	local labels_waited: vector of string = vector();

	for ( label in waiting[key] )
		labels_waited += label;

	for ( _, label in labels_waited )
		{
		if ( label !in open_questions )
			next;

		local o = open_questions[label];
		delete o$keys[key];

		for ( _, s in o$seen )
			for ( _, k in keys_of(s) )
				if ( k == key )
					capture_unverified(s, types[o$t], label);
		}

	++tally["released"];
	delete waiting[key];
	any_waiting = |waiting| > 0;
	hook waits_no_more(key);
	}

function send_questions()
	{
	if ( |to_ask| == 0 )
		return;

	Cluster::publish(report_topic, ThreatHunting::ask, protocol, node_name(), boot,
	    to_json(to_ask));
	to_ask = vector();
	last_asked = current_time();
	schedule compact_hold { ThreatHunting::questions_late(last_question) };
	}

event ThreatHunting::flush_questions()
	{
	flush_planned = F;
	send_questions();
	}

function put(label: string, o: Open)
	{
	for ( client in o$clients )
		to_ask += Question($q=o$id, $c=client, $t=o$t, $v=o$v, $w=o$w);

	if ( |to_ask| >= max_in_a_message
	    || ( ! flush_planned && current_time() - last_asked > ask_pause ) )
		send_questions();
	else if ( ! flush_planned )
		{
		flush_planned = T;
		schedule ask_pause { ThreatHunting::flush_questions() };
		}
	}

# Returns: F where it can't be asked for.
function ask_for(s: Intel::Seen, t: Intel::Type, value: string, label: string)
    : bool
	{
	if ( |open_questions| >= compact_max_pending )
		{
		# When it is written it is looked at once more.
		if ( probing )
			return F;

		++dropped["questions"];
		capture_unverified(s, t, label);
		return F;
		}

	local o = Open($id=++last_question, $seen=vector(), $keys=set(),
	    $clients=clients_that_have(t, value, label), $t=type_names[t],
	    $v=value, $w=cat(s$where), $asked=current_time());

	if ( ! probing )
		o$seen += s;

	open_questions[label] = o;
	labels_asked[o$id] = label;
	++tally["asked"];
	wait_for(label, o, s);

	if ( ! looked_after )
		{
		looked_after = T;
		schedule again_pause { ThreatHunting::look_after_questions() };
		}

	put(label, o);
	return T;
	}

# Returns: F where it doesn't wait for the answer.
function join_question(o: Open, s: Intel::Seen, t: Intel::Type, label: string)
    : bool
	{
	if ( |o$seen| >= compact_max_seen )
		{
		++dropped["sightings of a value that is asked for"];
		capture_unverified(s, t, label);
		return F;
		}

	o$seen += s;

	# What is seen in a record that is being written can't wait any more.
	if ( o$late || s?$threathunting_id )
		capture_unverified(s, t, label);
	else
		wait_for(label, o, s);

	return T;
	}

# What waited is seen again, now with what is known of it.
function see_again(seen: vector of Intel::Seen, verdict: Verdict)
	{
	for ( _, s in seen )
		{
		replaying = T;
		verdict_at_hand = verdict;
		has_verdict = |verdict$hits| > 0;
		Intel::seen(s);
		}

	replaying = F;
	has_verdict = F;
	}

function settle(label: string, o: Open, hits: vector of Confirmed)
	{
	delete open_questions[label];
	delete labels_asked[o$id];
	local verdict = Verdict($hits=hits);
	++tally[|hits| > 0 ? "confirmed" : "denied"];
	hook answered(label, current_time() - o$asked, |hits| > 0);

	if ( |verdicts| < compact_max_verdicts )
		{
		verdicts[label] = verdict;

		for ( _, confirmed in hits )
			if ( confirmed$i != label )
				add by_rule[label];
		}

	for ( _, late in o$seen )
		for ( _, key in keys_of(late) )
			unflag(key, label);

	see_again(o$seen, verdict);

	for ( key in copy(o$keys) )
		waited_enough(key, label);
	}

function take_answers(client: string, answers: vector of Answer)
	{
	for ( _, a in answers )
		{
		if ( a$q !in labels_asked )
			next;

		local label = labels_asked[a$q];
		local o = open_questions[label];

		if ( client !in o$clients )
			next;

		delete o$clients[client];

		if ( |a$h| > 0 || |o$clients| == 0 )
			settle(label, o, a$h);
		}
	}

event ThreatHunting::questions_late(upto: count)
	{
	while ( oldest_in_time <= upto )
		{
		local id = oldest_in_time;
		++oldest_in_time;

		if ( id !in labels_asked )
			next;

		local label = labels_asked[id];
		local o = open_questions[label];

		if ( o$late )
			next;

		o$late = T;

		for ( _, s in o$seen )
			capture_unverified(s, types[o$t], label);

		for ( key in copy(o$keys) )
			waited_enough(key, label);
		}
	}

function ask_again()
	{
	local at = current_time();
	local old: vector of string = vector();

	for ( label, o in open_questions )
		if ( at - o$asked > compact_give_up )
			old += label;
		else if ( o$late && |to_ask| < max_in_a_message )
			for ( client in o$clients )
				to_ask += Question($q=o$id, $c=client, $t=o$t, $v=o$v, $w=o$w);

	for ( _, label in old )
		{
		++dropped["questions without an answer"];
		local given_up = open_questions[label];
		delete labels_asked[given_up$id];
		delete open_questions[label];
		# What of it is armed natively.
		see_again(given_up$seen, Verdict($hits=vector()));
		}

	send_questions();
	}

event ThreatHunting::look_after_questions()
	{
	looked_after = F;

	if ( |open_questions| == 0 )
		return;

	looked_after = T;
	ask_again();
	schedule again_pause { ThreatHunting::look_after_questions() };
	}
