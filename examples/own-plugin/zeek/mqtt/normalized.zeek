module ThreatHunting;

export {
	## ECS names of mqtt_connect.log's fields.
	const mqtt_connect_ecs: table[string] of string = {
		["connect_status"] = "event.reason",
	} &redef;
}

redef ecs += {["mqtt_connect"] = mqtt_connect_ecs};
