##! Threat hunting in the sensor: indicators armed from outside, and the whole
##! conversation behind every sighting written to ``*-investigation`` logs.

@load base/frameworks/cluster
@load base/frameworks/config
@load base/frameworks/intel

@load ./config
@load ./types
@load ./store
@load ./seen
@load ./indicators
@load ./conversations
@load ./sightings
@load ./observables
@load ./modules
@load ./investigations
@load ./compliance
@load ./arm-files
@load ./link
@load ./compact
@load ./plugins

@if ( Cluster::is_enabled() )
@load ./cluster
@endif
