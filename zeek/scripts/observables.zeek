##! What plugins need to look for something: seen in a record, with or without
##! its connection at hand.

@load ./sightings

module ThreatHunting;

export {
	## Look for a value seen in a log's record.
	##
	## uid: The record's.
	##
	## id: The record's.
	global look: function(uid: string, id: conn_id, value: string, t: Intel::Type,
	    where: Intel::Where);

	## Look for an address seen in a log's record.
	global look_addr: function(uid: string, id: conn_id, host: addr,
	    where: Intel::Where);

	## Look for a host that is a name or an address, with or without a port.
	global look_host: function(uid: string, id: conn_id, host: string,
	    where: Intel::Where);

	## Look for a user's name as it stands, and bare: ``DOMAIN\user`` and
	## ``user@realm`` are ``user``.
	global look_user: function(uid: string, id: conn_id, user: string,
	    where: Intel::Where);

	## Look for a file by its path and its name alone.
	global look_path: function(uid: string, id: conn_id, path: string,
	    where: Intel::Where);

	## Look for a fingerprint in a field that another package adds to a log.
	global look_field: function(uid: string, id: conn_id, rec: any, field: string,
	    t: Intel::Type, where: Intel::Where);

	## Whether an address may be in the store.
	global looks_for_addrs: function(): bool;
}

function looks_for_addrs(): bool
	{
	return addrs_in_store;
	}

function ask_about(s: Intel::Seen, uid: string, id: conn_id)
	{
	if ( connection_exists(id) )
		{
		local c = lookup_connection(id);

		if ( c$uid == uid )
			s$conn = c;
		}

	s$uid = uid;
	s$threathunting_id = id;
	Intel::seen(s);
	}

function look(uid: string, id: conn_id, value: string, t: Intel::Type,
    where: Intel::Where)
	{
	if ( t == Intel::DOMAIN && domains_in_one_filter )
		{
		if ( bloomfilter_lookup(the_filter, to_lower(value)) == 0 )
			return;
		}
	else if ( in_store[t] == 0 )
		return;

	if ( |value| > 0 )
		ask_about(Intel::Seen($indicator=value, $indicator_type=t, $where=where), uid,
		    id);
	}

function look_addr(uid: string, id: conn_id, host: addr, where: Intel::Where)
	{
	if ( ! looks_for_addrs()
	    || ( addrs_in_one_filter && bloomfilter_lookup(the_filter, cat(host)) == 0 ) )
		return;

	ask_about(Intel::Seen($host=host, $indicator_type=Intel::ADDR, $where=where),
	    uid, id);
	}

function look_host(uid: string, id: conn_id, host: string, where: Intel::Where)
	{
	local bare = strip(host);

	if ( /^\[.*\]/ in bare )
		bare = sub(sub(bare, /^\[/, ""), /\].*$/, "");
	else if ( /^[^:]*:[0-9]*$/ == bare )
		bare = sub(bare, /:[0-9]*$/, "");

	if ( is_valid_ip(bare) )
		look_addr(uid, id, to_addr(bare), where);
	else
		look(uid, id, bare, Intel::DOMAIN, where);
	}

function look_user(uid: string, id: conn_id, user: string, where: Intel::Where)
	{
	look(uid, id, user, Intel::USER_NAME, where);
	local bare = sub(sub(user, /^.*\\/, ""), /@.*$/, "");

	if ( bare != user )
		look(uid, id, bare, Intel::USER_NAME, where);
	}

function look_path(uid: string, id: conn_id, path: string, where: Intel::Where)
	{
	look(uid, id, path, Intel::FILE_NAME, where);
	local name = sub(path, /^.*[\\\/]/, "");

	if ( name != path )
		look(uid, id, name, Intel::FILE_NAME, where);
	}

function look_field(uid: string, id: conn_id, rec: any, field: string,
    t: Intel::Type, where: Intel::Where)
	{
	if ( in_store[t] == 0 )
		return;

	local fields = record_fields(rec);

	if ( field in fields
	    && fields[field]?$value
	    && fields[field]$value is string )
		look(uid, id, fields[field]$value as string, t, where);
	}
