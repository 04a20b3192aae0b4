##! Both ends of every connection when it begins, TCP, UDP and ICMP: Zeek's own
##! script waits until TCP is established.

@load ../../observables

module ThreatHunting;

event new_connection(c: connection) &group="ThreatHunting::CONN"
    &group="ThreatHunting::Intel::ADDR"
	{
	see_ends(c);
	}
