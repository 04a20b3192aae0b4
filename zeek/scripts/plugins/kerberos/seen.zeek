##! Clients, and the hosts of the services that they ask tickets for.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		KERBEROS::IN_CLIENT,
		KERBEROS::IN_SERVICE
	};
}

redef looks_for += {["kerberos"] = Intel::TypeSet(Intel::ADDR, Intel::DOMAIN,
    Intel::USER_NAME)};

hook kerberos_investigation(rec: KRB::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$client )
		{
		# Zeek writes user/REALM.
		if ( "/" in rec$client )
			{
			local user = sub(rec$client, /\/[^\/]*$/, "");
			look(rec$uid, rec$id, user, Intel::USER_NAME, KERBEROS::IN_CLIENT);
			look(rec$uid, rec$id, fmt("%s@%s", user, sub(rec$client, /^.*\//, "")),
			    Intel::USER_NAME, KERBEROS::IN_CLIENT);
			}
		else
			look(rec$uid, rec$id, rec$client, Intel::USER_NAME, KERBEROS::IN_CLIENT);
		}

	if ( rec?$service
	    && "/" in rec$service
	    && /^[kK][rR][bB][tT][gG][tT]\// !in rec$service )
		look_host(rec$uid, rec$id, split_string(rec$service, /\//)[1],
		    KERBEROS::IN_SERVICE);
	}
