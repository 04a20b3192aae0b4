##! Modules: a protocol's hunting, switched on and off while Zeek runs.

@load ./config

module ThreatHunting;

export {
	## All modules that plugins bring.
	global known_modules: set[string] = {} &redef;

	## Called when the set of modules, or the form of records, has changed.
	global switched: hook();

	## Raised when an option has its new value, to bring it into force.
	global modules_changed: event();

	## Modules that were asked for and that no plugin brings.
	global unknown_modules: set[string];
}

function switch_modules()
	{
	for ( m in known_modules )
		{
		local name = "ThreatHunting::" + m;

		if ( ! has_event_group(name) )
			next;

		if ( m in enable_module )
			enable_event_group(name);
		else
			disable_event_group(name);
		}

	hook switched();
	}

event ThreatHunting::modules_changed()
	{
	switch_modules();
	}

function modules_option(id: string, new_value: set[string]): set[string]
	{
	local value: set[string] = set();
	unknown_modules = set();

	for ( name in new_value )
		{
		local m = to_upper(strip(name));

		if ( m in known_modules )
			add value[m];
		else if ( m != "" )
			{
			add unknown_modules[m];
			Reporter::warning(fmt("ThreatHunting: there is no module %s", m));
			}
		}

	# The option has its new value only after this.
	event ThreatHunting::modules_changed();
	return value;
	}

event zeek_init() &priority=-10
	{
	Option::set_change_handler("ThreatHunting::enable_module", modules_option, 10);

	# What was set before the plugins were known: in the form that it has from now on.
	for ( name in enable_module )
		if ( name !in known_modules )
			{
			Option::set("ThreatHunting::enable_module", enable_module);
			break;
			}

	switch_modules();
	}
