##! Users, the files that commands are about, and third parties on data channels.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		FTP::IN_USER_NAME,
		FTP::IN_URL,
		FTP::IN_FILE_NAME,
		FTP::IN_DATA_CHANNEL
	};
}

redef looks_for += {["ftp"] = Intel::TypeSet(Intel::ADDR, Intel::FILE_NAME,
    Intel::URL, Intel::USER_NAME)};

hook ftp_investigation(rec: FTP::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec$user != "<unknown>" )
		look(rec$uid, rec$id, rec$user, Intel::USER_NAME, FTP::IN_USER_NAME);

	if ( rec?$arg && rec?$command && rec$command in FTP::logged_commands )
		{
		local path = rec$arg;

		if ( /^ftp:\/\// in path )
			{
			look(rec$uid, rec$id, sub(path, /^ftp:\/\//, ""), Intel::URL, FTP::IN_URL);
			path = sub(path, /^ftp:\/\/[^\/]*/, "");
			}

		if ( rec$command != "PORT"
		    && rec$command != "EPRT"
		    && rec$command != "PASV"
		    && rec$command != "EPSV" )
			look_path(rec$uid, rec$id, path, FTP::IN_FILE_NAME);
		}

	if ( rec?$data_channel )
		{
		local ends = set(rec$data_channel$orig_h, rec$data_channel$resp_h);

		for ( host in ends )
			if ( host != rec$id$orig_h && host != rec$id$resp_h )
				look_addr(rec$uid, rec$id, host, FTP::IN_DATA_CHANNEL);
		}
	}
