@load ../../investigations

module ThreatHunting;

export {
	## Lets through the logins of flagged conversations.
	global ssh_investigation: Log::PolicyHook;
}

hook ssh_investigation(rec: SSH::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("SSH", SSH::LOG, "ssh", ssh_investigation);
	}
