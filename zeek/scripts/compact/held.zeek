##! Records of conversations about which an answer is awaited wait with it, each for
##! a bounded time and within a bounded number.

@load ../investigations
@load ./questions

module ThreatHunting;

export {
	## Records that wait at the same time at most; beyond, they are captured as if
	## there were no answer.
	option compact_max_held = 10000 &redef;

	## Records that wait now.
	global held_count = 0;
}

type Held: record {
	id: Log::ID;
	rec: any;
	token: Log::DelayToken &optional;
	keys: vector of string;
	## The file whose last events it was written in.
	f: fa_file &optional;
	done: bool &default=F;
};

global held: table[string] of vector of Held;

function still_waits(h: Held): bool
	{
	for ( _, key in h$keys )
		if ( key in waiting )
			return T;

	return F;
	}

# Runs when it goes on to the filters, whatever the reason.
function let_go(h: Held): bool
	{
	h$done = T;

	if ( held_count > 0 )
		--held_count;

	for ( _, key in h$keys )
		give_up_waiting(key);

	# Certificates and executables are told by their file.
	if ( h?$f )
		{
		file_at_hand = h$f;
		has_file_at_hand = T;
		}

	return T;
	}

hook waits_no_more(key: string)
	{
	if ( key !in held )
		return;

	local all = held[key];
	delete held[key];

	for ( _, h in all )
		{
		if ( h$done || still_waits(h) )
			next;

		Log::delay_finish(h$id, h$rec, h$token);

		if ( h?$f )
			has_file_at_hand = F;
		}
	}

# Last: what others veto needs no wait. Some records are looked at only when they are
# written, so each is asked about.
hook Log::log_stream_policy(rec: any, id: Log::ID) &priority=-100
    &group="ThreatHunting::compact"
	{
	if ( id !in policy_of )
		return;

	local keys = waiting_of(rec, id, policy_of[id]);

	if ( |keys| == 0 )
		return;

	if ( held_count >= compact_max_held )
		{
		for ( _, key in keys )
			give_up_waiting(key);

		return;
		}

	local h = Held($id=id, $rec=rec, $keys=keys);

	if ( has_file_at_hand )
		h$f = file_at_hand;

	++held_count;
	++tally["held"];
	h$token = Log::delay(id, rec, function[h](r: any, i: Log::ID): bool
		{
		return let_go(h);
		});

	for ( _, key in keys )
		{
		if ( key !in held )
			held[key] = vector();

		held[key] += h;
		}
	}

# Our own clock lets go in time; Zeek's is there should it fail.
function widen_delays()
	{
	for ( id in policy_of )
		{
		Log::set_max_delay_interval(id, compact_hold + 1sec);
		Log::set_max_delay_queue_size(id, compact_max_held + 1000);
		}
	}

hook compact_switched()
	{
	if ( compact_on )
		widen_delays();
	}

hook switched() &priority=-5
	{
	if ( compact_on )
		widen_delays();
	}

hook armed_switched() &priority=-5
	{
	if ( compact_on )
		widen_delays();
	}
