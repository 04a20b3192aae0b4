##! Zeek's own scripts that look for what is seen, each only while something of its
##! type is in the store: asking for what can't match is most of what they cost.

# This one is in no group, so it would ask for both ends of every connection. The
# handler below stands for it, unless a site has loaded it before us.
@unload frameworks/intel/seen/conn-established

@load frameworks/intel/seen

module ThreatHunting;

event connection_established(c: connection) &group="Intel::ADDR"
    &group="ThreatHunting::established"
	{
	if ( c$orig$state != TCP_ESTABLISHED || c$resp$state != TCP_ESTABLISHED )
		return;

	Intel::seen(Intel::Seen($host=c$id$orig_h, $conn=c, $where=Conn::IN_ORIG));
	Intel::seen(Intel::Seen($host=c$id$resp_h, $conn=c, $where=Conn::IN_RESP));
	}

event zeek_script_loaded(path: string, level: count)
	{
	if ( /\/intel\/seen\/conn-established\.zeek$/ in path )
		disable_event_group("ThreatHunting::established");
	}
