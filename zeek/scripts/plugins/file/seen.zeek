##! Zeek's own scripts ask for hashes and names of files; here files are hashed
##! while hashes are armed, with the algorithms that are asked for.

@load ../../observables

module ThreatHunting;

event file_new(f: fa_file) &group="ThreatHunting::FILE"
    &group="ThreatHunting::Intel::FILE_HASH"
	{
	if ( ! hash_files )
		return;

	if ( hashes_in_store[32] > 0 )
		Files::add_analyzer(f, Files::ANALYZER_MD5);

	if ( hashes_in_store[40] > 0 )
		Files::add_analyzer(f, Files::ANALYZER_SHA1);

	if ( hashes_in_store[64] > 0 )
		Files::add_analyzer(f, Files::ANALYZER_SHA256);
	}
