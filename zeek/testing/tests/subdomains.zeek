# @TEST-DOC: A domain that stands for its subdomains, in queries, answers and requests.
# @TEST-EXEC: zeek -C -r $TRACES/visit.pcap $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut uid seen.indicator seen.where matched sources level <intel.log >intel
# @TEST-EXEC: zeek-cut threathunting_indicators threathunting_where uid query <dns-investigation.log >dns
# @TEST-EXEC: btest-diff intel
# @TEST-EXEC: btest-diff dns

event zeek_init()
	{
	ThreatHunting::arm_items("test", ThreatHunting::WireItems(
	    ThreatHunting::WireItem($v="evil.example", $t="domain", $s="SOAR",
	    $l="critical", $x=T), ThreatHunting::WireItem($v="203.0.113.0/24",
	    $t="subnet", $s="NET", $l="medium")));
	}
