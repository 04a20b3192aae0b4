##! Headers and bodies of requests and responses, held until their record is
##! written and dropped then unless the conversation is flagged.

@load ../../investigations

module ThreatHunting;

export {
	## What an HTTP investigation record tells besides the log's own fields.
	type HTTPMarks: record {
		threathunting: bool &log;
		threathunting_indicators: vector of string &log;
		threathunting_where: vector of string &log;
		threathunting_level: string &log;
		threathunting_unverified: bool &log &optional;
		## Each "Name: value", in order.
		request_headers: vector of string &log &optional;
		## The first bytes of the body, decoded as the headers say.
		request_body: string &log &optional;
		## The SHA-256 of all that was seen of it.
		request_body_sha256: string &log &optional;
		response_headers: vector of string &log &optional;
		response_body: string &log &optional;
		response_body_sha256: string &log &optional;
	};

	redef record HTTP::Info += {
		# Not logged: names and values in turn, as Zeek has parsed them anyway.
		threathunting_request: vector of string &optional;
		threathunting_response: vector of string &optional;
		# Where the response begins among the parts of all responses to the request
		# (100 Continue).
		threathunting_part: count &default=1;
	};

	## The marks of the HTTP record that is being captured.
	global http_marks: function(path: string): HTTPMarks;

	## Take what is held for a record into its marks.
	global take_content: function(rec: HTTP::Info);

	## Let go of what is held for a record.
	global drop_content: function(rec: HTTP::Info);
}

type Body: record {
	text: string &default="";
	hash: opaque of sha256;
};

global drop_body: function(bodies: table[string] of Body, key: string)
    : interval;

global bodies: table[string] of Body &write_expire=5min &expire_func=drop_body;

global bytes_held = 0;

global content: HTTPMarks;

function drop_body(bodies: table[string] of Body, key: string): interval
	{
	local n = |bodies[key]$text|;
	bytes_held = bytes_held > n ? bytes_held - n : 0;
	return 0sec;
	}

function body_key(rec: HTTP::Info, is_orig: bool): string
	{
	return fmt("%s %d %d", rec$uid, rec$trans_depth, is_orig ? 1 : 0);
	}

# Headers come one by one: having Zeek make the list of http_all_headers would cost
# four times as much. Those that come before this are not held, and neither are
# those of a message's parts.
event http_request(c: connection, method: string, original_URI: string,
    unescaped_URI: string, version: string) &group="ThreatHunting::HTTP"
    &group="ThreatHunting::armed" &group="ThreatHunting::headers"
	{
	if ( c?$http )
		c$http$threathunting_request = vector();
	}

event http_reply(c: connection, version: string, code: count, reason: string)
    &group="ThreatHunting::HTTP" &group="ThreatHunting::armed"
    &group="ThreatHunting::headers"
	{
	if ( ! c?$http )
		return;

	c$http$threathunting_response = vector();

	if ( c$http$resp_mime_depth > 0 )
		c$http$threathunting_part = c$http$resp_mime_depth + 1;
	}

event http_header(c: connection, is_orig: bool, original_name: string,
    name: string, value: string) &group="ThreatHunting::HTTP"
    &group="ThreatHunting::armed" &group="ThreatHunting::headers"
	{
	local rec = c$http;

	if ( is_orig )
		{
		if ( rec$orig_mime_depth == 1 && rec?$threathunting_request )
			{
			rec$threathunting_request += original_name;
			rec$threathunting_request += value;
			}
		}
	else if ( rec$resp_mime_depth == rec$threathunting_part
	    && rec?$threathunting_response )
		{
		rec$threathunting_response += original_name;
		rec$threathunting_response += value;
		}
	}

event http_entity_data(c: connection, is_orig: bool, length: count,
    data: string) &group="ThreatHunting::HTTP" &group="ThreatHunting::armed"
    &group="ThreatHunting::bodies"
	{
	if ( ! c?$http )
		return;

	local key = body_key(c$http, is_orig);

	if ( key !in bodies )
		{
		if ( bytes_held >= http_body_memory )
			{
			++dropped["bodies"];
			return;
			}

		bodies[key] = Body($hash=sha256_hash_init());
		}

	local body = bodies[key];
	sha256_hash_update(body$hash, data);
	local room = http_body_bytes > |body$text| ? http_body_bytes - |body$text| : 0;

	if ( room == 0 || bytes_held >= http_body_memory )
		return;

	local piece = |data| > room ? data[:room] : data;
	body$text += piece;
	bytes_held += |piece|;
	}

function header_lines(headers: vector of string): vector of string
	{
	local lines: vector of string = vector();
	local i = 0;

	while ( i < |headers| )
		{
		lines += fmt("%s: %s", headers[i], headers[i + 1]);
		i += 2;
		}

	return lines;
	}

function take_body(rec: HTTP::Info, is_orig: bool): Body
	{
	local key = body_key(rec, is_orig);
	local body = bodies[key];
	drop_body(bodies, key);
	delete bodies[key];
	return body;
	}

function take_content(rec: HTTP::Info)
	{
	# It is only asked whether the record has to wait, or it has.
	if ( probing || passed_over )
		return;

	content = HTTPMarks($threathunting=T,
	    $threathunting_indicators=marks$threathunting_indicators,
	    $threathunting_where=marks$threathunting_where,
	    $threathunting_level=marks$threathunting_level);

	if ( marks?$threathunting_unverified )
		content$threathunting_unverified = marks$threathunting_unverified;

	if ( rec?$threathunting_request )
		content$request_headers = header_lines(rec$threathunting_request);

	if ( rec?$threathunting_response )
		content$response_headers = header_lines(rec$threathunting_response);

	if ( |bodies| == 0 )
		return;

	if ( body_key(rec, T) in bodies )
		{
		local sent = take_body(rec, T);
		content$request_body = sent$text;
		content$request_body_sha256 = sha256_hash_finish(sent$hash);
		}

	if ( body_key(rec, F) in bodies )
		{
		local got = take_body(rec, F);
		content$response_body = got$text;
		content$response_body_sha256 = sha256_hash_finish(got$hash);
		}
	}

function drop_content(rec: HTTP::Info)
	{
	if ( |bodies| == 0 || probing || passed_over )
		return;

	if ( body_key(rec, T) in bodies )
		take_body(rec, T);

	if ( body_key(rec, F) in bodies )
		take_body(rec, F);
	}

function http_marks(path: string): HTTPMarks
	{
	return content;
	}

function switch_bodies(n: count)
	{
	set_group("ThreatHunting::bodies", n > 0);

	# They are let go of by the hook.
	watch("http", n > 0);

	if ( n > Log::default_max_field_string_bytes )
		Reporter::warning(fmt("ThreatHunting: Zeek logs %d bytes of a field; redef Log::default_max_field_string_bytes for bodies of %d",
		    Log::default_max_field_string_bytes, n));
	}

function bodies_option(id: string, n: count): count
	{
	switch_bodies(n);
	return n;
	}

function headers_option(id: string, on: bool): bool
	{
	set_group("ThreatHunting::headers", on);
	return on;
	}

event zeek_init()
	{
	switch_bodies(http_body_bytes);
	headers_option("", http_headers);
	Option::set_change_handler("ThreatHunting::http_body_bytes", bodies_option,
	    -200);
	Option::set_change_handler("ThreatHunting::http_headers", headers_option,
	    -200);
	}
