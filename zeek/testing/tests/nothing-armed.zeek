# @TEST-DOC: While nothing is armed there is nothing of us.
# @TEST-EXEC: zeek -C -r $TRACES/visit.pcap $PACKAGE %INPUT
# @TEST-EXEC: test -e http.log
# @TEST-EXEC: test ! -e intel.log
# @TEST-EXEC: ! ls *-investigation.log
# @TEST-EXEC: ! grep -q threathunting http.log conn.log dns.log files.log
