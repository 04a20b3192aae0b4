##! What Zeek sees is looked up in the filters. What is in one is asked for; with the
##! answer it takes the way of everything that is armed natively.

@load ./questions
@load ./floods

module ThreatHunting;

# What labels of a type begin with.
global label_prefixes: table[Intel::Type] of string &default="";

hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=105
    &group="ThreatHunting::compact"
	{
	if ( replaying )
		return;

	has_verdict = F;

	if ( passed_over && s?$threathunting_id )
		break;

	# Mostly a name that isn't armed is seen: this is said of it in the fewest steps.
	if ( one_filter
	    && ! s?$host
	    && s$indicator_type == Intel::DOMAIN
	    && bloomfilter_lookup(the_filter, to_lower(s$indicator)) == 0 )
		{
		if ( probing )
			break;

		return;
		}

	local t = s?$host ? Intel::ADDR : s$indicator_type;
	local value = s?$host ? cat(s$host) : to_lower(s$indicator);
	local prefix = label_prefixes[t];

	# A type that isn't ours.
	if ( prefix == "" )
		{
		if ( probing )
			break;

		return;
		}

	local label = prefix + value;

	# A record is looked at whether it has to wait. If it is written, it is looked at
	# once more, and then it counts.
	if ( probing )
		{
		if ( label !in verdicts && may_be_armed(t, value, label) )
			{
			if ( label !in open_questions )
				ask_for(s, t, value, label);
			else if ( ! open_questions[label]$late )
				wait_for(label, open_questions[label], s);
			}

		break;
		}

	if ( ! may_be_armed(t, value, label) )
		return;

	if ( label in verdicts )
		{
		verdict_at_hand = verdicts[label];

		if ( |verdict_at_hand$hits| == 0 )
			return;

		if ( is_flood(label) )
			{
			++tally["sampled"];
			++dropped["sightings of what was seen too often"];
			break;
			}

		has_verdict = T;
		return;
		}

	# What doesn't wait may still be armed natively.
	if ( label in open_questions )
		{
		if ( ! join_question(open_questions[label], s, t, label) )
			return;
		}
	else if ( ! ask_for(s, t, value, label) )
		return;

	break;
	}

hook compact_switched()
	{
	set_group("ThreatHunting::compact", compact_on);
	has_verdict = F;
	}

event zeek_init()
	{
	for ( t, name in type_names )
		label_prefixes[t] = name + " ";

	set_group("ThreatHunting::compact", compact_on);
	}
