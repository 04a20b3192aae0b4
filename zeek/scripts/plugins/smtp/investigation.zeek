@load ../../investigations

module ThreatHunting;

export {
	## Lets through the mails of flagged conversations.
	global smtp_investigation: Log::PolicyHook;
}

hook smtp_investigation(rec: SMTP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("SMTP", SMTP::LOG, "smtp", smtp_investigation);
	}
