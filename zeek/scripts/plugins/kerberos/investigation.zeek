@load ../../investigations

module ThreatHunting;

export {
	## Lets through the tickets of flagged conversations.
	global kerberos_investigation: Log::PolicyHook;
}

hook kerberos_investigation(rec: KRB::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("KERBEROS", KRB::LOG, "kerberos", kerberos_investigation);
	}
