##! Lets the service in where nothing else does: a WebSocket server on this node,
##! for a lone Zeek or a cluster's manager. zeekctl has one of its own.
##!
##! Whoever reaches it is trusted code inside Zeek: keep it on loopback, or give
##! certificates in :zeek:see:`ThreatHunting::listen_tls` that the client must match.

@load base/frameworks/cluster

@if ( Cluster::backend == Cluster::CLUSTER_BACKEND_NONE && ! Cluster::is_enabled() )
@load frameworks/cluster/backend/broker
@endif

@load ./__load__

module ThreatHunting;

export {
	## Where the service is awaited.
	const listen_addr: string = "127.0.0.1" &redef;

	## At which port.
	const listen_port: port = 27759/tcp &redef;

	## Certificates; nothing here = no TLS.
	const listen_tls = Cluster::WebSocketTLSOptions() &redef;
}

event zeek_init() &priority=-200
	{
	if ( Cluster::is_enabled() && Cluster::local_node_type() != Cluster::MANAGER )
		return;

	local options = Cluster::WebSocketServerOptions($listen_addr=to_addr(
	    listen_addr), $listen_port=listen_port, $tls_options=listen_tls);

	if ( ! Cluster::listen_websocket(options) )
		Reporter::fatal(fmt("ThreatHunting: can't listen on %s:%s; is another process there?",
		    listen_addr, listen_port));
	}
