##! Who logs in, and whether it worked; versions of both sides; host keys by their
##! SHA-256; HASSH where a package puts it into the log.

@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		SSH::AUTH_SUCCESSFUL,
		SSH::AUTH_FAILED,
		SSH::IN_CLIENT_VERSION,
		SSH::IN_SERVER_VERSION,
		SSH::IN_HASSH,
		SSH::IN_HASSH_SERVER
	};
}

redef looks_for += {["ssh"] = Intel::TypeSet(Intel::HASSH, Intel::PUBKEY_HASH,
    Intel::SOFTWARE)};

event ssh_auth_attempted(c: connection, authenticated: bool)
    &group="ThreatHunting::SSH" &group="ThreatHunting::Intel::ADDR"
	{
	local where = authenticated ? SSH::AUTH_SUCCESSFUL : SSH::AUTH_FAILED;

	# Once a conversation, however many passwords are tried.
	if ( is_flagged(c$uid)
	    && flagged_with(c$uid, label_of(Intel::ADDR, cat(c$id$orig_h)), cat(where)) )
		return;

	Intel::seen(Intel::Seen($host=c$id$orig_h, $conn=c, $where=where));
	}

function look_version(rec: SSH::Info, banner: string, where: Intel::Where)
	{
	look(rec$uid, rec$id, banner, Intel::SOFTWARE, where);

	# SSH-protocol-software (RFC 4253, 4.2)
	if ( /^SSH-[^-]*-/ in banner )
		look(rec$uid, rec$id, sub(banner, /^SSH-[^-]*-/, ""), Intel::SOFTWARE, where);
	}

hook ssh_investigation(rec: SSH::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$client )
		look_version(rec, rec$client, SSH::IN_CLIENT_VERSION);

	if ( rec?$server )
		look_version(rec, rec$server, SSH::IN_SERVER_VERSION);

	if ( rec?$host_key_fingerprint )
		{
		local fingerprint = to_lower(rec$host_key_fingerprint);

		# Zeek 8.2 writes 32 of the 43 characters.
		look(rec$uid, rec$id, |fingerprint| > 39 ? fingerprint[:39] : fingerprint,
		    Intel::PUBKEY_HASH, SSH::IN_SERVER_HOST_KEY);
		}

	look_field(rec$uid, rec$id, rec, "hassh", Intel::HASSH, SSH::IN_HASSH);
	look_field(rec$uid, rec$id, rec, "hasshServer", Intel::HASSH,
	    SSH::IN_HASSH_SERVER);
	}
