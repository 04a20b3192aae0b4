##! What a site can set.

module ThreatHunting;

export {
	## The version of this package.
	const version = "0.1.0";

	## The modules that hunt. What isn't named here flags nothing and captures
	## nothing. It can be changed at any time, by the link or by a file among
	## :zeek:see:`Config::config_files` with the line
	## ``ThreatHunting::enable_module CONN,HTTP,DNS,SSH,FILE``.
	option enable_module: set[string] = {
		"CONN",
		"DNS",
		"FILE",
		"FTP",
		"HTTP",
		"KERBEROS",
		"NTLM",
		"RDP",
		"SIP",
		"SMB",
		"SMTP",
		"SSH",
		"SSL",
		"X509",
	} &redef;

	## Whether nothing but investigation logs and intel.log is written.
	option compliance = F &redef;

	## Logs that compliance mode writes all the same.
	option compliance_keeps: set[Log::ID] = {Intel::LOG} &redef;

	## Whether the fields of investigation logs have their ECS names.
	option normalized = F &redef;

	## Whether the headers of HTTP requests and responses are captured.
	option http_headers = T &redef;

	## Bytes captured of each HTTP request's and each response's body; 0 = none.
	option http_body_bytes = 0 &redef;

	## Bytes of bodies held at most for conversations that may yet be flagged.
	option http_body_memory = 64 * 1024 * 1024 &redef;

	## Whether files are hashed while hashes of files are armed, with the
	## algorithms that are asked for.
	option hash_files = T &redef;

	## Whether Zeek's own scripts in ``frameworks/intel/seen`` look only for types of
	## which something is armed, or came from a site's own files, and whether in compact
	## mode the framework is only told of names and addresses that a filter has. With F,
	## hooks :zeek:see:`Intel::seen_policy` hear of whatever is seen, also if it can't
	## match.
	const seen_while_armed = T &redef;

	## Conversations flagged at the same time, at most.
	option max_conversations = 100000 &redef;

	## Reasons (an indicator, and where it was seen) told of one conversation.
	option max_reasons = 32 &redef;

	## How long a conversation stays flagged after its connection has ended,
	## for files and records that come late.
	option linger = 5min &redef;

	## Files with indicators to arm before the first packet: one batch of the
	## link's ``arm`` in JSON a line.
	const arm_files: set[string] = {} &redef;

	## Topic of what is sent to all nodes.
	const command_topic = "/threathunting/command/" &redef;

	## Topic of what is sent to one node: this, its name and a slash.
	const node_topic = "/threathunting/node/" &redef;

	## Topic of what the nodes send.
	const report_topic = "/threathunting/report/" &redef;

	## How often every node tells its state.
	const state_interval = 30sec &redef;
}
