##! Who connects to a broker.

@load ./investigation

module ThreatHunting;

export {
	redef enum Intel::Where += { MQTT::IN_CLIENT_ID };
}

redef looks_for += {["mqtt_connect"] = Intel::TypeSet(Intel::USER_NAME)};

hook mqtt_connect_investigation(rec: MQTT::ConnectInfo, id: Log::ID,
    filter: Log::Filter) &priority=10
	{
	if ( rec?$client_id )
		look(rec$uid, rec$id, rec$client_id, Intel::USER_NAME, MQTT::IN_CLIENT_ID);
	}
