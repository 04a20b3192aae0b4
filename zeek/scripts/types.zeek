##! Types of indicators, levels, and what goes over the link.

# Packages that bring these fingerprints may have named the types already.
@ifndef ( Intel::JA3 )
module Intel;

export {
	redef enum Intel::Type += {
		## The MD5 of a TLS client's or server's hello.
		JA3
	};
}
@endif

@ifndef ( Intel::JA4 )
module Intel;

export {
	redef enum Intel::Type += {
		## A TLS client's fingerprint by FoxIO.
		JA4
	};
}
@endif

@ifndef ( Intel::HASSH )
module Intel;

export {
	redef enum Intel::Type += {
		## The MD5 of an SSH client's or server's algorithms.
		HASSH
	};
}
@endif

module ThreatHunting;

export {
	redef record Intel::MetaData += {
		## How bad the source takes the indicator for: low, medium, high or
		## critical.
		level: string &optional;
	};

	## Levels, lowest first.
	const levels = vector("low", "medium", "high", "critical");

	## Types by the name that the link has for them.
	const types: table[string] of Intel::Type = {
		["addr"] = Intel::ADDR,
		["subnet"] = Intel::SUBNET,
		["url"] = Intel::URL,
		["software"] = Intel::SOFTWARE,
		["email"] = Intel::EMAIL,
		["domain"] = Intel::DOMAIN,
		["user_name"] = Intel::USER_NAME,
		["cert_hash"] = Intel::CERT_HASH,
		["pubkey_hash"] = Intel::PUBKEY_HASH,
		["file_hash"] = Intel::FILE_HASH,
		["file_name"] = Intel::FILE_NAME,
		["ja3"] = Intel::JA3,
		["ja4"] = Intel::JA4,
		["hassh"] = Intel::HASSH,
	};

	## The link's names by type.
	global type_names: table[Intel::Type] of string;

	## An intel item as the link brings it.
	type WireItem: record {
		## The indicator's value, canonical.
		v: string;
		## Its type, a key of :zeek:see:`ThreatHunting::types`.
		t: string;
		## Who told of it.
		s: string;
		## Its level.
		l: string &default="low";
		## A description.
		d: string &default="";
		## Where there is more to read.
		u: string &default="";
		## The source's id of it.
		i: string &default="";
		## When it expires, in seconds since the epoch; 0 = never.
		e: double &default=0.0;
		## Whether a domain stands for its subdomains, too.
		x: bool &default=F;
	};

	## A batch of items.
	type WireItems: vector of WireItem;

	## An item that a node doesn't take.
	type Refusal: record {
		v: string;
		t: string;
		reason: string;
	};

	## What matched, known where it was seen.
	type Hit: record {
		## Each "type value".
		indicators: vector of string;
		## Who told of them.
		sources: set[string];
		## Their types.
		matched: Intel::TypeSet;
		## The highest of their levels, a place in :zeek:see:`ThreatHunting::levels`.
		level: count;
		## The items, where an answer brought them.
		items: set[Intel::Item] &optional;
		## Whether it is taken for a match as there was no answer in time.
		unverified: bool &default=F;
	};

	## The place of a level's name in :zeek:see:`ThreatHunting::levels`; 0 where it is none.
	global level_of: function(name: string): count;

	## "type value", which is how indicators go by.
	global label_of: function(t: Intel::Type, value: string): string;

	## The time that expiry goes by: of the packets in a capture, of the clock else.
	global now: function(): time;
}

function level_of(name: string): count
	{
	switch ( to_lower(name) )
		{
		case "critical":
			return 3;
		case "high":
			return 2;
		case "medium":
			return 1;
		default:
			return 0;
		}
	}

function label_of(t: Intel::Type, value: string): string
	{
	return fmt("%s %s", t in type_names ? type_names[t] : cat(t), value);
	}

function now(): time
	{
	return reading_traces() ? network_time() : current_time();
	}

event zeek_init() &priority=100
	{
	for ( name, t in types )
		type_names[t] = name;
	}
