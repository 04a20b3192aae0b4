##! Fingerprints of whole chains, and JA3 and JA4 where a package puts them into
##! the log. Zeek's own scripts ask for server name and common name.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		SSL::IN_CERT_CHAIN,
		SSL::IN_CLIENT_CERT_CHAIN,
		SSL::IN_JA3,
		SSL::IN_JA3S,
		SSL::IN_JA4
	};
}

redef looks_for += {["ssl"] = Intel::TypeSet(Intel::CERT_HASH, Intel::JA3,
    Intel::JA4)};

hook ssl_investigation(rec: SSL::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( in_store[Intel::CERT_HASH] > 0 )
		{
		# By SHA-256: Zeek asks for the SHA-1, as its logs once had it.
		if ( rec?$cert_chain_fps )
			for ( _, print_of_cert in rec$cert_chain_fps )
				look(rec$uid, rec$id, print_of_cert, Intel::CERT_HASH, SSL::IN_CERT_CHAIN);

		if ( rec?$client_cert_chain_fps )
			for ( _, print_of_cert in rec$client_cert_chain_fps )
				look(rec$uid, rec$id, print_of_cert, Intel::CERT_HASH,
				    SSL::IN_CLIENT_CERT_CHAIN);
		}

	# Where the site's own filter is off, so are the hooks in which packages work
	# fingerprints out.
	if ( compliance && in_store[Intel::JA4] > 0 )
		hook SSL::log_policy(rec, id, filter);

	look_field(rec$uid, rec$id, rec, "ja3", Intel::JA3, SSL::IN_JA3);
	look_field(rec$uid, rec$id, rec, "ja3s", Intel::JA3, SSL::IN_JA3S);
	look_field(rec$uid, rec$id, rec, "ja4", Intel::JA4, SSL::IN_JA4);
	}
