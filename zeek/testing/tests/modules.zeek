# @TEST-DOC: A module that is off flags nothing and captures nothing; an unknown one is told.
# @TEST-EXEC: zeek -C -r $TRACES/visit.pcap $PACKAGE %INPUT 2>said
# @TEST-EXEC: ls *.log >logs
# @TEST-EXEC: btest-diff logs
# @TEST-EXEC: grep -q "there is no module MARTIAN" said

event zeek_init()
	{
	Option::set("ThreatHunting::enable_module", set("conn", "DNS", "Martian"));
	ThreatHunting::arm_items("test", ThreatHunting::WireItems(
	    ThreatHunting::WireItem($v="sync/1.2", $t="software", $s="SOAR"),
	    ThreatHunting::WireItem($v="10.0.0.53", $t="addr", $s="SOAR")));
	}
