##! Files by their name and path, also those of which no content goes by, and the
##! servers whose shares are mapped.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		SMB::IN_ACCESSED_FILE,
		SMB::IN_PREVIOUS_NAME,
		SMB::IN_SHARE
	};
}

redef looks_for += {
	["smb_files"] = Intel::TypeSet(Intel::FILE_NAME),
	["smb_mapping"] = Intel::TypeSet(Intel::ADDR, Intel::DOMAIN)
};

hook smb_files_investigation(rec: SMB::FileInfo, id: Log::ID,
    filter: Log::Filter) &priority=10
	{
	if ( rec?$name )
		{
		local path = sub(rec$name, /^\\+/, "");
		look_path(rec$uid, rec$id, path, SMB::IN_ACCESSED_FILE);

		if ( path != rec$name )
			look(rec$uid, rec$id, rec$name, Intel::FILE_NAME, SMB::IN_ACCESSED_FILE);

		if ( rec?$path )
			look(rec$uid, rec$id, fmt("%s\\%s", sub(rec$path, /\\+$/, ""), path),
			    Intel::FILE_NAME, SMB::IN_ACCESSED_FILE);
		}

	if ( rec?$prev_name )
		look_path(rec$uid, rec$id, sub(rec$prev_name, /^\\+/, ""),
		    SMB::IN_PREVIOUS_NAME);
	}

hook smb_mapping_investigation(rec: SMB::TreeInfo, id: Log::ID,
    filter: Log::Filter) &priority=10
	{
	if ( ! rec?$path || /^\\\\[^\\]/ !in rec$path )
		return;

	local server = split_string(rec$path, /\\/)[2];

	# The server by the address that it was reached at is in conn.log.
	if ( ! ( is_valid_ip(server) && to_addr(server) == rec$id$resp_h ) )
		look_host(rec$uid, rec$id, server, SMB::IN_SHARE);
	}
