@load ./seen
@load ./investigation
@load ./normalized
