##! Indicators from files before the first packet: for captures, and for a first
##! set where no service is near.

@load ./indicators

module ThreatHunting;

export {
	## The client that items of files belong to.
	const files_client = "files" &redef;
}

# The fields of a raw line.
type Line: record {
	text: string;
};

global files_to_read = 0;

event ThreatHunting::file_line(desc: Input::EventDescription, tpe: Input::Event,
    text: string)
	{
	local parsed = from_json(text, WireItems);

	if ( ! parsed$valid )
		{
		Reporter::error(fmt("ThreatHunting: a line of %s is no list of items: %s",
		    desc$source, parsed$err));
		return;
		}

	for ( _, refusal in arm_items(files_client, parsed$v as WireItems) )
		Reporter::warning(fmt("ThreatHunting: %s %s of %s is not armed: %s",
		    refusal$t, refusal$v, desc$source, refusal$reason));
	}

event Input::end_of_data(name: string, source: string)
	{
	if ( /^threathunting-arm-/ !in name )
		return;

	Input::remove(name);

	if ( --files_to_read == 0 && reading_traces() )
		continue_processing();
	}

event zeek_init() &priority=-50
	{
	if ( ! holds_intel() || |arm_files| == 0 )
		return;

	files_to_read = |arm_files|;

	if ( reading_traces() )
		suspend_processing();

	for ( path in arm_files )
		{
		# Hunting without what was to be armed would go unnoticed.
		if ( file_size(path) < 0.0 )
			Reporter::fatal(fmt("ThreatHunting: there is no file %s of indicators to arm",
			    path));

		Input::add_event(Input::EventDescription($source=path,
		    $reader=Input::READER_RAW, $mode=Input::MANUAL,
		    $name="threathunting-arm-" + path, $fields=Line,
		    $want_record=F, $ev=ThreatHunting::file_line));
		}
	}
