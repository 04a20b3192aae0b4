##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of smtp.log's fields.
	const smtp_ecs: table[string] of string = {
		["mailfrom"] = "email.sender.address",
		["from"] = "email.from.address",
		["to"] = "email.to.address",
		["cc"] = "email.cc.address",
		["reply_to"] = "email.reply_to.address",
		["date"] = "email.origination_timestamp",
		["subject"] = "email.subject",
		["msg_id"] = "email.message_id",
		["user_agent"] = "email.x_mailer",
		["tls"] = "tls.established",
	} &redef;
}

redef ecs += {["smtp"] = smtp_ecs};
