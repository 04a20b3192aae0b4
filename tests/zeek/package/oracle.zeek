# What was written and what was seen, in order, told independently of the package.
module Oracle;

global seq = 0;
global out: file;
global at_hand: set[string];

event zeek_init() &priority=1000
	{
	out = open("oracle.jsonl");
	}

function uids_of(f: fa_file): set[string]
	{
	local uids: set[string] = set();

	if ( f?$conns )
		for ( _, c in f$conns )
			add uids[c$uid];

	return uids;
	}

event file_state_remove(f: fa_file) &priority=200
	{
	at_hand = uids_of(f);
	}

hook Log::log_stream_policy(rec: any, id: Log::ID) &priority=1000
	{
	local fields = record_fields(rec);

	if ( id == Files::LOG && "X509" in ( rec as Files::Info )$analyzers )
		return;

	local uids: set[string] = set();

	if ( "uid" in fields && fields["uid"]?$value )
		add uids[fields["uid"]$value as string];
	else if ( id == X509::LOG || id == PE::LOG )
		uids = at_hand;

	print out, to_json([$what="write", $seq=++seq,
	    $log=Log::active_streams[id]$path, $uids=uids]);
	}

hook Intel::seen_policy(s: Intel::Seen, found: bool) &priority=-200
	{
	if ( ! found )
		return;

	local uids: set[string] = set();

	if ( s?$f )
		uids = uids_of(s$f);

	if ( s?$conn )
		add uids[s$conn$uid];
	else if ( s?$uid )
		add uids[s$uid];

	print out, to_json([$what="seen", $seq=seq, $where=cat(s$where), $uids=uids]);
	}
