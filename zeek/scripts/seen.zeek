##! Zeek's own scripts that look for what is seen, each only while something of its
##! type is in the store: asking for what can't match is most of what they cost.

# The first is in no group, so it would ask for both ends of every connection; the
# second asks for most of what is seen at all. Handlers below stand for them, unless
# a site has loaded them before us.
@unload frameworks/intel/seen/conn-established
@unload frameworks/intel/seen/dns

@load frameworks/intel/seen

module ThreatHunting;

# The filter of the compact way of arming, where there is one for all.
global the_filter: opaque of bloomfilter;

# Whether names, and addresses, that are armed are all in that one. What it doesn't
# have, the framework isn't even told of: that would cost several times as much.
global domains_in_one_filter = F;
global addrs_in_one_filter = F;

function see_ends(c: connection)
	{
	local id = c$id;

	if ( ! addrs_in_one_filter
	    || bloomfilter_lookup(the_filter, cat(id$orig_h)) > 0 )
		Intel::seen(Intel::Seen($host=id$orig_h, $conn=c, $where=Conn::IN_ORIG));

	if ( ! addrs_in_one_filter
	    || bloomfilter_lookup(the_filter, cat(id$resp_h)) > 0 )
		Intel::seen(Intel::Seen($host=id$resp_h, $conn=c, $where=Conn::IN_RESP));
	}

event connection_established(c: connection) &group="Intel::ADDR"
    &group="ThreatHunting::established"
	{
	if ( c$orig$state == TCP_ESTABLISHED && c$resp$state == TCP_ESTABLISHED )
		see_ends(c);
	}

event dns_request(c: connection, msg: dns_msg, query: string, qtype: count,
    qclass: count) &group="Intel::DOMAIN" &group="ThreatHunting::queries"
	{
	if ( domains_in_one_filter
	    && bloomfilter_lookup(the_filter, to_lower(query)) == 0 )
		return;

	Intel::seen(Intel::Seen($indicator=query, $indicator_type=Intel::DOMAIN,
	    $conn=c, $where=DNS::IN_REQUEST));
	}

event zeek_script_loaded(path: string, level: count)
	{
	if ( /\/intel\/seen\/conn-established\.zeek$/ in path )
		disable_event_group("ThreatHunting::established");
	else if ( /\/intel\/seen\/dns\.zeek$/ in path )
		disable_event_group("ThreatHunting::queries");
	}
