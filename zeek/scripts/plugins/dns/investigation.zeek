@load ../../investigations

module ThreatHunting;

export {
	## Lets through the queries and answers of flagged conversations.
	global dns_investigation: Log::PolicyHook;
}

redef looks_for += {["dns"] = Intel::TypeSet()};

hook dns_investigation(rec: DNS::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( rec$uid !in flagged || ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("DNS", DNS::LOG, "dns", dns_investigation);
	}
