##! Addresses and names in answers. Zeek's own script asks for queries only.

@load ../../observables

module ThreatHunting;

hook DNS::do_reply(c: connection, msg: dns_msg, ans: dns_answer, reply: string)
    &group="ThreatHunting::DNS" &group="ThreatHunting::armed"
	{
	# Most answers are addresses (A and AAAA).
	if ( ! addrs_in_store && ( ans$qtype == 1 || ans$qtype == 28 ) )
		return;

	if ( is_valid_ip(reply) )
		{
		if ( addrs_in_store )
			Intel::seen(Intel::Seen($host=to_addr(reply), $conn=c,
			    $where=DNS::IN_RESPONSE));
		}
	else if ( domains_in_one_filter
	    && bloomfilter_lookup(the_filter, to_lower(reply)) == 0 )
		return;
	else if ( in_store[Intel::DOMAIN] > 0 && |reply| > 0 )
		Intel::seen(Intel::Seen($indicator=reply, $indicator_type=Intel::DOMAIN,
		    $conn=c, $where=DNS::IN_RESPONSE));
	}
