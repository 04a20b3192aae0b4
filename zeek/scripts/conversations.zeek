##! Which conversations are flagged, and why.

@load ./store

module ThreatHunting;

export {
	## Why a conversation is captured.
	type Flag: record {
		## Its connection.
		id: conn_id &optional;
		## Each "type value".
		indicators: vector of string &default=vector();
		## Where each was seen.
		where: vector of string &default=vector();
		## The highest level, a place in :zeek:see:`ThreatHunting::levels`.
		level: count &default=0;
		## When its connection was found to have ended.
		ended: time &optional;
		## Those of the indicators that no answer has confirmed in time.
		unsure: set[string] &default=set();
	};

	## What an investigation record tells besides its log's own fields.
	type Marks: record {
		threathunting: bool &log;
		threathunting_indicators: vector of string &log;
		threathunting_where: vector of string &log;
		threathunting_level: string &log;
		## Captured since an answer didn't come in time; left out where it did.
		threathunting_unverified: bool &log &optional;
	};

	## Flag a conversation.
	global flag: function(uid: string, id: conn_id, hit: Hit, where: string);

	## Flag a file that belongs to no connection.
	global flag_file: function(fuid: string, hit: Hit, where: string);

	## Whether a conversation has been flagged with this indicator, seen there.
	global flagged_with: function(uid: string, indicator: string, where: string)
	    : bool;

	## Whether a conversation, or a file that belongs to none, is flagged.
	global is_flagged: function(key: string): bool;

	## Whether a record of this conversation (or file) is to be captured; it then
	## has the marks of that conversation. For policy hooks of investigation logs.
	global captured: function(key: string): bool;

	## The same for a record of the file at hand, whose log names no conversation.
	global captured_file: function(): bool;

	## The marks of the record that is being captured.
	global current_marks: function(path: string): Marks;

	## What the bounds dropped.
	global dropped: table[string] of count &default=0;

	## Take back a reason that isn't sure, and the flag if it has no other.
	global unflag: function(key: string, indicator: string);

	## Conversations and files of which it isn't known yet whether they are to be
	## captured, with what is asked for.
	global waiting: table[string] of set[string];

	## Whether there are any.
	global any_waiting = F;

	## Those of them that a record belongs to, which its log's policy hook asks
	## about. Nothing is captured by that.
	global waiting_of: function(rec: any, id: Log::ID, policy: Log::PolicyHook)
	    : vector of string;

	## Whether anything is, or was of late, flagged.
	global capturing = F;

	## Called when that has changed.
	global capturing_switched: hook();

	## Forget all flags.
	global unflag_all: function();

	## How soon after a capture its records are in the files, which Zeek else
	## writes once a second; 0 = as Zeek does. Not for traces.
	option flush_delay = 100msec;

	## Something has been captured, *flush_delay* ago.
	global flush_captured: event();
}

# Nothing may be flagged any more.
global stop_capturing: event();

# Whether a flush is on its way.
global flushing = F;

global expire_flag: function(flags: table[string] of Flag, uid: string)
    : interval;

global flagged: table[string] of Flag &create_expire=1min
    &expire_func=expire_flag;

# Files without a connection.
global flagged_files: table[string] of Flag &create_expire=10min;

# The file whose last events are being handled: records of certificates and
# executables are written then.
global file_at_hand: fa_file;
global has_file_at_hand = F;

# Whether a policy hook is only asked which conversation its record is of.
global probing = F;

# Whether the record that policy hooks are asked about is not written now, but
# once an answer has come.
global passed_over = F;

global probed: vector of string = vector();

global marks = Marks($threathunting=T, $threathunting_indicators=vector(),
    $threathunting_where=vector(), $threathunting_level="low");

function expire_flag(flags: table[string] of Flag, uid: string): interval
	{
	local f = flags[uid];

	if ( ! f?$ended )
		{
		if ( f?$id && connection_exists(f$id) && lookup_connection(f$id)$uid == uid )
			return 1min;

		f$ended = network_time();
		return linger;
		}

	return 0sec;
	}

function add_reasons(f: Flag, hit: Hit, where: string)
	{
	for ( _, indicator in hit$indicators )
		{
		local known = F;

		for ( i, had in f$indicators )
			if ( had == indicator && f$where[i] == where )
				known = T;

		if ( known )
			next;

		if ( |f$indicators| >= max_reasons )
			{
			++dropped["reasons"];
			next;
			}

		f$indicators += indicator;
		f$where += where;

		if ( hit$unverified )
			add f$unsure[indicator];
		}

	if ( hit$level > f$level )
		f$level = hit$level;

	if ( ! hit$unverified )
		for ( _, sure in hit$indicators )
			delete f$unsure[sure];
	}

