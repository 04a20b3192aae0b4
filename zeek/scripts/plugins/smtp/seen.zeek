##! The name that a client greets with, addresses in more than one form, envelopes
##! without a message, URLs at the end of a line or in quotes. Zeek's own script asks for what is in a message's headers.

@load base/utils/email
@load base/utils/urls
@load frameworks/intel/seen/smtp-url-extraction
@load ../../observables
@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += {
		SMTP::IN_HELO,
		SMTP::IN_ENVELOPE
	};
}

redef looks_for += {["smtp"] = Intel::TypeSet(Intel::ADDR, Intel::DOMAIN,
    Intel::EMAIL)};

function look_addresses(rec: SMTP::Info, text: string, where: Intel::Where)
	{
	if ( in_store[Intel::EMAIL] > 0 )
		for ( email in extract_email_addrs_set(text) )
			look(rec$uid, rec$id, email, Intel::EMAIL, where);
	}

hook smtp_investigation(rec: SMTP::Info, id: Log::ID, filter: Log::Filter)
    &priority=10
	{
	if ( rec?$helo )
		look_host(rec$uid, rec$id, rec$helo, SMTP::IN_HELO);

	# Zeek's own script asks for these whole, with the name beside the address.
	if ( rec?$cc )
		for ( text in rec$cc )
			if ( "<" in text )
				look_addresses(rec, text, SMTP::IN_CC);

	if ( rec?$reply_to && "<" in rec$reply_to )
		look_addresses(rec, rec$reply_to, SMTP::IN_REPLY_TO);

	# Refused, broken off, or in TLS from there on.
	if ( rec?$from
	    || rec?$to
	    || rec?$subject
	    || rec?$date
	    || rec?$msg_id
	    || rec?$first_received )
		return;

	if ( rec?$mailfrom )
		look(rec$uid, rec$id, rec$mailfrom, Intel::EMAIL, SMTP::IN_ENVELOPE);

	if ( rec?$rcptto )
		for ( to in rec$rcptto )
			look(rec$uid, rec$id, to, Intel::EMAIL, SMTP::IN_ENVELOPE);
	}

# To Zeek's own script a URL goes on to the next blank, over ends of lines and quotes.
event intel_mime_data(f: fa_file, data: string) &group="ThreatHunting::SMTP"
    &group="ThreatHunting::Intel::URL"
	{
	if ( ! f?$conns )
		return;

	for ( found in find_all_urls_without_scheme(data) )
		{
		local url = sub(split_string1(found, /[[:space:]\"\'<>]/)[0], /[.,;:!?)]+$/,
		    "");

		if ( url != found && |url| > 0 )
			for ( _, c in f$conns )
				Intel::seen(Intel::Seen($indicator=url, $indicator_type=Intel::URL, $conn=c,
				    $where=SMTP::IN_MESSAGE));
		}
	}
