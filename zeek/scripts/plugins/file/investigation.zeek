@load ../../investigations

module ThreatHunting;

export {
	## Lets through the files of flagged conversations.
	global files_investigation: Log::PolicyHook;

	## Lets through their executables.
	global pe_investigation: Log::PolicyHook;

	## Lets through their answers about certificates.
	global ocsp_investigation: Log::PolicyHook;
}

redef looks_for += {
	["files"] = Intel::TypeSet(),
	["ocsp"] = Intel::TypeSet(),
	["pe"] = Intel::TypeSet()
};

hook files_investigation(rec: Files::Info, id: Log::ID, filter: Log::Filter)
	{
	# As in files.log; certificates have a log of their own.
	if ( ! X509::log_x509_in_files_log && "X509" in rec$analyzers )
		break;

	if ( ! captured(rec?$uid ? rec$uid : rec$fuid) )
		break;
	}

hook pe_investigation(rec: PE::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured_file() )
		break;
	}

hook ocsp_investigation(rec: OCSP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured_file() )
		break;
	}

event ocsp_response_certificate(f: fa_file, hashAlgorithm: string,
    issuerNameHash: string, issuerKeyHash: string, serialNumber: string,
    certStatus: string, revoketime: time, revokereason: string,
    thisUpdate: time, nextUpdate: time) &priority=100
	{
	file_at_hand = f;
	has_file_at_hand = T;
	}

event ocsp_response_certificate(f: fa_file, hashAlgorithm: string,
    issuerNameHash: string, issuerKeyHash: string, serialNumber: string,
    certStatus: string, revoketime: time, revokereason: string,
    thisUpdate: time, nextUpdate: time) &priority=-100
	{
	has_file_at_hand = F;
	}

event zeek_init()
	{
	investigate("FILE", Files::LOG, "files", files_investigation);
	investigate("FILE", PE::LOG, "pe", pe_investigation);
	investigate("FILE", OCSP::LOG, "ocsp", ocsp_investigation);
	}
