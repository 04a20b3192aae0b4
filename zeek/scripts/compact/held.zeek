##! Records of conversations about which an answer is awaited wait with it, each for
##! a bounded time and within a bounded number.
##!
##! Not by ``Log::delay``, which waits with the record itself: scripts of FTP, SMB and
##! others go on with theirs for the next line. What waits here is a copy.

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
	keys: vector of string;
	## The file whose last events it was written in.
	f: fa_file &optional;
	## The one whose last events are being handled when it goes on.
	f_now: fa_file &optional;
};

global held: table[string] of vector of Held;

# Whether a record goes on that has waited.
global going_on = F;

# Zeek ends: nothing waits any more.
global ending = F;

function still_waits(h: Held): bool
	{
	for ( _, key in h$keys )
		if ( key in waiting )
			return T;

	return F;
	}

function go_on(h: Held)
	{
	if ( held_count > 0 )
		--held_count;

	# Certificates and executables are told by their file.
	local has_now = has_file_at_hand;

	if ( h?$f )
		{
		if ( has_now )
			h$f_now = file_at_hand;

		file_at_hand = h$f;
		has_file_at_hand = T;
		}

	going_on = T;
	Log::write(h$id, h$rec);
	going_on = F;

	if ( h?$f )
		{
		has_file_at_hand = has_now;

		if ( h?$f_now )
			file_at_hand = h$f_now;
		}
	}

hook waits_no_more(key: string)
	{
	if ( key !in held )
		return;

	local all = held[key];
	delete held[key];

	for ( _, h in all )
		{
		if ( ! still_waits(h) )
			go_on(h);
		else
			# Each waits in one place.
			for ( _, other in h$keys )
				if ( other in waiting )
					{
					if ( other !in held )
						held[other] = vector();

					held[other] += h;
					break;
					}
		}
	}

# First, so that hooks of others run once, when it goes on. Some records are looked
# at only when they are written, so each is asked about.
hook Log::log_stream_policy(rec: any, id: Log::ID) &priority=1000
    &group="ThreatHunting::compact"
	{
	# As few steps as can be: this is asked about every record.
	if ( passed_over )
		passed_over = F;

	if ( ! any_waiting
	    && ( ( ! conn_looks && id == Conn::LOG ) || id !in looking ) )
		return;

	if ( going_on || ending || id !in policy_of )
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

	local h = Held($id=id, $rec=copy(rec), $keys=keys);

	if ( has_file_at_hand )
		h$f = file_at_hand;

	if ( keys[0] !in held )
		held[keys[0]] = vector();

	held[keys[0]] += h;
	++held_count;
	++tally["held"];

	# Zeek asks filters about vetoed records too.
	passed_over = T;
	break;
	}

hook compact_switched()
	{
	passed_over = F;
	}

# Nobody will answer any more.
event zeek_done() &priority=1000
	{
	ending = T;
	local keys: vector of string = vector();

	for ( key in waiting )
		keys += key;

	for ( _, key in keys )
		give_up_waiting(key);
	}
