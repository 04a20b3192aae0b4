##! Both ends of every connection when it begins, TCP, UDP and ICMP: Zeek's own
##! script waits until TCP is established.

@load ../../observables

module ThreatHunting;

event new_connection(c: connection) &group="ThreatHunting::CONN"
    &group="ThreatHunting::Intel::ADDR"
	{
	Intel::seen(Intel::Seen($host=c$id$orig_h, $conn=c, $where=Conn::IN_ORIG));
	Intel::seen(Intel::Seen($host=c$id$resp_h, $conn=c, $where=Conn::IN_RESP));
	}
