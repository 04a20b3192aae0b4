##! Who calls whom, by which hosts, with which software.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		SIP::IN_URI,
		SIP::IN_FROM,
		SIP::IN_TO,
		SIP::IN_REPLY_TO,
		SIP::IN_VIA,
		SIP::IN_USER_AGENT_HEADER
	};
}

redef looks_for += {["sip"] = Intel::TypeSet(Intel::ADDR, Intel::DOMAIN,
    Intel::EMAIL, Intel::SOFTWARE, Intel::USER_NAME)};

# Of a header this much is read: longer ones are an attack.
const max_sip_header = 4096;

# The parties of a header's SIP URIs (RFC 3261, 19.1).
function look_parties(rec: SIP::Info, header: string, where: Intel::Where)
	{
	if ( |header| > max_sip_header )
		header = header[:max_sip_header];

	for ( uri in find_all(header,
	    /([sS][iI][pP][sS]?|[tT][eE][lL]):[^[:space:]<>;?,\"]+/) )
		{
		local target = sub(uri, /^[^:]*:/, "");
		local parts = split_string1(target, /@/);
		local host = |parts| == 2 ? parts[1] : target;

		if ( |parts| == 2 )
			{
			local user = split_string1(parts[0], /:/)[0];
			look(rec$uid, rec$id, user, Intel::USER_NAME, where);
			look(rec$uid, rec$id, fmt("%s@%s", user, sub(host, /:[0-9]+$/, "")),
			    Intel::EMAIL, where);
			}

		look_host(rec$uid, rec$id, host, where);
		}
	}

hook sip_investigation(rec: SIP::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$uri )
		look_parties(rec, rec$uri, SIP::IN_URI);

	if ( rec?$request_from )
		look_parties(rec, rec$request_from, SIP::IN_FROM);

	if ( rec?$response_from )
		look_parties(rec, rec$response_from, SIP::IN_FROM);

	if ( rec?$request_to )
		look_parties(rec, rec$request_to, SIP::IN_TO);

	if ( rec?$response_to )
		look_parties(rec, rec$response_to, SIP::IN_TO);

	if ( rec?$reply_to )
		look_parties(rec, rec$reply_to, SIP::IN_REPLY_TO);

	if ( looks_for_addrs() )
		{
		local vias: vector of string = vector();

		if ( rec?$request_path )
			for ( _, via in rec$request_path )
				vias += via;

		if ( rec?$response_path )
			for ( _, via in rec$response_path )
				vias += via;

		for ( _, via in vias )
			for ( _, text in extract_ip_addresses(via) )
				if ( is_valid_ip(text) )
					look_addr(rec$uid, rec$id, to_addr(text), SIP::IN_VIA);
		}

	if ( rec?$user_agent )
		look(rec$uid, rec$id, rec$user_agent, Intel::SOFTWARE,
		    SIP::IN_USER_AGENT_HEADER);
	}
