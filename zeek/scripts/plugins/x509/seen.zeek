##! Addresses, e-mail addresses and URLs that a certificate is for. Zeek's own
##! scripts ask for its names, its subject's e-mail address and its hash.

@load ../../observables

module ThreatHunting;

export {
	redef enum Intel::Where += {
		X509::IN_SAN_EMAIL,
		X509::IN_SAN_IP,
		X509::IN_SAN_URI
	};
}

event x509_ext_subject_alternative_name(f: fa_file,
    ext: X509::SubjectAlternativeName) &group="ThreatHunting::X509"
    &group="ThreatHunting::armed"
	{
	if ( ext?$email && in_store[Intel::EMAIL] > 0 )
		for ( _, email in ext$email )
			Intel::seen(Intel::Seen($indicator=email, $indicator_type=Intel::EMAIL, $f=f,
			    $where=X509::IN_SAN_EMAIL));

	if ( ext?$ip && looks_for_addrs() )
		for ( _, host in ext$ip )
			Intel::seen(Intel::Seen($host=host, $indicator_type=Intel::ADDR, $f=f,
			    $where=X509::IN_SAN_IP));

	if ( ext?$uri && in_store[Intel::URL] > 0 )
		for ( _, uri in ext$uri )
			Intel::seen(Intel::Seen($indicator=sub(uri, /^.*:\/\//, ""),
			    $indicator_type=Intel::URL, $f=f,
			    $where=X509::IN_SAN_URI));
	}
