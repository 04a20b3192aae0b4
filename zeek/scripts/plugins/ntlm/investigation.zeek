@load ../../investigations

module ThreatHunting;

export {
	## Lets through the logins of flagged conversations.
	global ntlm_investigation: Log::PolicyHook;
}

hook ntlm_investigation(rec: NTLM::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("NTLM", NTLM::LOG, "ntlm", ntlm_investigation);
	}
