##! Addresses and names in answers. Zeek's own script asks for queries only.

@load ../../observables

module ThreatHunting;

hook DNS::do_reply(c: connection, msg: dns_msg, ans: dns_answer, reply: string)
    &group="ThreatHunting::DNS"
	{
	if ( is_valid_ip(reply) )
		{
		if ( looks_for_addrs() )
			Intel::seen(Intel::Seen($host=to_addr(reply), $conn=c,
			    $where=DNS::IN_RESPONSE));
		}
	else if ( in_store[Intel::DOMAIN] > 0 && |reply| > 0 )
		Intel::seen(Intel::Seen($indicator=reply, $indicator_type=Intel::DOMAIN,
		    $conn=c, $where=DNS::IN_RESPONSE));
	}
