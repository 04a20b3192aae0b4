##! Users, their domain, and the names of both hosts.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		NTLM::IN_USER_NAME,
		NTLM::IN_HOST_NAME,
		NTLM::IN_DOMAIN_NAME,
		NTLM::IN_SERVER_NAME
	};
}

redef looks_for += {["ntlm"] = Intel::TypeSet(Intel::DOMAIN, Intel::USER_NAME)};

hook ntlm_investigation(rec: NTLM::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$username )
		{
		look(rec$uid, rec$id, rec$username, Intel::USER_NAME, NTLM::IN_USER_NAME);

		if ( rec?$domainname )
			look(rec$uid, rec$id, fmt("%s\\%s", rec$domainname, rec$username),
			    Intel::USER_NAME, NTLM::IN_USER_NAME);
		}

	if ( rec?$hostname )
		look(rec$uid, rec$id, rec$hostname, Intel::DOMAIN, NTLM::IN_HOST_NAME);

	if ( rec?$domainname )
		look(rec$uid, rec$id, rec$domainname, Intel::DOMAIN, NTLM::IN_DOMAIN_NAME);

	if ( rec?$server_dns_computer_name )
		look(rec$uid, rec$id, rec$server_dns_computer_name, Intel::DOMAIN,
		    NTLM::IN_SERVER_NAME);

	if ( rec?$server_nb_computer_name )
		look(rec$uid, rec$id, rec$server_nb_computer_name, Intel::DOMAIN,
		    NTLM::IN_SERVER_NAME);
	}