# Whether nothing of it is sure.
function is_unsure(f: Flag): bool
	{
	if ( |f$unsure| == 0 )
		return F;

	for ( _, indicator in f$indicators )
		if ( indicator !in f$unsure )
			return F;

	return T;
	}

function start_capturing()
	{
	capturing = T;
	hook capturing_switched();
	schedule 1min { ThreatHunting::stop_capturing() };
	}

event ThreatHunting::stop_capturing()
	{
	if ( flagged_count() > 0 )
		{
		schedule 1min { ThreatHunting::stop_capturing() };
		return;
		}

	capturing = F;
	hook capturing_switched();
	}

function flag(uid: string, id: conn_id, hit: Hit, where: string)
	{
	if ( uid !in flagged )
		{
		if ( |flagged| >= max_conversations )
			{
			++dropped["conversations"];
			return;
			}

		flagged[uid] = Flag($id=id);

		if ( ! capturing )
			start_capturing();
		}

	add_reasons(flagged[uid], hit, where);
	}

function flag_file(fuid: string, hit: Hit, where: string)
	{
	if ( fuid !in flagged_files )
		{
		if ( |flagged_files| >= max_conversations )
			{
			++dropped["files"];
			return;
			}

		flagged_files[fuid] = Flag();

		if ( ! capturing )
			start_capturing();
		}

	add_reasons(flagged_files[fuid], hit, where);
	}

function flagged_with(uid: string, indicator: string, where: string): bool
	{
	if ( uid !in flagged )
		return F;

	local f = flagged[uid];

	for ( i, had in f$indicators )
		if ( had == indicator && f$where[i] == where )
			return T;

	return F;
	}

function unflag(key: string, indicator: string)
	{
	for ( _, flags in vector(flagged, flagged_files) )
		{
		if ( key !in flags || indicator !in flags[key]$unsure )
			next;

		local f = flags[key];
		delete f$unsure[indicator];
		local indicators: vector of string = vector();
		local where: vector of string = vector();

		for ( i, had in f$indicators )
			if ( had != indicator )
				{
				indicators += had;
				where += f$where[i];
				}

		f$indicators = indicators;
		f$where = where;

		if ( |indicators| == 0 )
			delete flags[key];
		}
	}

function is_flagged(key: string): bool
	{
	return key in flagged || key in flagged_files;
	}

function flagged_count(): count
	{
	return |flagged| + |flagged_files|;
	}

function unflag_all()
	{
	flagged = table();
	flagged_files = table();
	}

function mark(f: Flag)
	{
	marks$threathunting_indicators = f$indicators;
	marks$threathunting_where = f$where;
	marks$threathunting_level = levels[f$level];

	if ( is_unsure(f) )
		marks$threathunting_unverified = T;
	else
		delete marks$threathunting_unverified;
	}

function flush_soon()
	{
	if ( flushing || flush_delay == 0secs || reading_traces() )
		return;

	flushing = T;
	schedule flush_delay { flush_captured() };
	}

event flush_captured() &priority=100
	{
	flushing = F;
	}

function captured(key: string): bool
	{
	if ( passed_over )
		return F;

	if ( probing )
		{
		if ( key in waiting )
			probed += key;

		return F;
		}

	if ( key in flagged )
		{
		mark(flagged[key]);
		flush_soon();
		return T;
		}

	if ( key in flagged_files )
		{
		mark(flagged_files[key]);
		flush_soon();
		return T;
		}

	return F;
	}

function captured_file(): bool
	{
	if ( ! has_file_at_hand )
		return F;

	if ( file_at_hand?$conns )
		for ( _, c in file_at_hand$conns )
			if ( captured(c$uid) )
				return T;

	return captured(file_at_hand$id);
	}

function waiting_of(rec: any, id: Log::ID, policy: Log::PolicyHook): vector of
    string
	{
	probing = T;
	probed = vector();
	local passes = hook policy(rec, id, Log::Filter($name="probe"));
	probing = F;
	return passes ? vector() : probed;
	}

function current_marks(path: string): Marks
	{
	return marks;
	}

event file_state_remove(f: fa_file) &priority=100 &group="ThreatHunting::armed"
	{
	passed_over = F;
	file_at_hand = f;
	has_file_at_hand = T;
	}

event file_state_remove(f: fa_file) &priority=-100 &group="ThreatHunting::armed"
	{
	has_file_at_hand = F;
	}
