##! What is seen so often that the link or the manager would suffer is sampled.

module ThreatHunting;

export {
	## Sightings a second, on this node, from which on values that are seen very
	## often are sampled: of each hundred one is taken.
	option compact_max_rate = 500 &redef;
}

# How often values were seen in this second.
global this_second = 0.0;
global seen_this_second = 0;
global seen_of: table[string] of count &default=0;

# Whether something is seen so often that only a part of it is taken.
function is_flood(label: string): bool
	{
	local second = floor(time_to_double(current_time()));

	if ( second != this_second )
		{
		this_second = second;
		seen_this_second = 0;
		clear_table(seen_of);
		}

	local n = ++seen_of[label];

	# One value alone is what stops here: others are taken beside it.
	if ( ++seen_this_second <= compact_max_rate || n <= compact_max_rate / 10 )
		return F;

	return n % 100 != 0;
	}
