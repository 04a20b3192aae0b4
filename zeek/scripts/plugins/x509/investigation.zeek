@load ../../investigations

module ThreatHunting;

export {
	## Lets through the certificates of flagged conversations.
	global x509_investigation: Log::PolicyHook;
}

redef looks_for += {["x509"] = Intel::TypeSet()};

hook x509_investigation(rec: X509::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( ! captured_file() )
		break;
	}

# Zeek logs a certificate once a day. Where no log keeps it, it is told again for
# the conversation that needs it.
event file_state_remove(f: fa_file) &priority=6 &group="ThreatHunting::X509"
    &group="ThreatHunting::compliance"
	{
	if ( ! f?$info || ! f$info?$x509 || ! captured_file() )
		return;

	local cert = f$info$x509;

	if ( ! cert?$deduplication_index )
		hook X509::create_deduplication_index(cert);

	if ( cert?$deduplication_index )
		delete X509::known_log_certs[cert$deduplication_index];
	}

event zeek_init()
	{
	investigate("X509", X509::LOG, "x509", x509_investigation);
	}
