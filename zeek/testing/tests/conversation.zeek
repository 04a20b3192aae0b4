# @TEST-DOC: A sighting flags the whole conversation, and nothing else is captured.
# @TEST-EXEC: zeek -C -r $TRACES/visit.pcap $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut uid seen.indicator seen.where sources level <intel.log >intel
# @TEST-EXEC: zeek-cut threathunting threathunting_indicators threathunting_where threathunting_level uid host uri request_headers <http-investigation.log >http
# @TEST-EXEC: zeek-cut threathunting_indicators uid id.resp_h <conn-investigation.log >conn
# @TEST-EXEC: zeek-cut uid source mime_type <files-investigation.log >files
# @TEST-EXEC: test ! -e dns-investigation.log
# @TEST-EXEC: btest-diff intel
# @TEST-EXEC: btest-diff http
# @TEST-EXEC: btest-diff conn
# @TEST-EXEC: btest-diff files

event zeek_init()
	{
	print ThreatHunting::arm_items("test", ThreatHunting::WireItems(
	    ThreatHunting::WireItem($v="sync/1.2", $t="software", $s="SOAR",
	    $l="high"), ThreatHunting::WireItem($v="198.51.100.7", $t="addr",
	    $s="MISP")));
	}
