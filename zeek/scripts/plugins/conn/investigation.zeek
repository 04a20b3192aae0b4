@load ../../investigations

module ThreatHunting;

export {
	## Lets through the connections of flagged conversations.
	global conn_investigation: Log::PolicyHook;
}

redef looks_for += {["conn"] = Intel::TypeSet()};

hook conn_investigation(rec: Conn::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( rec$uid !in flagged || ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("CONN", Conn::LOG, "conn", conn_investigation);
	}
