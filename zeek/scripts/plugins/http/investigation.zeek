@load ../../investigations
@load ./content

module ThreatHunting;

export {
	## Lets through the requests of flagged conversations, with their content.
	global http_investigation: Log::PolicyHook;
}

redef looks_for += {["http"] = Intel::TypeSet()};

redef own_fields += {["http"] = set("request_headers", "request_body",
    "request_body_sha256", "response_headers", "response_body",
    "response_body_sha256")};

hook http_investigation(rec: HTTP::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( captured(rec$uid) )
		take_content(rec);
	else
		{
		drop_content(rec);
		break;
		}
	}

event zeek_init()
	{
	investigate("HTTP", HTTP::LOG, "http", http_investigation, set(), http_marks);
	}
