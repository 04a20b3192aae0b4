##! The user in the connection's cookie, and the client's name.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		RDP::IN_COOKIE,
		RDP::IN_CLIENT_NAME
	};
}

redef looks_for += {["rdp"] = Intel::TypeSet(Intel::DOMAIN, Intel::USER_NAME)};

hook rdp_investigation(rec: RDP::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$cookie )
		look_user(rec$uid, rec$id, rec$cookie, RDP::IN_COOKIE);

	if ( rec?$client_name )
		look(rec$uid, rec$id, rec$client_name, Intel::DOMAIN, RDP::IN_CLIENT_NAME);
	}
