@load ../../investigations

module ThreatHunting;

export {
	## Lets through the commands of flagged conversations.
	global ftp_investigation: Log::PolicyHook;
}

hook ftp_investigation(rec: FTP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("FTP", FTP::LOG, "ftp", ftp_investigation);
	}
