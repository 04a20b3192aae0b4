# @TEST-DOC: In compliance mode nothing but what an incident asks for is written; names as ECS has them.
# @TEST-EXEC: zeek -C -r $TRACES/visit.pcap $PACKAGE %INPUT
# @TEST-EXEC: ls *.log >logs
# @TEST-EXEC: head -8 http-investigation.log | grep ^#fields | tr '\t' '\n' >names
# @TEST-EXEC: btest-diff logs
# @TEST-EXEC: btest-diff names

redef ThreatHunting::compliance = T;
redef ThreatHunting::normalized = T;

event zeek_init()
	{
	ThreatHunting::arm_items("test", ThreatHunting::WireItems(
	    ThreatHunting::WireItem($v="/gate.php", $t="url", $s="SOAR")));
	}
