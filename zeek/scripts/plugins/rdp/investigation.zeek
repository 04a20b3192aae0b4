@load ../../investigations

module ThreatHunting;

export {
	## Lets through the sessions of flagged conversations.
	global rdp_investigation: Log::PolicyHook;
}

hook rdp_investigation(rec: RDP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("RDP", RDP::LOG, "rdp", rdp_investigation);
	}
