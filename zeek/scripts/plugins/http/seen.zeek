##! The client behind a proxy, URLs without their query, paths on any host, users
##! and files. Zeek's own scripts ask for host, whole URL, referrer and user agent.

@load base/utils/addrs
@load ../../observables

module ThreatHunting;

export {
	redef enum Intel::Where += {
		HTTP::IN_TRUE_CLIENT_IP_HEADER,
		HTTP::IN_CLIENT_IP_HEADER,
		HTTP::IN_X_CLIENT_IP_HEADER,
		HTTP::IN_X_REAL_IP_HEADER,
		HTTP::IN_X_FORWARDED_FROM_HEADER,
		HTTP::IN_CF_CONNECTING_IP_HEADER,
		HTTP::IN_FORWARDED_HEADER,
		HTTP::IN_URL_PATH,
		HTTP::IN_USER_NAME,
		HTTP::IN_FILE_NAME
	};

	## Headers that name the client behind a proxy.
	option client_headers: table[string] of Intel::Where = {
		["TRUE-CLIENT-IP"] = HTTP::IN_TRUE_CLIENT_IP_HEADER,
		["CLIENT-IP"] = HTTP::IN_CLIENT_IP_HEADER,
		["X-CLIENT-IP"] = HTTP::IN_X_CLIENT_IP_HEADER,
		["X-REAL-IP"] = HTTP::IN_X_REAL_IP_HEADER,
		["X-FORWARDED-FROM"] = HTTP::IN_X_FORWARDED_FROM_HEADER,
		["CF-CONNECTING-IP"] = HTTP::IN_CF_CONNECTING_IP_HEADER,
		["FORWARDED"] = HTTP::IN_FORWARDED_HEADER,
		["X-FORWARDED-FOR"] = HTTP::IN_X_FORWARDED_FOR_HEADER,
	} &redef;
}

event http_header(c: connection, is_orig: bool, name: string, value: string)
    &group="ThreatHunting::HTTP" &group="ThreatHunting::Intel::ADDR"
	{
	if ( ! is_orig || name !in client_headers )
		return;

	# Zeek's own script asks for a single address in this one.
	if ( name == "X-FORWARDED-FOR" && is_valid_ip(value) )
		return;

	local met: set[addr] = set();

	for ( _, text in extract_ip_addresses(value) )
		if ( is_valid_ip(text) )
			add met[to_addr(text)];

	for ( host in met )
		Intel::seen(Intel::Seen($host=host, $indicator_type=Intel::ADDR, $conn=c,
		    $where=client_headers[name]));
	}

event http_message_done(c: connection, is_orig: bool, stat: http_message_stat)
    &group="ThreatHunting::HTTP" &group="ThreatHunting::Intel::URL"
	{
	if ( ! is_orig || ! c?$http || ! c$http?$uri )
		return;

	local asked: set[string] = set();
	local uri = c$http$uri;
	local path = uri;

	if ( "?" in uri )
		{
		path = split_string1(uri, /\?/)[0];
		add asked[split_string1(HTTP::build_url(c$http), /\?/)[0]];
		}

	if ( paths_in_store > 0 && uri[0] == "/" )
		{
		add asked[uri];
		add asked[path];
		}

	for ( text in asked )
		if ( text != "/" )
			Intel::seen(Intel::Seen($indicator=text, $indicator_type=Intel::URL, $conn=c,
			    $where=HTTP::IN_URL_PATH));
	}

event http_message_done(c: connection, is_orig: bool, stat: http_message_stat)
    &group="ThreatHunting::HTTP" &group="ThreatHunting::Intel::USER_NAME"
	{
	if ( is_orig && c?$http && c$http?$username )
		Intel::seen(Intel::Seen($indicator=c$http$username,
		    $indicator_type=Intel::USER_NAME, $conn=c,
		    $where=HTTP::IN_USER_NAME));
	}
