@load ../../investigations

module ThreatHunting;

export {
	## Lets through what flagged conversations do with files.
	global smb_files_investigation: Log::PolicyHook;

	## Lets through the shares that they map.
	global smb_mapping_investigation: Log::PolicyHook;
}

hook smb_files_investigation(rec: SMB::FileInfo, id: Log::ID,
    filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

hook smb_mapping_investigation(rec: SMB::TreeInfo, id: Log::ID,
    filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("SMB", SMB::FILES_LOG, "smb_files", smb_files_investigation);
	investigate("SMB", SMB::MAPPING_LOG, "smb_mapping", smb_mapping_investigation);
	}
