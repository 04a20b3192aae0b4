@load ../../investigations

module ThreatHunting;

export {
	## Lets through the requests and answers of flagged conversations.
	global sip_investigation: Log::PolicyHook;
}

hook sip_investigation(rec: SIP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("SIP", SIP::LOG, "sip", sip_investigation);
	}
