@load ../../investigations

module ThreatHunting;

export {
	## Lets through the handshakes of flagged conversations.
	global ssl_investigation: Log::PolicyHook;
}

hook ssl_investigation(rec: SSL::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("SSL", SSL::LOG, "ssl", ssl_investigation);
	}
