module ThreatHunting;

export {
	## Lets through the sessions of flagged conversations.
	global mqtt_connect_investigation: Log::PolicyHook;
}

hook mqtt_connect_investigation(rec: MQTT::ConnectInfo, id: Log::ID,
    filter: Log::Filter)
	{
	if ( ! captured(rec$uid) )
		break;
	}

event zeek_init()
	{
	investigate("MQTT", MQTT::CONNECT_LOG, "mqtt_connect",
	    mqtt_connect_investigation, set("will_payload"));
	}

redef enable_module += {"MQTT"};
