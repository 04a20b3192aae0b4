##! ECS names, equal to those of the engine's plugin for this protocol.

@load ../../normalized

module ThreatHunting;

export {
	## ECS names of x509.log's fields.
	const x509_ecs: table[string] of string = {
		["fingerprint"] = "file.hash.sha256",
		["certificate.version"] = "file.x509.version_number",
		["certificate.serial"] = "file.x509.serial_number",
		["certificate.subject"] = "file.x509.subject.distinguished_name",
		["certificate.issuer"] = "file.x509.issuer.distinguished_name",
		["certificate.not_valid_before"] = "file.x509.not_before",
		["certificate.not_valid_after"] = "file.x509.not_after",
		["certificate.key_alg"] = "file.x509.public_key_algorithm",
		["certificate.sig_alg"] = "file.x509.signature_algorithm",
		["certificate.key_length"] = "file.x509.public_key_size",
		["certificate.exponent"] = "file.x509.public_key_exponent",
		["certificate.curve"] = "file.x509.public_key_curve",
		["san.dns"] = "file.x509.alternative_names",
	} &redef;
}

redef ecs += {["x509"] = x509_ecs};
